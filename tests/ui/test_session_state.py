"""What a page keeps of its visits does not grow with what they do, nor with how many there were."""

import time
from datetime import datetime

import pytest
from ui.visiting import Visiting

from robustaudio.ui.launch import launch
from robustaudio.ui.session_state import EVENTS, KEPT, UNHEARD_S, Visits


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))
        patch.setenv("ROBUSTAUDIO_LISTENING", "memory:")
        page = launch(block=False, quiet=True)
        yield page
        page.close()


@pytest.fixture
def visits(page) -> Visits:
    return page.server_app.state_holder


def test_a_session_keeps_no_more_after_many_runs(page, visits):
    visitor = Visiting(page.local_url)
    visitor.load()
    for seed in range(3):
        assert visitor.run("perturb", seed=seed)[-1]["success"]
        assert visitor.run("certify", seed=seed)[-1]["success"]
        session = visits.session_data[visitor.session]
        assert set(session.blocks_config.blocks) == set(page.blocks)
        assert not session.config_values
    assert len(page._queue.event_analytics) <= EVENTS


def test_a_session_that_nobody_has_used_for_an_hour_is_forgotten(page, visits):
    old, new = Visiting(page.local_url), Visiting(page.local_url)
    for visitor in (old, new):
        visitor.load()
        assert visitor.session in visits.session_data
    visits.time_last_used[old.session] = datetime.now() - 1.1 * KEPT
    visits.delete_all_expired_state()
    assert old.session not in visits.session_data and new.session in visits.session_data
    assert old.session not in visits.time_last_used


def test_what_nobody_fetches_is_thrown_away(page, visits):
    queue, visitor = page._queue, Visiting(page.local_url)
    visitor.load()
    handler = visitor.handler("still-here")
    asked = {
        "data": visitor.data(handler, {}), "fn_index": handler["id"],
        "session_hash": visitor.session,
    }  # fmt: skip
    visitor.http.post("/gradio_api/queue/join", json=asked).raise_for_status()
    until = time.monotonic() + 20
    while (len(queue) or any(queue.active_jobs)) and time.monotonic() < until:
        time.sleep(0.05)
    now = time.monotonic()
    visits._clear_mail(now)
    assert visitor.session in queue.pending_messages_per_session
    visits._clear_mail(now + UNHEARD_S + 1)
    assert visitor.session not in queue.pending_messages_per_session
    assert visitor.session not in queue.pending_event_ids_session
    assert visitor.run("perturb")[-1]["success"]  # it comes back, and is heard
