"""How long work tells of itself, and is told to end."""

from typing import Any, Protocol


class Enough(Exception):
    """Raised by a `Progress` to end work early: what it has found so far is its result."""


class Progress(Protocol):
    """Told the share done, 0 to 1, and by an attack its `Step`; may raise to cancel.

    `Enough` ends the work early instead.
    """

    def __call__(self, share: float, step: Any = None, /) -> None: ...


class Watched:
    """A `Progress` that remembers whether it has said `Enough`."""

    def __init__(self, progress: Progress | None):
        self._progress, self.ended = progress, False

    def __call__(self, share: float, step: Any = None, /) -> None:
        try:
            if self._progress:
                self._progress(share, step)
        except Enough:
            self.ended = True
            raise
