"""Rows of answers, made by hand and by simulated listeners."""

from robustaudio.listening import ABX, Impairment, Mushra, Quest, Staircase
from robustaudio.listening.design.forced_choice import TWO_INTERVALS
from robustaudio.listening.design.procedures import MATCH_TO_SAMPLE
from robustaudio.listening.design.trial import Condition, Row

A, B, C, D = (Condition(name, "white") for name in "abcd")
PROCEDURES = [
    ABX((A, B), levels_db=(-60.0, -30.0)),
    Quest((A, B), trials=15),
    Staircase((A,), alternatives=3),
    Mushra((A, B)),
    Impairment((A,)),
]
NAMES = ["abx", "quest", "staircase", "mushra", "impairment"]


def abx_rows(listener: str, correct: int, trials: int, condition: Condition = A) -> list[Row]:
    """A session whose first `correct` answers are right."""
    return [
        Row(listener, n, "test", MATCH_TO_SAMPLE, condition, -40.0, 0, n < correct)
        for n in range(trials)
    ]


def constant_rows(correct: bool, levels: list[float], listener: str = "l") -> list[Row]:
    """2AFC answers that are all right, or all wrong, at levels."""
    return [
        Row(listener, n, "test", TWO_INTERVALS, A, level, 0, correct)
        for n, level in enumerate(levels)
    ]
