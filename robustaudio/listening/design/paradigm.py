"""Paradigms: what a trial asks and what its answers are good for, each as a value that says so.

A value stands beside the procedure that asks by it (`procedures`, `ratings`). Everything else reads
it: the page its buttons, the store which answers there are, the analysis by its class how answers
are weighed. Formulas of d': Macmillan & Creelman 2005, chapters 7, 9 and 10.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy.special import ndtr

from robustaudio.columns import FLAG, Column, needed, number, whole
from robustaudio.listening.design.options import LEVELS_DB

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(80)  # of integrals over a standard normal
LEVEL = number(*LEVELS_DB)

Answer = int | tuple[float, ...]  # the number of a choice from 0, or a grade per interval
Intervals = tuple[float | None, ...]  # what each plays: a level in dB, or None for the clean clip


class Axis(NamedTuple):
    """The axis on which mean grades are drawn: its ends, the step of its ticks, its title."""

    low: int
    high: int
    step: int
    title: str


@dataclass(frozen=True, kw_only=True)
class Paradigm(ABC):
    """What every paradigm declares.

    `question` stands over each trial unless the study has its own; `question_of_noise` takes its
    place where every change is noise. `seconds` is how long a trial takes about, of ratings an
    item. The columns are those of an exported row whose values depend on the paradigm.
    """

    name: str
    question: str
    question_of_noise: str | None = None
    seconds: float

    unit: ClassVar[str]  # what the page calls a trial

    @property
    @abstractmethod
    def columns(self) -> Mapping[str, Column]: ...

    @abstractmethod
    def check(self, answer: object, intervals: Intervals) -> None:
        """
        Raises:
            ValueError: for an answer that a trial of these intervals does not offer.
        """

    def played(self, intervals: Intervals) -> Intervals:
        """What the buttons of a trial play, an open reference included."""
        return intervals

    @abstractmethod
    def shown(self, intervals: Intervals) -> dict[str, Any]:
        """What the page needs to ask: plain JSON, and nothing of the key."""


@dataclass(frozen=True, kw_only=True)
class Choice(Paradigm):
    """One of `choices` answers is right.

    `places` are the names of the buttons that play. Where there is one more than choices, it is a
    sample that equals one of the others, and the answer says which; else the answer is a place.
    `proportion_correct` is that of an unbiased listener, by d'.
    """

    choices: int
    places: tuple[str, ...]
    proportion_correct: Callable[[float], float]

    unit = "question"

    @property
    def guess_rate(self) -> float:
        return 1 / self.choices

    @property
    def has_sample(self) -> bool:
        return len(self.places) > self.choices

    @property
    def columns(self) -> Mapping[str, Column]:
        answer = needed(whole(0, self.choices - 1))
        return {"level_db": needed(LEVEL), "answer": answer, "correct": needed(FLAG)}

    def check(self, answer: object, intervals: Intervals) -> None:
        last = self.choices - 1
        if type(answer) is not int or not 0 <= answer <= last:
            raise ValueError(f"answer {answer!r} must be a whole number from 0 to {last}.")

    def intervals(self, level_db: float | None, right: int) -> Intervals:
        """A trial's intervals: the perturbed one is `right`, or it is the last before a sample."""
        odd = self.choices - 1 if self.has_sample else right
        choices = tuple(level_db if place == odd else None for place in range(self.choices))
        return (*choices, choices[right]) if self.has_sample else choices

    def shown(self, intervals: Intervals) -> dict[str, Any]:
        """`answers` are empty where the place that is selected is the answer."""
        *places, last = self.places
        answers = [f"{last} is {place}" for place in places] if self.has_sample else []
        kind = {"paradigm": self.name, "choices": self.choices, "scale": None}
        return kind | {"places": [*self.places], "answers": answers}


class ScoredChoice(Choice):
    """A choice at fixed levels: the analysis tests the number of right answers at each."""


class TrackedChoice(Choice):
    """A choice whose level follows the answers: the analysis finds thresholds."""


@dataclass(frozen=True, kw_only=True)
class Rating(Paradigm):
    """A grade for each item, a hidden reference among them, beside the open reference.

    `words` say from which grade on each holds, the worst first; `step` is that of the slider.
    `summary` is the result in words, before its picture.
    """

    scale: tuple[float, float]
    step: float
    words: tuple[tuple[float, str], ...]
    summary: str

    unit = "page"

    @property
    def columns(self) -> Mapping[str, Column]:
        return {"level_db": LEVEL, "answer": needed(number(*self.scale))}

    @property
    @abstractmethod
    def axis(self) -> Axis: ...

    def check(self, answer: object, intervals: Intervals) -> None:
        if not isinstance(answer, tuple) or len(answer) != len(intervals):
            raise ValueError(
                f"answer {answer!r} must be {len(intervals)} grades, one per interval."
            )
        low, high = self.scale
        numbers = all(type(grade) in (int, float) for grade in answer)
        if not numbers or not all(low <= grade <= high for grade in answer):  # no NaN either
            raise ValueError(f"grades {answer} must lie between {low:g} and {high:g}.")

    def played(self, intervals: Intervals) -> Intervals:
        return (None, *intervals)

    def shown(self, intervals: Intervals) -> dict[str, Any]:
        """The first place is the open reference, which has no grade."""
        places = ["Ref", *(f"{item + 1}" for item in range(len(intervals)))]
        kind = {"paradigm": self.name, "choices": None, "scale": [*self.scale]}
        words = [[*word] for word in self.words]
        return kind | {"places": places, "answers": [], "step": self.step, "words": words}


class GradedRating(Rating):
    """A rating whose analysis takes the mean of the grades as they are."""

    @property
    def axis(self) -> Axis:
        low, high = map(int, self.scale)
        return Axis(low, high, (high - low) // len(self.words), "mean grade")


class ComparedRating(Rating):
    """A rating whose analysis takes each grade less the hidden reference's."""

    @property
    def axis(self) -> Axis:
        low, high = map(int, self.scale)
        return Axis(low - high, 1, 1, "grade less the hidden reference's")


def two_intervals(d_prime: float) -> float:
    """2AFC: Phi(d' / sqrt 2)."""
    return float(ndtr(d_prime / sqrt(2)))


def three_intervals(d_prime: float) -> float:
    """3AFC: the perturbed interval exceeds both clean ones (Hacker & Ratcliff 1979)."""
    return float(WEIGHTS @ ndtr(NODES + d_prime) ** 2 / sqrt(2 * np.pi))


def abx_by_differences(d_prime: float) -> float:
    """ABX by differences, as in a test whose clips and levels rove."""
    a, b = d_prime / sqrt(2), d_prime / sqrt(6)
    return float(ndtr(a) * ndtr(b) + ndtr(-a) * ndtr(-b))
