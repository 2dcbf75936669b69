"""Turns: as many at a time as there are slots, one per address, the longest unserved first."""

import threading
import time

import pytest

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


def held_by(turns: Turns, askers: list[str]) -> tuple[list[str], int]:
    """Whose turn it was, one after the other; the most that held a place together."""
    order, most, running, lock = [], 0, 0, threading.Lock()

    def hold(asker: str) -> None:
        nonlocal most, running
        ASKER.set(asker)
        with turns.turn():
            with lock:
                order.append(asker)
                running += 1
                most = max(most, running)
            time.sleep(0.05)
            with lock:
                running -= 1

    threads = [threading.Thread(target=hold, args=(asker,)) for asker in askers]
    for thread in threads:
        thread.start()
        time.sleep(0.002)
    for thread in threads:
        thread.join()
    return order, most


def test_a_lock_takes_turns_and_one_asker_holds_one_place():
    assert held_by(Turns(1), ["a", "a", "a", "b", "c", "b"])[0] == ["a", "b", "c", "a", "b", "a"]
    assert held_by(Turns(2), ["a"] * 5)[1] == 1
    assert held_by(Turns(2), ["a"] * 4 + ["b"] * 4)[1] == 2
    assert held_by(Turns(2), [""] * 5)[1] == 2  # nobody shares a private machine


def test_a_lock_is_free_again_after_a_failure():
    turns = Turns(1)
    for _ in range(2):
        with pytest.raises(ValueError), turns.turn():
            raise ValueError


def test_only_the_last_turns_are_remembered():
    served = Served()
    for number in range(REMEMBERED + 1):
        served.note(number)
    assert served.last(0) == -1 and served.last(1) == 1 and served.last(REMEMBERED) == REMEMBERED
