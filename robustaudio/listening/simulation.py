"""Simulated listeners, whose thresholds are known: what a study of a size can find out."""

from dataclasses import dataclass

import numpy as np

from robustaudio.listening.psychometric import proportion_correct
from robustaudio.listening.trial import CHOICES, SCALES, Procedure, Response, Trial

HOW = {"response_time_s": 1.0, "plays": 1, "switches": 0, "hour": "2000-01-01T00Z"}


@dataclass(frozen=True)
class Listener:
    """Answers by a psychometric function; `threshold_db` is its middle, half way from guessing."""

    threshold_db: float
    spread_db: float = 2.2
    lapse_rate: float = 0.02

    def answer(self, trial: Trial, generator: np.random.Generator) -> int | tuple[float, ...]:
        """The right answer as often as psi says, else another; of ratings, see `grades`."""
        if trial.paradigm in SCALES:
            return self.grades(trial, generator)
        choices = CHOICES[trial.paradigm]
        psi = proportion_correct(
            trial.level_db, self.threshold_db, self.spread_db, 1 / choices, self.lapse_rate
        )
        wrong = int(generator.random() >= psi) * int(generator.integers(1, choices))
        return ((trial.right or 0) + wrong) % choices

    def grades(self, trial: Trial, generator: np.random.Generator) -> tuple[float, ...]:
        """Falls from the top of the scale as the perturbation is heard, give or take 4 % of it."""
        low, high = SCALES[trial.paradigm]
        levels = np.array([-np.inf if level is None else level for level in trial.intervals])
        heard = proportion_correct(levels, self.threshold_db, self.spread_db, 0, 0)
        noise = 0.04 * generator.standard_normal(len(levels))
        return tuple(float(g) for g in high - (high - low) * np.clip(heard + noise, 0, 1))


def run(procedure: Procedure, listener: Listener, seed: int) -> list[Response]:
    """A whole session, by the procedure itself."""
    generator = np.random.default_rng(seed)
    responses: list[Response] = []
    while trial := procedure.next(responses, seed):
        responses.append(Response(trial, listener.answer(trial, generator), **HOW))
    return responses
