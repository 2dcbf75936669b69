"""Several visitors at once, over HTTP: one of them is hostile, and the others are served."""

import time

import pytest
from visiting import Tab

from robustaudio.serving.limits import Limits
from robustaudio.ui.launch import launch
from robustaudio.ui.long_runs import GONE_S

HEAVIEST = {"pgd-steps": 1000, "pgd-restarts": 20, "level": -100}
SLACK_S = 2.0  # a machine may be busy
ENDED = "process_completed"


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))
        patch.setenv("ROBUSTAUDIO_LISTENING", "memory:")
        page = launch(block=False, quiet=True, limits=Limits())
        yield page.local_url
        page.close()


def timed(visitor: Tab) -> float:
    started = time.monotonic()
    assert visitor.click("perturb")
    return time.monotonic() - started


def start(visitor: Tab, session: str) -> None:
    """Asks for a run in a tab of that name, and does not listen."""
    visitor.session = session
    visitor.join(visitor.event("perturb"))


def hostile_visitor(url: str) -> Tab:
    visitor = Tab(url, "127.0.0.2")
    visitor.put |= HEAVIEST
    return visitor


def test_a_flood_of_the_heaviest_runs_from_one_address_keeps_nobody_waiting(url):
    other = Tab(url, "127.0.0.3")
    idle_s = sorted(timed(other) for _ in range(3))[1]
    hostile = hostile_visitor(url)
    for number in range(66):  # each of a session of its own; nobody listens
        start(hostile, f"hostile{number}")
    flooded_s = sorted(timed(other) for _ in range(3))
    assert flooded_s[1] <= 2 * idle_s + SLACK_S, (idle_s, flooded_s)
    time.sleep(GONE_S)
    # all of theirs are gone by now: the address is served again
    assert timed(Tab(url, "127.0.0.2")) <= 2 * idle_s + SLACK_S


def test_one_who_listens_holds_one_share_and_the_others_have_the_other(url):
    other, hostile = Tab(url, "127.0.0.3"), hostile_visitor(url)
    idle_s = sorted(timed(other) for _ in range(3))[1]
    for number in range(20):
        start(hostile, f"listening{number}")
    hostile.session = "listening0"
    listened = hostile.messages()
    assert any(message["msg"] == "process_generating" for message in listened)
    assert timed(other) <= 2 * idle_s + SLACK_S
    listened.close()


def test_a_visitor_who_waits_is_told_their_place_and_one_too_many_is_refused(url):
    visitor = Tab(url, "127.0.0.4")
    visitor.put |= {"method": "genetic", "genetic-queries": 6000}
    event = visitor.event("perturb")
    visitor.join(event)
    listened = visitor.messages()
    messages = [next(one for one in listened if one["msg"] == "process_generating")]
    for _ in range(3):
        visitor.join(event)
    messages += listened
    told = str([m["output"].get("data") for m in messages if m["msg"] == "process_generating"])
    assert "waiting: yours is next" in told and "waiting: 1 run is before yours" in told
    ended = [m for m in messages if m["msg"] == ENDED]
    refused = [m["output"]["error"] for m in ended if not m["success"]]
    assert len(ended) == 4, ended
    assert refused == ["2 of your runs wait for their turn already; wait for one, or cancel it."]
