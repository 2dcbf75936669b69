"""Long work behind the page: progress, result, error, cancel."""

import threading
import time
from contextlib import suppress
from types import SimpleNamespace

import pytest
from visiting import Tab

from robustaudio.progress import Enough
from robustaudio.serving.limits import Limits
from robustaudio.ui import jobs
from robustaudio.ui.jobs import Budget, on_gpu, stream
from robustaudio.ui.launch import launch

LIMIT_S = 1.0


LIMIT = "server's limit of 1 s ended it"


def test_progress_comes_first_and_the_result_last():
    def job(progress):
        for step in range(4):
            progress(step / 4, f"step {step}" if step != 1 else None)
            time.sleep(jobs.POLL_S)
        return "done"

    steps = list(stream(job))
    share, told, result = steps[-1]
    assert (share, told, result) == (1.0, ["step 0", "step 2", "step 3"], "done")
    assert len(steps) > 2 and all(result is None for *_, result in steps[:-1])
    shares = [share for share, *_ in steps]
    assert shares == sorted(shares)


def test_what_a_job_tells_is_there_while_it_runs():
    seen = threading.Event()

    def job(progress):
        progress(0.5, "a step")
        assert seen.wait(2)

    steps = stream(job)
    told = next(told for _, told, _ in steps if told)
    assert told == ["a step"]
    seen.set()
    list(steps)


def test_an_error_of_the_job_is_raised_where_it_is_read():
    def job(progress):
        raise ValueError("sigma -1 must be 0 or more")

    with pytest.raises(ValueError, match="sigma -1"):
        list(stream(job))


def test_closing_the_stream_stops_the_job_at_its_next_report():
    stopped = threading.Event()

    def job(progress):
        try:
            while True:
                progress(0.5)
                time.sleep(0.01)
        except jobs.Cancelled:
            stopped.set()
            raise

    steps = stream(job)
    assert next(steps)[-1] is None
    steps.close()
    assert stopped.wait(2)


def test_a_job_that_is_enough_ends_itself_with_what_it_has():
    begun = threading.Event()

    def job(progress):
        found = 0
        with suppress(Enough):
            while True:
                progress(0.5)
                found += 1
                begun.set()
                time.sleep(0.01)
        return found

    *_, (share, _, found) = stream(job, begun.is_set)
    assert share == 1 and found


def test_the_gpu_decorator_is_there_on_a_zero_gpu_space_and_nowhere_else(monkeypatch):
    def function():
        return 1

    assert on_gpu(function) is function
    lender = SimpleNamespace(GPU=lambda wrapped: ("on the GPU", wrapped))
    monkeypatch.setattr(jobs, "spaces", lender)
    assert on_gpu(function) == ("on the GPU", function)


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
    visitor = Tab(url)
    visitor.load()
    visitor.put |= changes
    started = time.monotonic()
    shown = visitor.click(button)
    took_s = time.monotonic() - started
    said = next(text for text in shown if isinstance(text, str) and words in text)
    assert LIMIT in said
    assert took_s < 30 * LIMIT_S  # to its end each takes minutes
