"""How far listening tests can be trusted: `python -m benchmarks.listening` prints it.

Simulated listeners with known psychometric functions go through the real procedures, sessions,
store (a file per listener) and analysis: bias and spread of the threshold at 79.4 % correct, how
often its 95 % interval holds the truth, and how often guessers pass an ABX test. Thresholds vary
by 12 dB, and, where it says so, spreads by a factor of 1.5 around 1.75 dB: as the priors expect.
The other rows say what happens where that is wrong. Who is excluded for their catch trials, or
has a bound and no number, is counted as out.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from math import log, log10
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from robustaudio.audio.clip import Clip
from robustaudio.audio.datasets import BUNDLED
from robustaudio.listening import ABX, Quest, Staircase
from robustaudio.listening.design.forced_choice import Adaptive
from robustaudio.listening.design.study import Study, StudyClip
from robustaudio.listening.design.trial import Condition, Procedure, Trial
from robustaudio.listening.run.host import Host
from robustaudio.listening.run.open_store import open_store
from robustaudio.listening.simulated_listeners import Listener, panel
from robustaudio.listening.simulated_study import simulate

CONDITION = (Condition("clip", "white"),)
CLIP = StudyClip(Clip.load(BUNDLED / "seven-slt.wav"))
EXPONENT, DEAF_DB = 3.5, 999.0
MEAN_DB, BETWEEN_DB, SPREAD_DB, FACTOR = -45.0, 12.0, 1.75, 1.5
SPREADS_DB, LAPSE_RATES = (1.2, 1.75, 2.5, 3.5), (0.0, 0.05, 0.1)
VARIED = Listener(MEAN_DB, SPREAD_DB, lapse_rate=0.02)
HABITS: dict[str, Callable[[int, np.random.Generator], int]] = {
    "ABX, 16 trials: who guesses by a coin": lambda number, generator: int(generator.integers(2)),
    "ABX, 16 trials: who always says A": lambda number, generator: 0,
    "ABX, 16 trials: who alternates": lambda number, generator: number % 2,
}


@dataclass(frozen=True)
class Guesser(Listener):
    """Hears nothing, and answers by habit."""

    habit: Callable[[int, np.random.Generator], int] = lambda number, generator: 0

    def answer(self, trial: Trial, generator: np.random.Generator) -> int:
        return self.habit(trial.number, generator)


@dataclass(frozen=True)
class Weibull(Listener):
    """Hears by a Weibull function of amplitude with an exponent of 3.5, as in Watson 2017."""

    def hears(self, level_db):
        return 1 - np.exp(-(10 ** (EXPONENT * (level_db - self.threshold_db) / 20)))

    def level_at(self, proportion: float, guess_rate: float) -> float:
        share = (proportion - guess_rate) / (1 - guess_rate)
        return self.threshold_db + 20 / EXPONENT * log10(-log(1 - share))


@dataclass(frozen=True)
class Case:
    """`factor` is that by which spreads vary among listeners; 1 for all alike."""

    name: str
    procedure: Adaptive
    typical: Listener = VARIED
    factor: float = FACTOR


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listeners", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case", action="append", default=[], help="how names begin; default: all")
    options = parser.parse_args()
    count, seed, chosen = options.listeners, options.seed, tuple(options.case) or ("",)
    print(f"{count} listeners, seed {seed}\n")
    print(
        f"{'':<34}{'spread':>9}{'lapses':>7}{'bias':>7}{'SD':>6}{'within':>8}{'trials':>7}{'out':>6}"
    )
    for case in cases():
        if case.name.startswith(chosen):
            listeners = panel(count, case.typical, BETWEEN_DB, seed, case.factor)
            found = taken(case.procedure, listeners, seed)
            out = (found["excluded"] + found["bounds"]) / count
            print(
                f"{case.name:<34}{case.typical.spread_db:>7.2f}{' x' if case.factor > 1 else '':<2}"
                f"{case.typical.lapse_rate:>7.0%}{found['bias_db']:>+7.2f}{found['sd_db']:>6.2f}"
                f"{found['coverage']:>8.1%}{found['trials_mean']:>7.1f}{out:>6.1%}",
                flush=True,
            )
    for name, habit in HABITS.items():
        if name.startswith(chosen):
            procedure = ABX(CONDITION, practice=0, catch_every=0)
            found = taken(procedure, [Guesser(DEAF_DB, habit=habit)] * count, seed)
            print(f"{name:<50}{found['heard']:>6.1%} pass", flush=True)


def cases() -> list[Case]:
    quest, staircase = Quest(CONDITION), Staircase(CONDITION)
    return [
        Case("QUEST+, 40 trials", quest),
        Case("3-down 1-up, 12 reversals", staircase),
        Case("2-down 1-up, 12 reversals", Staircase(CONDITION, down=2)),
        Case("weighted 3:1, 12 reversals", Staircase(CONDITION, down=1, up=3)),
        Case("3 intervals: QUEST+", Quest(CONDITION, alternatives=3)),
        *(Case(f"length: QUEST+, {n} trials", Quest(CONDITION, trials=n)) for n in (25, 60)),
        *(Case("spread: QUEST+", quest, replace(VARIED, spread_db=s), 1) for s in SPREADS_DB),
        *(Case("lapses: QUEST+", quest, replace(VARIED, lapse_rate=r)) for r in LAPSE_RATES),
        *(
            Case("lapses: 3-down 1-up", staircase, replace(VARIED, lapse_rate=r))
            for r in LAPSE_RATES
        ),
        Case("15 dB below expectation: QUEST+", quest, replace(VARIED, threshold_db=-60)),
        Case("a Weibull's listener: QUEST+", quest, Weibull(MEAN_DB), 1),
    ]


def taken(procedure: Procedure, listeners: Sequence[Listener], seed: int) -> dict[str, Any]:
    """What the listeners leave of a study of one condition, in a store of files."""
    options = {f.name: getattr(procedure, f.name) for f in fields(procedure)}
    del options["conditions"]
    study = Study("Benchmark", (CLIP,), ("white",), {"kind": procedure.kind, **options})
    with TemporaryDirectory() as folder:
        room, _ = Host(open_store(folder)).open(study)
        found = simulate(room, listeners, seed)
    (condition,) = found.pop("conditions") or [{}]
    return found | condition


if __name__ == "__main__":
    main()
