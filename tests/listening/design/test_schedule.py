"""Draws: fair, balanced, each from its own numbers."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from robustaudio.listening.design import schedule

SEEDS = st.integers(0, 2**32)


@given(SEEDS, st.integers(0, 50), st.sampled_from([2, 3]))
def test_the_right_answer_is_balanced_in_every_block(seed, block, alternatives):
    size = 2 * alternatives
    numbers = range(size * block, size * (block + 1))
    rights = Counter(schedule.balanced(seed, 0, number, alternatives) for number in numbers)
    assert rights == dict.fromkeys(range(alternatives), 2)


@given(SEEDS, st.integers(0, 50), st.integers(2, 12))
def test_a_block_has_one_catch_trial(seed, block, every):
    catches = [schedule.is_catch(seed, every * block + place, every) for place in range(every)]
    assert catches.count(True) == 1
    assert not schedule.is_catch(seed, block, 0)


@given(SEEDS)
def test_what_was_asked_least_comes_next_and_shuffling_loses_nothing(seed):
    assert schedule.least_asked(seed, 0, {"a": 2, "b": 1, "c": 3}) == "b"
    assert sorted(schedule.shuffled(seed, "items", 0, [1, 2, 3])) == [1, 2, 3]
