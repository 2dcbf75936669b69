"""Turns: as many at a time as there are slots, one per address, the longest unserved first."""

import threading

from robustaudio.serving.turns import ASKER, REMEMBERED, Served, Turns


def test_the_last_turn_of_an_address_counts_and_old_ones_are_forgotten():
    served = Served()
    served.note("a", "session")
    served.note("b")
    assert served.last("a") == served.last("session") < served.last("b")
    assert served.last("c") == -1
    served.note(*range(REMEMBERED))
    assert served.last("a") == -1 and served.last(0) > -1


def order_of(turns: Turns, askers: list[str]) -> list[str]:
    """In which order those who wait in this order get their turns, once the only slot is free."""
    begun, threads = [], []

    def ask(asker: str) -> None:
        ASKER.set(asker)
        with turns.turn():
            begun.append(asker)

    with turns.turn():
        for count, asker in enumerate(askers, 1):
            threads.append(threading.Thread(target=ask, args=(asker,)))
            threads[-1].start()
            while len(turns._waiting) < count:
                pass
    for thread in threads:
        thread.join(10)
    return begun


def test_whoever_was_served_longest_ago_is_next():
    assert order_of(Turns(1), ["a", "a", "a", "b"]) == ["a", "b", "a", "a"]


def test_an_address_holds_one_of_two_slots_and_a_private_machine_all():
    turns, inside, done = Turns(2), threading.Semaphore(0), threading.Event()

    def ask(asker: str) -> None:
        ASKER.set(asker)
        with turns.turn():
            inside.release()
            done.wait(10)

    threads = [threading.Thread(target=ask, args=(asker,)) for asker in ("a", "a", "b")]
    for thread in threads:
        thread.start()
    assert inside.acquire(timeout=10) and inside.acquire(timeout=10)
    assert sorted(turns._running.values()) == ["a", "b"]
    done.set()
    for thread in threads:
        thread.join(10)
    with turns.turn(), turns.turn():
        assert len(turns._running) == 2
