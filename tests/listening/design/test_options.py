"""Options that every procedure has: numbers of trials, levels, conditions."""

import numpy as np
import pytest
from listening.design.sessions import TWO

from robustaudio.listening.design.procedures import ABX, Quest


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Quest(TWO, trials=0), "trials 0 must be a whole number of at least 1"),
        (lambda: Quest(TWO, trials=1.5), "trials 1.5 must be a whole number"),  # type: ignore[arg-type]
        (lambda: Quest(TWO, min_db=-np.inf), "min_db -inf must be"),
        (lambda: Quest(()), "must be one or more, each named once"),
        (lambda: ABX((TWO[0], TWO[0])), "each named once"),
        (lambda: ABX(TWO, levels_db=()), r"levels_db \(\) must be one or more levels"),
        (lambda: ABX(TWO, levels_db=(np.nan,)), "levels_db"),
        (lambda: ABX(TWO, practice=-1), "practice -1 must be a whole number of at least 0"),
        (lambda: ABX(TWO, audible_db=np.nan), "audible_db nan must be a level"),
    ],
)
def test_impossible_options_are_refused_by_name(make, message):
    with pytest.raises(ValueError, match=message):
        make()
