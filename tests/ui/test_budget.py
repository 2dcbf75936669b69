"""A run ends when it has computed long enough for a server of many, with what it has found."""

import time

import pytest
from ui.visiting import Visiting

from robustaudio.limits import Limits
from robustaudio.ui.budget import Budget
from robustaudio.ui.launch import launch
from robustaudio.ui.words.terms import limited

LIMIT_S = 1.0
LIMIT = "server's limit of 1 s ended it"


def test_a_budget_begins_when_it_is_made_and_is_over_for_good():
    now = [100.0]
    budget = Budget(60, lambda: now[0])
    now[0] = 159.0
    assert not budget.over() and budget.record == {}
    now[0] = 160.0
    assert budget.over() and budget.record == {"limit_s": 60}
    now[0] = 0.0
    assert budget.over()


def test_without_a_limit_nothing_ends():
    now = [0.0]
    budget = Budget(float("inf"), lambda: now[0])
    now[0] = 1e12
    assert not budget.over() and budget.record == {}


def test_no_limit_no_words():
    assert limited({}) == [] and "of 60 s" in limited({"limit_s": 60.0})[0]


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))
        patch.setenv("ROBUSTAUDIO_LISTENING", "memory:")
        page = launch(block=False, quiet=True, limits=Limits(seconds=LIMIT_S))
        yield page.local_url
        page.close()


@pytest.mark.parametrize(
    "button, changes, words",
    [
        ("perturb", {"pgd-steps": 1000, "pgd-restarts": 20, "level": -100}, "PGD in L∞"),
        ("maximise", {"maximise-label": "3", "maximise-queries": 20_000}, "sure"),
        ("certify", {"certify-n": 100_000}, "votes until then"),
        (
            "targets",
            {"targets-from": "one clip per label", "targets-attack": "pgd"},
            "of 10 clips. The targets of the last one",
        ),
        ("measure", {"everyone": True}, "Not finished: "),
    ],
)
def test_a_run_that_takes_too_long_says_that_the_server_ended_it(url, button, changes, words):
    visitor = Visiting(url)
    visitor.load()
    started = time.monotonic()
    ended = visitor.run(button, **changes)[-1]
    took_s = time.monotonic() - started
    assert ended["msg"] == "process_completed" and ended["success"], ended
    said = next(text for text in ended["output"]["data"] if isinstance(text, str) and words in text)
    assert LIMIT in said
    assert took_s < 30 * LIMIT_S  # to its end each takes minutes
