"""Whose answers count: rules that are fixed before the first listener, and say their reason."""

from collections.abc import Sequence

REFERENCE_GRADE = 90.0  # of 100
BAD_SHARE = 0.15  # of the items
CATCH_SHARE = 0.8


def misses_reference(grades: Sequence[float]) -> str | None:
    """Why a listener of a MUSHRA test is excluded; None if not (ITU-R BS.1534-3, post-screening).

    `grades` are those of the hidden reference. More than 15 % of them below 90 exclude, but one
    alone never does, however few there are.
    """
    bad = sum(grade < REFERENCE_GRADE for grade in grades)
    if bad < 2 or bad <= BAD_SHARE * len(grades):
        return None
    return f"graded the hidden reference below 90 in {bad} of {len(grades)} items"


def misses_catches(caught: Sequence[bool]) -> str | None:
    """Why a listener of a forced choice is excluded; None if not.

    Fewer than 80 % of the catch trials right exclude, but one miss never does: everybody blinks.
    """
    missed = len(caught) - sum(caught)
    if missed < 2 or sum(caught) >= CATCH_SHARE * len(caught):
        return None
    return f"missed {missed} of {len(caught)} catch trials"
