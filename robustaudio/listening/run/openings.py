"""Which visitor has opened which test: in memory only, and forgotten when the test is over."""

import time
from collections.abc import Callable, Collection, Iterable
from math import inf

from robustaudio.serving.limits import NOBODY, Limits, Visitor


class Openings:
    """Openings by token. Whoever owns the machine may open as many as they like."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits, self._clock = limits, clock
        self._openings: dict[str, tuple[Visitor, float]] = {}  # with the time of opening

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
        visitors = [other for other, _ in self._openings.values()]
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
        self._openings[token] = visitor, self._clock()

    def old(self) -> list[str]:
        """What visitors have opened longer ago than a test may stay unused."""
        ends = self._clock() - self.limits.unused_hours * 3_600
        openings = [*self._openings.items()]
        return [token for token, (who, at) in openings if who != NOBODY and at <= ends]

    def oldest_first(self, tokens: Iterable[str]) -> list[str]:
        """What visitors may have opened; what nobody here remembers comes last.

        It is from before the start, or another server's, and may be new there.
        """
        openings = {token: self._openings.get(token, (None, inf)) for token in tokens}
        visitors = [token for token, (visitor, _) in openings.items() if visitor != NOBODY]
        return sorted(visitors, key=lambda token: openings[token][1])
