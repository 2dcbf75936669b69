"""Fair shares of the computing: who runs next, who waits and for how long, and who has gone.

Gradio's own queue is first come, first served over everybody. Here addresses take turns, then the
sessions of an address, and within a session the first one to come.
"""

import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from math import inf

from robustaudio.serving.limits import PRIVATE, Limits, Visitor
from robustaudio.serving.streams import Streams
from robustaudio.serving.turns import Served

HEAVY_RUNS = 2  # at a time; the others wait
MOST_WAITING = 100  # of all visitors together
GONE_S = 10.0  # without a stream to its page a run is dropped
YOUNG_S = 3.0  # a run goes before older ones of other addresses for so long
AGAIN_S = 0.5  # a forecast is made at most so often
WEIGHT = 0.3  # of the last run, in the moving average of all


# whether the run that computes has to give way; outside of a queue there is nobody else
GIVES_WAY: ContextVar[Callable[[], bool]] = ContextVar("gives_way", default=lambda: False)


@dataclass(eq=False)
class Place:
    """One heavy run, from the moment it is asked for; times are those of the clock of `Shares`."""

    visitor: Visitor
    over: Callable[[], bool]
    joined_at: float
    started_at: float | None = None

    @property
    def waits(self) -> bool:
        return self.started_at is None


class Shares:
    """Grants `slots` places at a time.

    An address holds at most `limits.running` of them. A run begins when its page listens, and is
    dropped when the page has not listened for `GONE_S`; without `streams` every page is there.
    """

    def __init__(
        self, limits: Limits = PRIVATE, slots: int = HEAVY_RUNS, streams: Streams | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):  # fmt: skip
        self.limits, self.slots, self.streams, self.clock = limits, slots, streams, clock
        self.usual_s: float | None = None  # that a run takes; None before the first has ended
        self._lock, self._served = threading.RLock(), Served()
        self._places: list[Place] = []  # in the order in which they joined
        self._forecast: tuple[float, dict[Place, tuple[int, float]]] = -inf, {}

    def join(self, visitor: Visitor, over: Callable[[], bool] = lambda: False) -> Place:
        """A place for one run; a place that is `over` is nobody's, and is dropped.

        Raises:
            ValueError: one sentence, if the visitor, the address or everybody waits too often.
        """
        with self._lock:
            self._grant()
            waiting = [place.visitor for place in self._waiting if not self.dropped(place)]
            address = [other for other in waiting if other.address == visitor.address]
            self._check(address.count(visitor), len(address), len(waiting))
            place = Place(visitor, over, self.clock())
            self._places.append(place)
            self._changed()
            return place

    def granted(self, place: Place) -> bool:
        """Whether the place may compute; from the first time on, until it is left."""
        with self._lock:
            self._grant()
            return not place.waits

    def ahead(self, place: Place) -> tuple[int, float | None]:
        """How many runs begin before this one, and the seconds until it does, if that is known."""
        with self._lock:
            made_at, forecast = self._forecast
            if place not in forecast or self.clock() - made_at >= AGAIN_S:
                self._forecast = self.clock(), self._order()
            before, wait_s = self._forecast[1].get(place, (0, 0.0))
            return before, None if self.usual_s is None else wait_s

    def dropped(self, place: Place) -> bool:
        """Whether nobody wants the run any more: it is over, or its page has gone."""
        return place.over() or self.gone(place)

    def gone(self, place: Place) -> bool:
        """Whether its page has not listened for too long."""
        if self.streams is None:
            return False
        gone_for_s = self.streams.gone_for_s(place.visitor.session)
        return min(gone_for_s, self.clock() - place.joined_at) > GONE_S

    def leave(self, place: Place) -> None:
        """The run has ended, or does not want to begin; a second time nothing happens."""
        with self._lock:
            if place not in self._places:
                return
            self._places.remove(place)
            self._changed()
            if place.started_at is not None:
                took_s = self.clock() - place.started_at
                usual_s = took_s if self.usual_s is None else self.usual_s
                self.usual_s = (1 - WEIGHT) * usual_s + WEIGHT * took_s

    def gives_way(self, place: Place) -> bool:
        """Whether a run that has computed for long lets another address's new one go first."""

        def age_s(run: Place) -> float:
            return now - (run.started_at or now)

        with self._lock:
            now = self.clock()
            others = [p for p in self._running if p.visitor.address != place.visitor.address]
            return age_s(place) > YOUNG_S and any(age_s(other) <= YOUNG_S for other in others)

    @property
    def _waiting(self) -> list[Place]:
        return [place for place in self._places if place.waits]

    @property
    def _wanted(self) -> list[Place]:
        """Those that wait, and whose page is there to see what comes of it."""
        waiting, streams = self._waiting, self.streams
        return [
            place for place in waiting
            if not place.over() and (streams is None or streams.open(place.visitor.session))
        ]  # fmt: skip

    @property
    def _running(self) -> list[Place]:
        return [place for place in self._places if not place.waits]

    def _check(self, session: int, address: int, everybody: int) -> None:
        limits = self.limits
        if session >= limits.waiting:
            raise ValueError(
                f"{session} of your runs wait for their turn already; wait for one, or cancel it."
            )
        if address >= limits.address_waiting:
            raise ValueError(
                f"{address} runs from your network address wait for their turn already; "
                "try again in a minute."
            )
        if everybody >= MOST_WAITING:
            raise ValueError(f"{everybody} runs wait for their turn; try again in a minute.")

    def _grant(self) -> None:
        """Places begin, as long as there are slots."""
        while len(self._running) < self.slots:
            running = [place.visitor.address for place in self._running]
            if (place := self._next(self._wanted, running, self._served)) is None:
                return
            place.started_at = self.clock()
            self._served.note(*place.visitor.keys)
            self._changed()

    def _next(self, waiting: list[Place], running: list[str], served: Served) -> Place | None:
        """Whose turn is longest ago, or never was, if the address may have one more."""
        able = [p for p in waiting if running.count(p.visitor.address) < self.limits.running]
        return min(able, key=lambda p: [*map(served.last, p.visitor.keys)], default=None)

    def _order(self) -> dict[Place, tuple[int, float]]:
        """The waiting ones in their order, played through with runs of the usual length."""
        usual_s, now, served = self.usual_s or 1.0, self.clock(), self._served.copy()
        ends = [
            (max(usual_s - (now - (run.started_at or now)), 0.0), run.visitor.address)
            for run in self._running
        ]
        heapify(ends)
        waiting, order, at_s = self._wanted, {}, 0.0
        while waiting:
            place = None
            if len(ends) < self.slots:
                place = self._next(waiting, [address for _, address in ends], served)
            if place:
                order[place] = len(order), at_s
                waiting.remove(place)
                served.note(*place.visitor.keys)
                heappush(ends, (at_s + usual_s, place.visitor.address))
            else:
                at_s = heappop(ends)[0]
        return order

    def _changed(self) -> None:
        self._forecast = -inf, {}
