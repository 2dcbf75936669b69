"""The time of day, where it can be believed: what is deleted by a wrong clock does not come back.

A second clock only counts seconds; nobody sets it. While both agree, the time of day is as good as
it was before. At the beginning it is compared with the newest thing that is known instead.
"""

import time
from collections.abc import Callable

STEP_S = 30.0  # a difference between the clocks that is no step
WAIT_S = 50.0  # after a step, the clocks have to agree for so long
SURE_S = 600.0  # and for so long, where the time is far from what was to be expected
FAR_S = 2 * 86_400.0
VERY_SURE_S = 86_400.0  # and for so long, where it is very far
VERY_FAR_S = 60 * 86_400.0
BEHIND_S = 2 * 3_600.0  # events are dated to the hour


def steady() -> float:
    """Seconds since some moment; on Linux they go on while the computer sleeps."""
    boot_time = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot_time is None else time.clock_gettime(boot_time)


class Clocks:
    """Two clocks, in seconds; `wall` since 1970, `steady` since some moment."""

    def __init__(
        self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = steady
    ) -> None:
        self.wall, self.steady = wall, steady
        self._last = wall(), steady()
        self._agree_since = self._last[1]
        self._stepped = False
        self._believed: tuple[float, float] | None = None

    def now(self) -> float:
        """The time of day; where the clocks differ since it was believed, the earlier of both."""
        return min(self.wall(), self._expected() or self.wall())

    def believed(self, newest: Callable[[], float | None]) -> float | None:
        """The time of day if it can be believed, else None.

        Once believed, it stays so while both clocks agree. Otherwise, after a step, they have to
        agree for `WAIT_S`; for `SURE_S` if the time differs from the one expected, or is far from
        `newest`, when the newest known event was; and for `VERY_SURE_S` if it is very far.
        """
        wall, steady = self.wall(), self.steady()
        if abs((wall - self._last[0]) - (steady - self._last[1])) > STEP_S:
            self._agree_since, self._stepped = steady, True
        self._last = wall, steady
        if steady - self._agree_since < self._needed(wall, newest):
            return None
        self._believed = wall, steady
        return wall

    def believe(self) -> None:
        """Takes the time of day as right, because somebody says so."""
        self._believed = self.wall(), self.steady()

    def _needed(self, wall: float, newest: Callable[[], float | None]) -> float:
        """Seconds for which the clocks have to agree before the time is believed."""
        expected = self._expected()
        if expected is not None:
            difference = abs(wall - expected)
            return _patience(difference) if difference > STEP_S else 0.0
        known = newest()
        if known is None:
            return SURE_S
        if not known - BEHIND_S <= wall <= known + FAR_S:
            return _patience(abs(wall - known))
        return WAIT_S if self._stepped else 0.0

    def _expected(self) -> float | None:
        """The time of day by the steady clock, since it was last believed."""
        if self._believed is None:
            return None
        wall, steady = self._believed
        return wall + self.steady() - steady


def _patience(difference_s: float) -> float:
    """Seconds for which a time has to stand that is so far from what was to be expected."""
    return VERY_SURE_S if difference_s > VERY_FAR_S else SURE_S
