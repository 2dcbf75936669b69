"""What the rows of one paradigm say, condition by condition: of each listener, and of the group."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from robustaudio.listening.analysis.d_prime import d_prime, log_linear
from robustaudio.listening.analysis.statistics import (
    ALPHA,
    Score,
    mean_interval,
    p_value_of_mean,
    score,
    score_of_group,
)
from robustaudio.listening.analysis.thresholds import (
    Threshold,
    criteria,
    faint_db,
    mean_threshold,
    threshold,
)
from robustaudio.listening.design.trial import CHOICES
from robustaudio.listening.psychometric import Posterior, fit

Row = dict[str, Any]
Record = dict[str, Any]
CURVE_POINTS = 25


def grouped(rows: Sequence[Row], *columns: str) -> dict[Any, list[Row]]:
    """Rows by the values of columns, in the order they came; a tuple of several columns."""
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        key = tuple(row[column] for column in columns)
        groups.setdefault(key if len(columns) > 1 else key[0], []).append(row)
    return groups


def abx_results(rows: Sequence[Row]) -> list[Record]:
    """Scores at each level: proportion correct, p, d', one-sided bounds, 95 % sure all together."""
    asked = grouped(tested(rows), "condition", "level_db")
    confidence, results = 1 - ALPHA / max(1, len(asked)), []
    for (condition, level_db), mine in asked.items():
        counts = {
            listener: (sum(row["correct"] for row in of_one), len(of_one))
            for listener, of_one in grouped(mine, "listener").items()
        }
        listeners = {
            name: abx_record(score(*count, confidence=confidence)) for name, count in counts.items()
        }
        group = abx_record(score_of_group(list(counts.values()), confidence=confidence))
        results.append(
            {"paradigm": "abx", "condition": condition, "level_db": level_db}
            | {"listeners": listeners, "group": group | {"listeners": len(listeners)}}
        )
    return results


def abx_record(found: Score) -> Record:
    return asdict(found) | {"d_prime": d_prime(log_linear(found.correct, found.trials), "abx")}


def threshold_results(rows: Sequence[Row]) -> list[Record]:
    """Thresholds in dB of each condition; catch trials count, for their level is known too."""
    paradigm, results = rows[0]["paradigm"], []
    for condition, mine in grouped(rows, "condition").items():
        played = [row["level_db"] for row in mine]
        levels = np.linspace(min(played), max(played), CURVE_POINTS).tolist()
        listeners = {
            name: listener_record(of_one, paradigm, levels)
            for name, of_one in grouped(mine, "listener").items()
            if any(row["kind"] == "test" for row in of_one)
        }
        if listeners:
            group = group_record(list(listeners.values()), mine, paradigm, levels)
            found = {"paradigm": paradigm, "condition": condition}
            results.append(found | {"listeners": listeners, "group": group})
    return results


def listener_record(rows: Sequence[Row], paradigm: str, levels_db: list[float]) -> Record:
    levels, correct = [row["level_db"] for row in rows], [row["correct"] for row in rows]
    posterior = fit(levels, correct, 1 / CHOICES[paradigm])
    thresholds = {
        name: asdict(threshold(posterior, proportion, levels))
        for name, proportion in criteria(paradigm).items()
    }
    return {
        "trials": sum(row["kind"] == "test" for row in rows),
        "thresholds": thresholds,
        "faint_db": faint_db(posterior, paradigm, levels),
        **posterior.mean(),
        "points": points(rows),
        "curve": curve(posterior, levels_db),
    }


def standing(result: Record) -> Record:
    """Whose threshold a result reports: of a single listener their own, which has an interval."""
    listeners = [*result["listeners"].values()]
    return listeners[0] if len(listeners) == 1 else result["group"]


def curve(posterior: Posterior, levels_db: list[float]) -> list[Record]:
    """The psychometric function: its mean, and its 95 % interval point by point."""
    found = zip(levels_db, posterior.curve(levels_db), strict=True)
    return [
        {"level_db": level, "correct": at.estimate, "lower": at.lower, "upper": at.upper}
        for level, at in found
    ]


def group_record(
    listeners: Sequence[Record], rows: Sequence[Row], paradigm: str, levels_db: list[float]
) -> Record:
    """Means over listeners, in dB, and of their curves; the points pool the trials, to be drawn."""
    thresholds = {
        name: mean_threshold([Threshold(**one["thresholds"][name]) for one in listeners])
        for name in criteria(paradigm)
    }
    means = [
        mean_interval([one["curve"][n]["correct"] for one in listeners])
        for n in range(len(levels_db))
    ]
    return {
        "listeners": len(listeners),
        "thresholds": {name: one and asdict(one) for name, one in thresholds.items()},
        "points": points(rows),
        "curve": [
            {"level_db": level, "correct": at.mean, "lower": at.lower, "upper": at.upper}
            for level, at in zip(levels_db, means, strict=True)
        ],
    }


def points(rows: Sequence[Row]) -> list[Record]:
    """How many of how many were right at each level played."""
    return [
        {"level_db": level, "correct": sum(r["correct"] for r in at), "trials": len(at)}
        for level, at in sorted(grouped(rows, "level_db").items())
    ]


def mushra_results(rows: Sequence[Row]) -> list[Record]:
    """Mean grades of each item; the hidden reference has no level."""
    return [
        {"paradigm": "mushra", "condition": condition, "level_db": level}
        | graded({name: answers(of_one) for name, of_one in grouped(mine, "listener").items()})
        for (condition, level), mine in grouped(tested(rows), "condition", "level_db").items()
    ]


def differences(rows: Sequence[Row]) -> list[Row]:
    """Of each page of impairments: the impaired item's grade less the hidden reference's."""
    found = []
    for page in grouped(tested(rows), "listener", "trial").values():
        grades = {row["level_db"]: row["answer"] for row in page}
        (level,) = grades.keys() - {None}
        found.append({**page[0], "level_db": level, "answer": grades[level] - grades[None]})
    return found


def impairment_results(rows: Sequence[Row]) -> list[Record]:
    """Differences of grades (ITU-R BS.1116-3): 0 is no difference.

    p is that of the mean over listeners being below 0.
    """
    results = []
    for (condition, level), mine in grouped(differences(rows), "condition", "level_db").items():
        found = graded({n: answers(of_one) for n, of_one in grouped(mine, "listener").items()})
        worse = [-one["mean"] for one in found["listeners"].values()]
        found["group"]["p"] = p_value_of_mean(worse, 0)
        results.append(
            {"paradigm": "impairment", "condition": condition, "level_db": level} | found
        )
    return results


def graded(grades: dict[str, list[float]]) -> Record:
    """Mean grade of each listener, and over listeners with its t interval."""
    means = {name: float(np.mean(mine)) for name, mine in grades.items()}
    group = asdict(mean_interval(list(means.values())))
    return {"listeners": {name: {"mean": mean} for name, mean in means.items()}, "group": group}


def tested(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row["kind"] == "test"]


def answers(rows: Sequence[Row]) -> list[Any]:
    return [row["answer"] for row in rows]


RESULTS: dict[str, Callable[[Sequence[Row]], list[Record]]] = {
    "abx": abx_results,
    "2afc": threshold_results,
    "3afc": threshold_results,
    "mushra": mushra_results,
    "impairment": impairment_results,
}
