"""The d' of each paradigm: from tables, from R's psyphy, by simulation."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr

from robustaudio.listening.analysis.d_prime import d_prime, log_linear, proportion_at
from robustaudio.listening.design.forced_choice import THREE_INTERVALS, TWO_INTERVALS
from robustaudio.listening.design.procedures import MATCH_TO_SAMPLE
from robustaudio.listening.design.ratings import MUSHRA


def abx_independent(d_prime: float) -> float:
    """ABX by independent observations, of one pair that the listener knows by heart."""
    a, b = d_prime / 2**0.5, d_prime / 2
    return float(ndtr(a) * ndtr(b) + ndtr(-a) * ndtr(-b))


INDEPENDENT = replace(MATCH_TO_SAMPLE, proportion_correct=abx_independent)
CHOICES = [TWO_INTERVALS, THREE_INTERVALS, MATCH_TO_SAMPLE, INDEPENDENT]


@pytest.mark.parametrize(
    "paradigm, at_one, at_75, at_79",
    [
        (TWO_INTERVALS, 0.760, 0.95, 1.16),
        (THREE_INTERVALS, 0.634, 1.43, 1.62),
        (INDEPENDENT, 0.600, 1.79, 2.03),
        (MATCH_TO_SAMPLE, 0.582, 2.02, 2.31),
    ],
)
def test_d_prime_of_each_paradigm(paradigm, at_one, at_75, at_79):
    """Macmillan & Creelman 2005, tables A5.2 to A5.4; R's psyphy."""
    assert proportion_at(1, paradigm) == pytest.approx(at_one, abs=5e-4)
    assert d_prime(0.75, paradigm) == pytest.approx(at_75, abs=6e-3)
    assert d_prime(0.5 ** (1 / 3), paradigm) == pytest.approx(at_79, abs=6e-3)


@pytest.mark.parametrize(
    "paradigm, chance", [(TWO_INTERVALS, 1 / 2), (THREE_INTERVALS, 1 / 3), (MATCH_TO_SAMPLE, 1 / 2)]
)
def test_d_prime_is_zero_at_chance_and_below(paradigm, chance):
    assert proportion_at(0, paradigm) == pytest.approx(chance)
    assert d_prime(chance, paradigm) == 0 and d_prime(0.1, paradigm) == 0
    assert d_prime(1 - 1e-15, paradigm) > 8


@given(d=st.floats(0.05, 5), paradigm=st.sampled_from(CHOICES))
def test_d_prime_inverts_the_proportion(d, paradigm):
    assert d_prime(proportion_at(d, paradigm), paradigm) == pytest.approx(d, abs=1e-4)


def test_three_intervals_by_simulation():
    generator = np.random.default_rng(0)
    clean = generator.standard_normal((200_000, 2)).max(1)
    won = np.mean(generator.standard_normal(200_000) + 1.2 > clean)
    assert proportion_at(1.2, THREE_INTERVALS) == pytest.approx(won, abs=0.004)


def test_a_perfect_score_has_a_finite_d_prime():
    assert log_linear(16, 16) == pytest.approx(16.5 / 17)
    assert log_linear(0, 16) == pytest.approx(0.5 / 17)
    with pytest.raises(ValueError, match="proportion 1 must lie between 0 and 1; use log_linear"):
        d_prime(1, TWO_INTERVALS)
    with pytest.raises(ValueError, match="no d' for 'mushra'; choose from 2afc, 3afc, abx"):
        d_prime(0.7, MUSHRA)
