"""A study's rows in, what may be concluded out: plain values that JSON takes as they are."""

from collections.abc import Sequence
from math import inf

from robustaudio.listening.analysis.by_paradigm import (
    RESULTS,
    Record,
    Row,
    differences,
    grouped,
    tested,
)
from robustaudio.listening.analysis.exclusion import (
    hears_no_anchor,
    misses_catches,
    misses_reference,
    tells_nothing_apart,
)
from robustaudio.listening.analysis.statistics import ALPHA, holm
from robustaudio.listening.design.procedures import INAUDIBLE_BELOW

CHANCE = 0.5  # in ABX
COLUMNS = ("listener", "kind", "paradigm", "condition", "trial", "level_db", "answer", "correct")


def analyse(rows: Sequence[Row], inaudible_below: float = INAUDIBLE_BELOW) -> Record:
    """The rows of `to_rows`, each with its `listener`, as one record.

    Listeners are screened first, and who is left out is named with the reason. Then there is one
    result per paradigm and condition, per level too where levels are fixed: what each listener
    heard, and the group. "Inaudible" claims that the true proportion correct lies below
    `inaudible_below`, which a study chooses beforehand, and is said only where that is shown.

    Raises:
        ValueError: for a row that lacks a column.
    """
    for row in rows:
        if missing := [name for name in COLUMNS if name not in row]:
            raise ValueError(f"a row lacks {', '.join(missing)}; it has {', '.join(row)}.")
    arrived = sorted(rows, key=lambda row: str(row["listener"]))  # whoever answered first
    counted = [row for row in arrived if row["kind"] != "practice"]
    excluded = screen(counted)
    kept = [row for row in counted if row["listener"] not in excluded]
    results = []
    for paradigm, of_paradigm in grouped(kept, "paradigm").items():
        results += RESULTS[paradigm](of_paradigm)
    results.sort(key=_place)
    adjust(results)
    for result in results:
        if result["paradigm"] == "abx":
            for one in result["listeners"].values():
                one |= verdict(one["p_holm"], one["upper"], inaudible_below)
            result["group"] |= of_group(result, inaudible_below)
    return {
        "listeners": len(grouped(counted, "listener")),
        "excluded": excluded,
        "inaudible_below": inaudible_below,
        "results": results,
    }


def _place(result: Record) -> tuple[str, str, float]:
    """Of conditions by name; each one's hidden reference comes first, then its levels."""
    level_db = result.get("level_db")
    return result["paradigm"], result["condition"], -inf if level_db is None else level_db


def screen(rows: Sequence[Row]) -> dict[str, str]:
    """Listeners whose answers do not count, with the reason (see `screening`)."""
    excluded = {}
    for listener, mine in grouped(rows, "listener").items():
        caught = [bool(row["correct"]) for row in mine if row["kind"] == "catch"]
        graded = tested([row for row in mine if row["paradigm"] == "mushra"])
        hidden = [row["answer"] for row in graded if row["level_db"] is None]
        loudest = max((row["level_db"] for row in graded if row["level_db"] is not None), default=0)
        anchor = [row["answer"] for row in graded if row["level_db"] == loudest]
        apart = differences([row for row in mine if row["paradigm"] == "impairment"])
        reason = (
            misses_catches(caught)
            or misses_reference(hidden)
            or hears_no_anchor(anchor)
            or tells_nothing_apart([row["answer"] for row in apart])
        )
        if reason:
            excluded[listener] = reason
    return excluded


def adjust(results: Sequence[Record]) -> None:
    """Adds `p_holm`: of a listener over all that they were asked, of the group over all results."""
    names = {name for result in results for name in result["listeners"]}
    families = [[result["listeners"].get(name, {}) for result in results] for name in names]
    for family in [*families, [result["group"] for result in results]]:
        p_values = {n: one["p"] for n, one in enumerate(family) if one.get("p") is not None}
        for n, p in holm(p_values).items():
            family[n]["p_holm"] = p


def of_group(result: Record, inaudible_below: float) -> dict[str, str]:
    """What may be said of the group: nothing is inaudible that one of its listeners hears."""
    group, listeners = result["group"], result["listeners"]
    adjusted = holm({name: one["p_holm"] for name, one in listeners.items()})
    heard_by = sum(p <= ALPHA for p in adjusted.values())
    found = verdict(group["p_holm"], group["upper"], inaudible_below)
    if found["verdict"] == "heard" or not heard_by:
        return found
    some = f"Heard by {heard_by} of {len(listeners)} listeners, but not shown for them on average."
    return {"verdict": "heard by some", "statement": some}


def verdict(p: float, upper: float, inaudible_below: float) -> dict[str, str]:
    """What may be said of a score: p is the adjusted one, `upper` its one-sided bound.

    Not heard is not inaudible: that is a claim of equivalence, and needs its own evidence.
    """
    at_most = f"at most {100 * upper:.0f} % right with 95 % confidence"
    if p <= ALPHA:
        return {"verdict": "heard", "statement": f"Heard ({_adjusted(p)})."}
    if upper < CHANCE:
        statement = f"Right less often than by guessing ({at_most}): were answers swapped?"
        return {"verdict": "below chance", "statement": statement}
    if upper < inaudible_below:
        stated = f"less than the {100 * inaudible_below:.0f} % that the study set"
        return {"verdict": "inaudible", "statement": f"Inaudible: {at_most}, {stated}."}
    heard = f"not shown to be heard ({_adjusted(p)})"
    statement = f"Undecided: {heard}, nor to be inaudible: {at_most}."
    return {"verdict": "undecided", "statement": statement}


def _adjusted(p: float) -> str:
    return f"adjusted p = {p:.2g}" if p >= 0.001 else "adjusted p < 0.001"
