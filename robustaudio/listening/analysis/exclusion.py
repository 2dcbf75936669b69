"""Whose answers count: rules that are fixed before the first listener, and say their reason."""

from collections.abc import Iterable, Sequence

from robustaudio.listening.analysis.by_paradigm import by_listener, differences, grouped, tested
from robustaudio.listening.analysis.statistics import ALPHA, p_value_of_mean
from robustaudio.listening.design.paradigm import Choice, ComparedRating, GradedRating, Paradigm
from robustaudio.listening.design.trial import Row

REFERENCE_GRADE = 90.0  # of 100


def excluded(rows: Sequence[Row]) -> dict[str, str]:
    """Listeners whose answers do not count, with the reason."""
    reasons = {}
    for listener, answers in by_listener(rows).items():
        for paradigm, asked in grouped(answers, lambda row: row.paradigm).items():
            if reason := reason_to_exclude(paradigm, asked):
                reasons[listener] = reason
    return reasons


def reason_to_exclude(paradigm: Paradigm, rows: Sequence[Row]) -> str | None:
    """Why a listener with these answers is excluded; None if not."""
    match paradigm:
        case Choice():
            return misses_catches([bool(row.correct) for row in rows if row.kind == "catch"])
        case GradedRating():
            graded = tested(rows)
            loudest = max((row.level_db for row in graded if row.level_db is not None), default=0)
            hidden = [row.answer for row in graded if row.level_db is None]
            anchor = [row.answer for row in graded if row.level_db == loudest]
            return misses_reference(hidden) or hears_no_anchor(anchor)
        case ComparedRating():
            # over 4 pages or more the mean difference has to be below 0 (ITU-R BS.1116-3, t test)
            grades = [row.answer for row in differences(rows)]
            p = p_value_of_mean([-grade for grade in grades], 0.0)
            if len(grades) < 4 or (p <= ALPHA if p is not None else grades[0] < 0):
                return None
            return f"graded the clean clip no better than the perturbed one in {len(grades)} pages"
    raise NotImplementedError(f"no rule for {type(paradigm).__name__}.")


def misses_reference(grades: Sequence[float]) -> str | None:
    """Whether too many grades of the hidden reference are below 90: more than 15 %, and not one.

    ITU-R BS.1534-3, post-screening.
    """
    bad = _too_many(grade < REFERENCE_GRADE for grade in grades)
    return bad and f"graded the hidden reference below 90 in {bad}"


def hears_no_anchor(grades: Sequence[float]) -> str | None:
    """As `misses_reference`, of grades above 90 of the anchor, which is the loudest level here."""
    bad = _too_many(grade > REFERENCE_GRADE for grade in grades)
    return bad and f"graded the loudest level above 90 in {bad}"


def misses_catches(caught: Sequence[bool]) -> str | None:
    """Whether fewer than 80 % of the catch trials are right; one miss is none: everybody blinks."""
    missed = len(caught) - sum(caught)
    if missed < 2 or sum(caught) >= 0.8 * len(caught):
        return None
    return f"missed {missed} of {len(caught)} catch trials"


def _too_many(wrong: Iterable[bool]) -> str | None:
    """How many of how many items, where more than 15 % are wrong, and not one alone."""
    items = list(wrong)
    bad = sum(items)
    return f"{bad} of {len(items)} items" if bad > max(1, 0.15 * len(items)) else None
