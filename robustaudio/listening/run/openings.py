"""Which visitor has opened which test: in memory only, and forgotten when the test is over."""

import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from math import inf

from robustaudio.serving.limits import NOBODY, Limits, Visitor


@dataclass(frozen=True)
class Opening:
    visitor: Visitor
    since: float


class Openings:
    """Openings by token. Whoever owns the machine may open as many as they like."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits, self._clock = limits, clock
        self._openings: dict[str, Opening] = {}

    @property
    def shared(self) -> bool:
        """Whether others open tests here, too."""
        return min(self.limits.studies, self.limits.address_studies) < inf

    def check(self, visitor: Visitor, still_open: Collection[str]) -> None:
        """Whether a visitor may open one more, beside those that are still open.

        Raises:
            ValueError: if not.
        """
        for token in {*self._openings}.difference(still_open):
            del self._openings[token]
        if visitor == NOBODY:
            return
        visitors = [opening.visitor for opening in self._openings.values()]
        open_here = visitors.count(visitor)
        near = sum(other.address == visitor.address for other in visitors)
        if open_here >= self.limits.studies:
            raise ValueError(
                f"you have {open_here} listening tests open, which is the most; end one on its "
                "teacher's page first."
            )
        if near >= self.limits.address_studies:
            raise ValueError(
                f"{near} listening tests are open from your network address, which is the most; "
                "one has to end first."
            )

    def note(self, token: str, visitor: Visitor) -> None:
        self._openings[token] = Opening(visitor, self._clock())

    def old(self) -> list[str]:
        """What visitors have opened longer ago than a test may stay unused."""
        ends = self._clock() - self.limits.unused_hours * 3_600
        return [
            token
            for token, opening in [*self._openings.items()]
            if opening.visitor != NOBODY and opening.since <= ends
        ]

    def oldest_first(self, tokens: Iterable[str]) -> list[str]:
        """What visitors may have opened; what nobody here remembers comes last.

        It is from before the start, or another server's, and may be new there.
        """
        openings = self._openings
        tokens = [t for t in tokens if t not in openings or openings[t].visitor != NOBODY]
        return sorted(tokens, key=lambda t: openings[t].since if t in openings else inf)
