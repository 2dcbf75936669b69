"""Number fields: what is empty or cannot be is named."""

import pytest

from robustaudio.ui.widgets.numbers import required


def test_an_empty_field_is_named_as_the_page_names_it():
    with pytest.raises(ValueError, match="level in dB is empty; a number would be right"):
        required(seed=0, level_db=None)


@pytest.mark.parametrize(
    "numbers, sentence",
    [
        ({"seed": -1e9}, "seed -1e+09 must be a whole number from 0 to 1e+15."),
        ({"seed": 0.5}, "seed 0.5 must be a whole number from 0 to 1e+15."),
        ({"sigma": 1e9}, "sigma 1e+09 must be a number from 0 to 1000."),
        ({"n0": 0}, "n0 0 must be a whole number from 1 to 100000."),
        ({"n0": 100, "n": 1_000_000_000}, "n 1e+09 must be a whole number from 1 to 100000."),
    ],
)
def test_what_a_field_cannot_hold_is_named_with_what_would_be_right(numbers, sentence):
    with pytest.raises(ValueError) as refused:
        required(**numbers)
    assert str(refused.value) == sentence
