"""The forced choices: ABX at fixed levels, and thresholds by a staircase or by QUEST+."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from robustaudio.listening.design import quest
from robustaudio.listening.design.forced_choice import Adaptive, ForcedChoice, Outcome, Track
from robustaudio.listening.design.options import level
from robustaudio.listening.design.paradigm import ScoredChoice, abx_by_differences
from robustaudio.options import option

INAUDIBLE_BELOW = 0.6  # proportion correct in ABX, a d' of 1.1

MATCH_TO_SAMPLE = ScoredChoice(
    name="abx",
    question="Is X the same as A or as B?",
    seconds=14.0,
    choices=2,
    places=("A", "B", "X"),
    proportion_correct=abx_by_differences,
)


@dataclass(frozen=True)
class ABX(ForcedChoice):
    """Is X the clean A or the perturbed B? So many trials of each condition at each level.

    Their number is fixed before the first: whoever stops at a good score has a test that 20 % of
    guessers pass. So is `inaudible_below`, the proportion correct below which the truth has to be
    shown to lie before anything is called inaudible.
    """

    kind = "abx"
    label = "ABX: can it be heard at all?"
    length = "trials"
    paradigms = (MATCH_TO_SAMPLE,)

    levels_db: tuple[float, ...] = level((-40.0,), "at which each condition is tested", -80, 0)
    trials: int = option(16, "Fixed before the first: 16 is usual.", 4, 100)
    inaudible_below: float = option(
        INAUDIBLE_BELOW, "proportion correct below which it is inaudible", above=0.5, below=1
    )

    @property
    def stimulus_levels_db(self) -> tuple[float, ...]:
        return tuple(sorted({*self.levels_db, self.audible_db}))

    @property
    def tracks(self) -> tuple[Track, ...]:
        return tuple(product(self.conditions, self.levels_db))

    @property
    def expected_length(self) -> int:
        return self.trials

    def ask(self, track: Track, outcomes: Sequence[Outcome]) -> float:
        level_db = track[1]
        assert level_db is not None, "a track of ABX has its level"
        return level_db


@dataclass(frozen=True)
class Staircase(Adaptive):
    """Softer after `down` right answers in a row, louder after a wrong one.

    Where it settles, p^down = up / (1 + up), if a step up is `up` times a step down: 3 down and
    equal steps ask at 79.4 % (transformed, Levitt 1971), 1 down and `up` of 3 at 75 % (weighted,
    Kaernbach 1991). The first wrong answer ends a descent by every right one. Steps are a number
    of grid steps, one per reversal, the last for good. A track ends after `reversals`, or, for who
    hears everything, after `max_trials`.
    """

    kind = "staircase"
    label = "Threshold by a staircase (easy to explain)"
    length = "reversals"

    down: int = option(3, "right answers in a row before a step down", 1, 5)
    up: int = option(1, "how many times a step down a step up is", 1, 5)
    steps: tuple[int, ...] = option((4, 2, 1), "in steps of the grid, one per reversal")
    reversals: int = option(12, "Turns of direction; the last ends it.", 4, 100, least=2)
    max_trials: int = option(100, "after which a track ends whatever happens")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_trials < self.reversals:
            raise ValueError(
                f"max_trials {self.max_trials} must be a whole number of at least {self.reversals}."
            )
        if not self.steps or any(type(step) is not int or step < 1 for step in self.steps):
            raise ValueError(f"steps {self.steps} must be whole numbers of at least 1.")
        if self.target <= 1 / self.alternatives:
            raise ValueError(
                f"down {self.down} and up {self.up} settle at {100 * self.target:.0f} % correct, "
                f"which is chance for {self.alternatives} alternatives; choose 2 or more of one."
            )

    @property
    def target(self) -> float:
        """The proportion correct where it settles, as steps go to zero."""
        return (self.up / (1 + self.up)) ** (1 / self.down)

    @property
    def expected_length(self) -> int:
        return min(self.max_trials, 4 * self.reversals)

    def has_ended(self, outcomes: Sequence[Outcome]) -> bool:
        _, reversals = self.walk([correct for _, correct in outcomes])
        return reversals >= self.reversals or len(outcomes) >= self.max_trials

    def ask(self, track: Track, outcomes: Sequence[Outcome]) -> float:
        level, _ = self.walk([correct for _, correct in outcomes])
        return level

    def walk(self, answers: Sequence[bool]) -> tuple[float, int]:
        """The level after those answers, and how often the direction turned."""
        grid = self.stimulus_levels_db
        place, run, direction, reversals = len(grid) - 1, 0, -1, 0
        for correct in answers:
            run = run + 1 if correct else 0
            if correct and reversals and run < self.down:
                continue
            turn, run = -1 if correct else 1, 0
            reversals += turn != direction
            direction = turn
            step = self.steps[min(reversals, len(self.steps) - 1)] * (1 if correct else self.up)
            place = min(max(place + turn * step, 0), len(grid) - 1)
        return grid[place], reversals


@dataclass(frozen=True)
class Quest(Adaptive):
    """QUEST+: so many trials of each condition, each where its answer tells most (Watson 2017).

    A threshold is expected at `expected_db`, give or take `deviation_db`. That saves trials where
    it holds, and only places them: what is reported knows nothing of it.
    """

    kind = "quest"
    label = "Threshold by QUEST+: from which level on?"
    length = "trials"

    trials: int = option(40, "Fixed before the first: 40 is usual.", 4, 100)
    expected_db: float = option(-45.0, "where a threshold is expected", -80, -10)
    deviation_db: float = option(12.0, "give or take so many dB", 1, 40, above=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.min_db <= self.expected_db <= self.audible_db:
            raise ValueError(
                f"expected_db {self.expected_db} must lie between min_db {self.min_db} and "
                f"audible_db {self.audible_db}."
            )

    @property
    def expected_length(self) -> int:
        return self.trials

    def ask(self, track: Track, outcomes: Sequence[Outcome]) -> float:
        expected = self.expected_db, self.deviation_db
        table = quest.table(self.stimulus_levels_db, 1 / self.alternatives, self.step_db, expected)
        levels, correct = zip(*outcomes, strict=True) if outcomes else ((), ())
        information = quest.information(table, quest.posterior(table, levels, correct))
        return self.stimulus_levels_db[int(np.argmax(information))]


FORCED_CHOICES = (ABX, Quest, Staircase)
