"""How far a long verb is, on stderr: a bar with the time left, or one line where nobody looks."""

import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cached_property
from math import inf
from typing import Any

from robustaudio.progress import Progress

ESTIMATED_AFTER_S, LONG_S = 10.0, 120.0  # when a run is estimated, and what is long


@contextmanager
def shown() -> Iterator[Progress]:
    """A `Progress` for a verb; the bar goes when the verb ends."""
    if not sys.stderr.isatty():
        yield Estimate()
        return
    with closing(Bar()) as bar:
        yield bar


class Bar:
    """Share done and time left, from the first share that is reported."""

    def __call__(self, share: float, step: Any = None, /) -> None:
        self._bar.update(self._bar.task_ids[0], completed=share)

    def close(self) -> None:
        if "_bar" in vars(self):
            self._bar.stop()

    @cached_property
    def _bar(self) -> Any:
        from rich import progress  # a verb without progress does not wait for it
        from rich.console import Console

        bar = progress.Progress(
            progress.TaskProgressColumn(), progress.BarColumn(), progress.TimeRemainingColumn(),
            "left", console=Console(stderr=True), transient=True, redirect_stdout=False,
            speed_estimate_period=inf,  # a clip may take minutes
        )  # fmt: skip
        bar.add_task("", total=1.0)
        bar.start()
        return bar


class Estimate:
    """One line on how long a long run will take."""

    def __init__(self) -> None:
        self._begun, self._said = time.monotonic(), False

    def __call__(self, share: float, step: Any = None, /) -> None:
        passed_s = time.monotonic() - self._begun
        if self._said or passed_s < ESTIMATED_AFTER_S or not share:
            return
        self._said, left_s = True, passed_s / share * (1 - share)
        if left_s > LONG_S:
            line = f"{share:.2g} of it is done; about {duration(left_s)} to go."
            print(line, file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """In words: 3 minutes, 2.5 hours, 40 days."""
    for size, name in ((86_400, "days"), (3_600, "hours")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {name}"
    return f"{seconds / 60:.0f} minutes"
