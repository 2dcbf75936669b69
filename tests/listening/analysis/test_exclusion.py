"""Who is left out, and who is not: a rule that is broken once is not broken."""

import pytest

from robustaudio.listening.analysis.exclusion import (
    hears_no_anchor,
    misses_catches,
    misses_reference,
)


def test_more_than_15_percent_of_bad_references_exclude():
    """ITU-R BS.1534-3: 3 of 20 is 15 %, and stays; 4 of 20 does not."""
    assert misses_reference([89.0] * 3 + [100.0] * 17) is None
    assert misses_reference([89.0] * 4 + [100.0] * 16) == (
        "graded the hidden reference below 90 in 4 of 20 items"
    )
    assert misses_reference([90.0] * 10) is None


@pytest.mark.parametrize("items", [1, 3, 5, 10])
def test_one_bad_reference_excludes_nobody(items):
    assert misses_reference([0.0] + [100.0] * (items - 1)) is None
    assert misses_catches([False] + [True] * (items - 1)) is None
    assert hears_no_anchor([100.0] + [20.0] * (items - 1)) is None


def test_fewer_than_80_percent_of_catches_exclude():
    assert misses_catches([False] * 2 + [True] * 8) is None
    assert misses_catches([False] * 3 + [True] * 7) == "missed 3 of 10 catch trials"
    assert misses_catches([False] * 2 + [True] * 2) == "missed 2 of 4 catch trials"


def test_who_was_not_asked_is_not_excluded():
    assert misses_reference([]) is None and misses_catches([]) is None
