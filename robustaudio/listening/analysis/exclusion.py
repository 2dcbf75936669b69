"""Whose answers count: rules that are fixed before the first listener, and say their reason."""

from collections.abc import Iterable, Sequence
from functools import singledispatch

from robustaudio.listening.analysis.by_paradigm import by_listener, differences, grouped, tested
from robustaudio.listening.analysis.statistics import ALPHA, p_value_of_mean
from robustaudio.listening.design.paradigm import Choice, ComparedRating, GradedRating, Paradigm
from robustaudio.listening.design.trial import Row

REFERENCE_GRADE = 90.0  # of 100
BAD_SHARE = 0.15  # of the items
CATCH_SHARE = 0.8
FEWEST_PAGES = 4  # of impairments, to judge a listener by


def excluded(rows: Sequence[Row]) -> dict[str, str]:
    """Listeners whose answers do not count, with the reason."""
    reasons = {}
    for listener, answers in by_listener(rows).items():
        for paradigm, asked in grouped(answers, lambda row: row.paradigm).items():
            if reason := reason_to_exclude(paradigm, asked):
                reasons[listener] = reason
    return reasons


@singledispatch
def reason_to_exclude(paradigm: Paradigm, rows: Sequence[Row]) -> str | None:
    """Why a listener with these answers is excluded; None if not."""
    raise NotImplementedError(f"no rule for {type(paradigm).__name__}.")


@reason_to_exclude.register
def _(paradigm: Choice, rows: Sequence[Row]) -> str | None:
    del paradigm
    return misses_catches([bool(row.correct) for row in rows if row.kind == "catch"])


@reason_to_exclude.register
def _(paradigm: GradedRating, rows: Sequence[Row]) -> str | None:
    del paradigm
    graded = tested(rows)
    loudest = max((row.level_db for row in graded if row.level_db is not None), default=0)
    hidden = [row.answer for row in graded if row.level_db is None]
    anchor = [row.answer for row in graded if row.level_db == loudest]
    return misses_reference(hidden) or hears_no_anchor(anchor)


@reason_to_exclude.register
def _(paradigm: ComparedRating, rows: Sequence[Row]) -> str | None:
    del paradigm
    return tells_nothing_apart([row.answer for row in differences(rows)])


def misses_reference(grades: Sequence[float]) -> str | None:
    """Why a listener of a MUSHRA test is excluded; None if not (ITU-R BS.1534-3, post-screening).

    `grades` are those of the hidden reference. More than 15 % of them below 90 exclude, but one
    alone never does, however few there are.
    """
    bad = _too_many(grade < REFERENCE_GRADE for grade in grades)
    return bad and f"graded the hidden reference below 90 in {bad}"


def hears_no_anchor(grades: Sequence[float]) -> str | None:
    """Why a listener of a MUSHRA test is excluded; None if not (ITU-R BS.1534-3, post-screening).

    `grades` are those of the anchor, here the loudest level: more than 15 % above 90 exclude.
    """
    bad = _too_many(grade > REFERENCE_GRADE for grade in grades)
    return bad and f"graded the loudest level above 90 in {bad}"


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


def _too_many(wrong: Iterable[bool]) -> str | None:
    """How many of how many items, where more than 15 % are wrong, and not one alone."""
    items = list(wrong)
    bad = sum(items)
    if bad < 2 or bad <= BAD_SHARE * len(items):
        return None
    return f"{bad} of {len(items)} items"
