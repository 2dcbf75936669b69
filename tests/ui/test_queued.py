"""A run on its way: it waits without a thread, and leaves when nothing is computed any more."""

import threading
import time

import apart

from robustaudio.serving.limits import Limits, Visitor
from robustaudio.ui.long_runs import Shares
from robustaudio.ui.queued import Queued


def visitor(name: str) -> Visitor:
    """ "a1" is session 1 of the address a."""
    return Visitor(name, name[0])


def test_a_run_waits_without_a_thread_computes_in_one_and_leaves():
    shares, threads = Shares(Limits(), slots=1), []

    def steps():
        for number in range(3):
            threads.append(threading.current_thread().name)
            yield [number]

    async def visit() -> tuple[list, list]:
        first = Queued(shares, visitor("a1"), lambda: False)
        second = Queued(shares, visitor("b1"), lambda: False)
        assert await first.words() is None and first.began
        words = await second.words()
        assert words and "yours is next" in words and not second.began
        first.begin(steps())
        seen = []
        while step := await first.step():
            seen.append(step)
        first.end()
        while await second.words():
            pass
        began = second.began
        second.end()
        return seen, [began]

    assert apart.run(visit()) == ([[0], [1], [2]], [True])
    assert all(name.startswith("heavy-run") for name in threads)
    assert not shares._places


def test_a_place_is_kept_until_its_thread_has_ended():
    """Or else a visitor who cancels and starts again computes as often at a time as they like."""
    shares, go_on, closed = Shares(Limits(), slots=1), threading.Event(), threading.Event()

    def steps():
        try:
            yield [1]
            yield [2]
        finally:
            go_on.wait(5)  # a layer is bounded, a chunk is counted
            closed.set()

    async def visit() -> None:
        queued = Queued(shares, visitor("a1"), lambda: False)
        await queued.words()
        queued.begin(steps())
        assert await queued.step() == [1]
        queued.end()

    apart.run(visit())
    other = shares.join(visitor("b1"))
    assert not shares.granted(other)
    go_on.set()
    assert closed.wait(5)
    until = time.monotonic() + 5
    while not shares.granted(other) and time.monotonic() < until:
        time.sleep(0.01)
    assert shares.granted(other)


def test_a_run_that_nobody_wants_any_more_stops_waiting():
    shares, old = Shares(Limits(), slots=1), [False]
    shares.granted(shares.join(visitor("b1")))

    async def visit() -> None:
        queued = Queued(shares, visitor("a1"), lambda: old[0])
        assert await queued.words()
        old[0] = True
        assert await queued.words() is None and not queued.began
        queued.begin(iter([[1]]))  # type: ignore[arg-type]
        assert await queued.step() is None

    apart.run(visit())
