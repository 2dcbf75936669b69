"""Simulated listeners, whose thresholds are known: what a study of a size can find out."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit, logit

from robustaudio.listening.design.paradigm import Answer, Choice, Rating
from robustaudio.listening.design.trial import Procedure, Response, Trial
from robustaudio.listening.psychometric import TYPICAL_SPREAD_DB
from robustaudio.perception.levels import MAX_LEVEL_DB, check_level

TYPICAL_LAPSE = 0.02  # of a listener who now and then presses the wrong button
LEAST_SPREAD_DB = 1e-3  # less is a step
MOST_BETWEEN_DB = 50.0  # six times as far from the typical listener is still a level
MOST_LAPSES = 0.5  # a choice of two that lapses more often is right less often than by guessing
HOW = {"response_time_s": 1.0, "plays": 1, "switches": 0, "hour": "2000-01-01T00Z"}


@dataclass(frozen=True)
class Listener:
    """Answers by a psychometric function; `threshold_db` is its middle, half way from guessing.

    Raises:
        ValueError: for numbers that describe no listener.
    """

    threshold_db: float
    spread_db: float = TYPICAL_SPREAD_DB
    lapse_rate: float = TYPICAL_LAPSE

    def __post_init__(self) -> None:
        check_level(self.threshold_db, "threshold")
        if not LEAST_SPREAD_DB <= self.spread_db <= MAX_LEVEL_DB:
            raise ValueError(
                f"spread {self.spread_db:g} dB must be from {LEAST_SPREAD_DB:g} to "
                f"{MAX_LEVEL_DB:g} dB."
            )
        if not 0 <= self.lapse_rate <= MOST_LAPSES:
            raise ValueError(f"lapse {self.lapse_rate:g} must be from 0 to {MOST_LAPSES}.")

    def answer(self, trial: Trial, generator: np.random.Generator) -> Answer:
        """The right answer as often as psi says, else another.

        Grades fall from the top of the scale as the perturbation is heard, give or take 4 % of it.
        """
        paradigm = trial.paradigm
        if isinstance(paradigm, Rating):
            levels = np.array([-np.inf if level is None else level for level in trial.intervals])
            noise = 0.04 * generator.standard_normal(len(levels))
            (low, high), fall = paradigm.scale, np.clip(self.hears(levels) + noise, 0, 1)
            return tuple(float(grade) for grade in high - (high - low) * fall)
        assert isinstance(paradigm, Choice), "an answer is a choice or grades"
        choices = paradigm.choices
        psi = 1 / choices + (1 - 1 / choices - self.lapse_rate) * self.hears(trial.level_db)
        wrong = int(generator.random() >= psi) * int(generator.integers(1, choices))
        return ((trial.right or 0) + wrong) % choices

    def hears(self, level_db):
        """Probability of hearing a level, without guessing and lapses: F on dB."""
        return expit((np.asarray(level_db) - self.threshold_db) / self.spread_db)

    def level_at(self, proportion: float, guess_rate: float) -> float:
        """The true level in dB at which a proportion is right, lapses aside."""
        return self.threshold_db + self.spread_db * float(
            logit((proportion - guess_rate) / (1 - guess_rate))
        )


def panel(
    count: int, typical: Listener, between_db: float, seed: int, spread_factor: float = 1.0
) -> list[Listener]:
    """Listeners around a typical one: normal in the threshold, lognormal in the spread.

    Raises:
        ValueError: for a deviation that is negative or infinite.
    """
    if not 0 <= between_db <= MOST_BETWEEN_DB:
        raise ValueError(f"between {between_db:g} dB must be from 0 to {MOST_BETWEEN_DB:g} dB.")
    generator = np.random.default_rng(seed)
    thresholds = typical.threshold_db + between_db * generator.standard_normal(count)
    spreads = typical.spread_db * spread_factor ** generator.standard_normal(count)
    return [
        replace(typical, threshold_db=float(threshold), spread_db=float(spread))
        for threshold, spread in zip(thresholds, spreads, strict=True)
    ]


def responses(
    procedure: Procedure, listener: Listener, seed: int, generator: np.random.Generator
) -> Iterator[Response]:
    """The answers of a session one by one, each before the next is asked."""
    answered: list[Response] = []
    while trial := procedure.next(answered, seed):
        answered.append(Response(trial, listener.answer(trial, generator), **HOW))
        yield answered[-1]
