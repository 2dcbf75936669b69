"""How far listening tests can be trusted: `python -m benchmarks.listening` prints three tables.

Simulated listeners with known psychometric functions answer the real procedures, and the real
analysis reports: bias and spread of the threshold at 79.4 % correct, how often its 95 % interval
holds the truth, and how often guessers pass an ABX test. Their thresholds vary by 12 dB and, where
the table says "varied", their spreads by a factor of 1.5 around 2 dB, as the priors expect; the
other rows say what happens where that is wrong. A study is smaller: plan it with `--listeners`.
"""

import argparse
import time
from collections.abc import Callable
from math import inf

import numpy as np

from robustaudio.listening import ABX, Quest, Staircase
from robustaudio.listening.analysis import analyse
from robustaudio.listening.forced_choice import Adaptive
from robustaudio.listening.simulation import Listener, panel, run, simulate
from robustaudio.listening.statistics import p_value
from robustaudio.listening.thresholds import STAIRCASE_TARGET

CONDITION = ("clip",)
MEAN_DB, BETWEEN_DB, SPREAD_DB, FACTOR = -45.0, 12.0, 2.0, 1.5
VARIED = Listener(MEAN_DB, SPREAD_DB, lapse_rate=0.02)
HABITS: dict[str, Callable[[int, np.random.Generator], int]] = {
    "tosses a coin": lambda number, generator: int(generator.integers(2)),
    "always says A": lambda number, generator: 0,
    "alternates": lambda number, generator: number % 2,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listeners", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(f"{options.listeners} listeners, seed {options.seed}")
    print(f"\n{'':<34}{'spread':>8}{'lapses':>7}{'bias':>7}{'SD':>6}{'within':>8}{'trials':>7}")
    for name, (procedure, typical, factor) in cases().items():
        started = time.monotonic()
        listeners = panel(options.listeners, typical, BETWEEN_DB, options.seed, factor)
        errors, within, trials = thresholds(procedure, listeners, options.seed)
        spread = "varied" if factor > 1 else f"{typical.spread_db:.1f} dB"
        print(
            f"{name:<34}{spread:>8}{typical.lapse_rate:>7.0%}{errors.mean():>+7.2f}"
            f"{errors.std(ddof=1):>6.2f}{within:>8.1%}{trials:>7.1f}"
            f"   {time.monotonic() - started:.0f} s",
            flush=True,
        )
    print("\nABX of 16 trials, p <= .05 by guessing")
    for name, habit in HABITS.items():
        passed = false_positives(habit, options.listeners, options.seed)
        print(f"{name:<34}{passed:>8.1%}", flush=True)


def cases() -> dict[str, tuple[Adaptive, Listener, float]]:
    """Procedure, typical listener, and the factor by which spreads vary."""
    quest, staircase = Quest(CONDITION), Staircase(CONDITION)
    return {
        "QUEST+, 40 trials": (quest, VARIED, FACTOR),
        "3-down 1-up, 12 reversals": (staircase, VARIED, FACTOR),
        "2-down 1-up, 12 reversals": (Staircase(CONDITION, down=2), VARIED, FACTOR),
        "weighted 3:1, 12 reversals": (Staircase(CONDITION, down=1, up=3), VARIED, FACTOR),
        "QUEST+, 25 trials": (Quest(CONDITION, trials=25), VARIED, FACTOR),
        "QUEST+, 60 trials": (Quest(CONDITION, trials=60), VARIED, FACTOR),
        "QUEST+, 40 trials, 3 intervals": (Quest(CONDITION, alternatives=3), VARIED, FACTOR),
        "QUEST+, steep": (quest, Listener(MEAN_DB, 1.2, 0.02), 1.0),
        "QUEST+, as Watson's Weibull": (quest, Listener(MEAN_DB, 1.74, 0.02), 1.0),
        "QUEST+, shallow": (quest, Listener(MEAN_DB, 3.5, 0.02), 1.0),
        "QUEST+, no lapses": (quest, Listener(MEAN_DB, SPREAD_DB, 0.0), FACTOR),
        "QUEST+, inattentive": (quest, Listener(MEAN_DB, SPREAD_DB, 0.08), FACTOR),
        "3-down 1-up, inattentive": (staircase, Listener(MEAN_DB, SPREAD_DB, 0.08), FACTOR),
        "QUEST+, 15 dB softer than expected": (quest, Listener(-60, SPREAD_DB, 0.02), FACTOR),
    }


def thresholds(
    procedure: Adaptive, listeners: list[Listener], seed: int
) -> tuple[np.ndarray, float, float]:
    """Errors in dB, how often the 95 % interval holds the truth, and trials of a session."""
    rows = simulate(procedure, listeners, seed)
    (result,) = analyse(rows)["results"]
    errors, within = [], []
    for number, listener in enumerate(listeners):
        if record := result["listeners"].get(f"simulated-{number}"):  # None for the excluded
            found = record["thresholds"]["correct_79"]
            truth = listener.level_at(STAIRCASE_TARGET, 1 / procedure.alternatives)
            lower = -inf if found["lower_db"] is None else found["lower_db"]
            upper = inf if found["upper_db"] is None else found["upper_db"]
            within.append(lower <= truth <= upper)
            if found["sign"] == "=":
                errors.append(found["level_db"] - truth)
    return np.array(errors), float(np.mean(within)), len(rows) / len(listeners)


def false_positives(habit: Callable, count: int, seed: int) -> float:
    """The share of guessers who pass."""
    procedure, passed = ABX(CONDITION, practice=0, catch_every=0), 0
    for number in range(count):
        responses = run(procedure, Guesser(habit), seed + number)
        passed += p_value(sum(bool(r.correct) for r in responses), len(responses)) <= 0.05
    return passed / count


class Guesser(Listener):
    """Hears nothing, and answers by habit."""

    def __init__(self, habit: Callable):
        super().__init__(inf)
        object.__setattr__(self, "habit", habit)

    def answer(self, trial, generator):
        return self.habit(trial.number, generator)


if __name__ == "__main__":
    main()
