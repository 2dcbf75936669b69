"""How far a long run is, and how it is ended early."""

from typing import Any, Protocol


class Enough(Exception):
    """Raised by a `Progress` to end work early: what it has found so far is its result."""


class Progress(Protocol):
    """Called with the share that is done, 0 to 1, and by an attack with its `Step`.

    It may raise to cancel the work; `Enough` ends it early, with the result so far.
    """

    def __call__(self, share: float, step: Any = None, /) -> None: ...


class Watched:
    """A `Progress` that remembers whether it has raised `Enough`."""

    def __init__(self, progress: Progress | None):
        self._progress, self.ended = progress, False

    def __call__(self, share: float, step: Any = None, /) -> None:
        try:
            if self._progress:
                self._progress(share, step)
        except Enough:
            self.ended = True
            raise


def part_of(
    progress: Progress | None, start: float, whole: float, size: float = 1
) -> Progress | None:
    """The progress of one part, from `start` on and `size` long, of a run that is `whole` long."""
    return progress and (
        lambda done, step=None: progress(min((start + done * size) / whole, 1.0), step)
    )
