"""Turns of a visit: a run of an older one is over."""

from robustaudio.ui.visit import Turns


def test_a_run_of_an_older_turn_is_over():
    turns = Turns()
    assert not turns.over(0) and not turns.over(2)
    assert turns.over(1) and turns.over(0)  # also one that waited in the queue meanwhile
    assert not turns.over(2)


def test_a_search_can_be_halted_while_it_runs_and_only_then():
    turns = Turns()
    assert turns.halt is None
    with turns.search() as old:
        with turns.search() as new:  # of another clip, before the old one has noticed
            assert turns.halt is new is not old
        assert turns.halt is None
    with turns.search() as new:
        with turns.search():
            pass
        assert turns.halt is None and not new.asked
