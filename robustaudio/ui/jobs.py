"""Long work behind the page: progress while it runs, cancel, one decorator for a lent GPU."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from robustaudio.certification.interval import UnsupportedLayer
from robustaudio.progress import Enough, Progress
from robustaudio.ui.shares import GIVES_WAY
from robustaudio.ui.spoken import FAILED as FAILED
from robustaudio.ui.spoken import as_html as as_html  # so that a tab finds them beside its job
from robustaudio.ui.spoken import in_place as in_place
from robustaudio.ui.spoken import one_sentence as one_sentence

if os.environ.get("SPACES_ZERO_GPU"):  # first of all: it has to come before CUDA is touched
    import spaces  # type: ignore[import-not-found]
else:
    spaces = None

Result = TypeVar("Result")
POLL_S = 0.1
PAUSE_S, NAP_S = 0.25, 0.01  # between two steps, for a run that has just begun


class Cancelled(Exception):
    """Raised inside a job at its next report of progress, after somebody cancelled it."""


def stream(
    job: Callable[[Progress], Result], enough: Callable[[], bool] = lambda: False
) -> Iterator[tuple[float, list, Result | None]]:
    """Runs `job(progress)` in a thread; yields (share done, told, None), last (1, told, result).

    `told` is all that the job has said of its steps so far, one list that grows. Closing the
    iterator (on cancel, and when the tab closes) stops the job at its next report of progress, and
    waits until then. An attack ends early, with what it has found, when it is `enough`. An error
    of the job is raised here.
    """
    done = threading.Event()
    cancelled = threading.Event()
    outcome: dict[str, Any] = {"share": 0.0}
    told: list[Any] = []
    gives_way = GIVES_WAY.get()

    def progress(share: float, step: Any = None, /) -> None:
        ends = time.monotonic() + PAUSE_S
        while gives_way() and time.monotonic() < ends and not cancelled.wait(NAP_S):
            pass
        if cancelled.is_set():
            raise Cancelled
        if enough():
            raise Enough
        outcome["share"] = share
        if step is not None:
            told.append(step)

    def work() -> None:
        try:
            outcome["result"] = job(progress)
        except BaseException as error:
            outcome["error"] = error
        finally:
            done.set()

    threading.Thread(target=work, daemon=True).start()
    try:
        while not done.wait(POLL_S):
            yield outcome["share"], told, None
    finally:
        cancelled.set()
        done.wait()
    if "error" in outcome:
        raise outcome["error"]
    yield 1.0, told, outcome["result"]


EXPECTED = (ValueError, UnsupportedLayer)  # errors whose sentence is meant for the visitor


def on_gpu(function: Callable) -> Callable:
    """Runs `function` on the GPU that a ZeroGPU Space lends; elsewhere it is left as it is."""
    return spaces.GPU(function) if spaces else function
