"""Whose answers count: rules that are fixed before the first listener, and say their reason."""

from collections.abc import Sequence

from robustaudio.listening.statistics import ALPHA, p_value_of_mean

REFERENCE_GRADE = 90.0  # of 100
BAD_SHARE = 0.15  # of the items
CATCH_SHARE = 0.8
FEWEST_PAGES = 4  # of impairments, to judge a listener by


def misses_reference(grades: Sequence[float]) -> str | None:
    """Why a listener of a MUSHRA test is excluded; None if not (ITU-R BS.1534-3, post-screening).

    `grades` are those of the hidden reference. More than 15 % of them below 90 exclude, but one
    alone never does, however few there are.
    """
    bad = sum(grade < REFERENCE_GRADE for grade in grades)
    if bad < 2 or bad <= BAD_SHARE * len(grades):
        return None
    return f"graded the hidden reference below 90 in {bad} of {len(grades)} items"


def hears_no_anchor(grades: Sequence[float]) -> str | None:
    """Why a listener of a MUSHRA test is excluded; None if not (ITU-R BS.1534-3, post-screening).

    `grades` are those of the anchor, here the loudest level: more than 15 % above 90 exclude.
    """
    bad = sum(grade > REFERENCE_GRADE for grade in grades)
    if bad < 2 or bad <= BAD_SHARE * len(grades):
        return None
    return f"graded the loudest level above 90 in {bad} of {len(grades)} items"


def tells_nothing_apart(differences: Sequence[float]) -> str | None:
    """Why a listener of an impairment test is excluded; None if not (ITU-R BS.1116-3).

    `differences` are those of the impaired items' grades from the hidden reference's, all pages:
    their mean has to lie below 0 (one-sided t test, 5 %).
    """
    p = p_value_of_mean([-difference for difference in differences], 0.0)
    if len(differences) < FEWEST_PAGES or (p <= ALPHA if p is not None else differences[0] < 0):
        return None
    return f"graded the clean clip no better than the perturbed one in {len(differences)} pages"


def misses_catches(caught: Sequence[bool]) -> str | None:
    """Why a listener of a forced choice is excluded; None if not.

    Fewer than 80 % of the catch trials right exclude, but one miss never does: everybody blinks.
    """
    missed = len(caught) - sum(caught)
    if missed < 2 or sum(caught) >= CATCH_SHARE * len(caught):
        return None
    return f"missed {missed} of {len(caught)} catch trials"
