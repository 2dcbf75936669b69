"""Long work behind the page: progress, result, error, cancel."""

import threading
import time
from contextlib import suppress
from types import SimpleNamespace

import pytest

from robustaudio.progress import Enough
from robustaudio.ui import jobs
from robustaudio.ui.jobs import on_gpu, stream


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


def test_a_sentence_is_shown_as_text_whatever_it_quotes():
    message = jobs.one_sentence(ValueError("unknown key <img src=x> & 'y'\n- more")).message
    assert message == "unknown key &lt;img src=x&gt; &amp; 'y'<br>- more"


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
