"""What every forced choice shares: practice, catch trials, and tracks that are interleaved."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from math import floor

from robustaudio.listening.design import schedule
from robustaudio.listening.design.options import level
from robustaudio.listening.design.paradigm import (
    Choice,
    ScoredChoice,
    TrackedChoice,
    three_intervals,
    two_intervals,
)
from robustaudio.listening.design.trial import Condition, Kind, Procedure, Response, Trial
from robustaudio.options import option

Track = tuple[Condition, float | None]  # a condition, and its level where that is fixed
Outcome = tuple[float, bool]  # a level in dB, and whether the answer was right
FEWEST_CATCHES = 4  # of a session, short as it may be: a guesser hits half of them
MOST_LEVELS = 200  # of a grid: QUEST+ weighs every one of them after each answer

TWO_INTERVALS = TrackedChoice(
    name="2afc",
    question="Which one was changed?",
    question_of_noise="Which one is noisier?",
    seconds=8.0,
    choices=2,
    places=("1", "2"),
    proportion_correct=two_intervals,
)
THREE_INTERVALS = TrackedChoice(
    name="3afc",
    question="Which one of the three was changed?",
    question_of_noise="Which one is the noisiest of the three?",
    seconds=11.0,
    choices=3,
    places=("1", "2", "3"),
    proportion_correct=three_intervals,
)


@dataclass(frozen=True)
class ForcedChoice(Procedure):
    """A forced choice asks for one interval; subclasses say at which level, and until when.

    The first `practice` trials, and one in each `catch_every` after them (0 for none), are at the
    clearly audible `audible_db`: a catch trial says whether the listener attends. Short tests have
    more of them. The tests are tracks, one per condition or level, taken in turn, in a new order
    each round.
    """

    catch_every: int = option(10, "one of so many trials is a catch trial; 0 for none", least=0)
    audible_db: float = level(-10.0, "of practice and catch trials; a search begins there", -20, 20)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.catch_every == 1:
            raise ValueError("catch_every 1 leaves no trial to test; choose 2 or more, or 0.")

    @property
    def paradigm(self) -> Choice:
        return self.paradigms[0]

    @property
    def tracks(self) -> tuple[Track, ...]:
        return tuple((condition, None) for condition in self.conditions)

    @property
    @abstractmethod
    def expected_length(self) -> int:
        """Tests of a track, or about how many."""

    def has_ended(self, outcomes: Sequence[Outcome]) -> bool:
        """Whether a track with these outcomes asks no more."""
        return len(outcomes) >= self.expected_length

    @abstractmethod
    def ask(self, track: Track, outcomes: Sequence[Outcome]) -> float:
        """The level in dB at which a track that has not ended asks next."""

    @property
    def expected_trials(self) -> int:
        tests = len(self.tracks) * self.expected_length
        return self.practice + tests + (tests // (self.block - 1) if self.block else 0)

    @property
    def block(self) -> int:
        """One of so many trials is a catch trial; 0 for none."""
        tests = len(self.tracks) * self.expected_length
        return min(self.catch_every, max(3, 1 + tests // FEWEST_CATCHES))

    def next(self, responses: Sequence[Response], seed: int) -> Trial | None:
        number = len(responses)
        counted = number - self.practice
        if counted < 0:
            return self._audible("practice", number, number, seed)
        outcomes = self._outcomes(responses)
        open_tracks = {t: len(done) for t, done in outcomes.items() if not self.has_ended(done)}
        if not open_tracks:
            return None
        if schedule.is_catch(seed, counted, self.block):
            return self._audible("catch", number, counted // self.block, seed)
        track = schedule.least_asked(seed, number, open_tracks)
        right = self._right(self.tracks.index(track), len(outcomes[track]), number, seed)
        return self._trial("test", number, track[0], self.ask(track, outcomes[track]), right)

    def _outcomes(self, responses: Sequence[Response]) -> dict[Track, list[Outcome]]:
        """What was tested in each track, in order."""
        outcomes: dict[Track, list[Outcome]] = {track: [] for track in self.tracks}
        for response in responses:
            trial = response.trial
            if trial.kind == "test":
                condition, level = trial.condition, trial.level_db
                track = (condition, level) if (condition, level) in outcomes else (condition, None)
                if track not in outcomes or level is None or trial.paradigm != self.paradigm:
                    raise ValueError(
                        f"trial {trial.number} of {trial.condition} is not of this procedure."
                    )
                outcomes[track].append((level, bool(response.correct)))
        return outcomes

    def _right(self, track: int, tested: int, number: int, seed: int) -> int:
        """A scored choice tosses a coin: only then is its test exact whatever the listener does.

        Were X in ABX A as often as B, one who guesses A as often as B would get 12 of 16 right by
        chance in 7 % of sessions, and in 9 % were it so in blocks of four; the binomial says 4 %.
        A threshold is no such test, and gains from balanced intervals.
        """
        if isinstance(self.paradigm, ScoredChoice):
            return schedule.fair(seed, number, self.paradigm.choices)
        return schedule.balanced(seed, track, tested, self.paradigm.choices)

    def _audible(self, kind: Kind, number: int, turn: int, seed: int) -> Trial:
        condition = self.conditions[turn % len(self.conditions)]
        right = schedule.fair(seed, number, self.paradigm.choices)
        return self._trial(kind, number, condition, self.audible_db, right)

    def _trial(
        self, kind: Kind, number: int, condition: Condition, level_db: float, right: int
    ) -> Trial:
        intervals = self.paradigm.intervals(level_db, right)
        return Trial(number, kind, self.paradigm, condition, intervals, right)


@dataclass(frozen=True)
class Adaptive(ForcedChoice):
    """Two or three intervals, one of them perturbed; each condition's level follows the answers.

    Levels are a grid of `step_db` from `audible_db` down to `min_db`.
    """

    paradigms = (TWO_INTERVALS, THREE_INTERVALS)

    alternatives: int = option(2, "intervals of a trial", 2, 3)
    min_db: float = level(-80.0, "the softest level that is played", -100, -40)
    step_db: float = option(2.0, "from level to level", least=0.25)  # finer, nobody hears it

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.alternatives not in (2, 3):
            raise ValueError(f"alternatives {self.alternatives} must be 2 or 3.")
        if self.min_db > (most := self.audible_db - 2 * self.step_db):
            raise ValueError(
                f"min_db {self.min_db} must be at most {most:g}, two steps below audible_db."
            )
        if len(self.stimulus_levels_db) > MOST_LEVELS:
            raise ValueError(
                f"step_db {self.step_db} makes {len(self.stimulus_levels_db)} levels from min_db "
                f"to audible_db; at most {MOST_LEVELS}, please: a longer step or a shorter range."
            )

    @property
    def paradigm(self) -> TrackedChoice:
        return self.paradigms[self.alternatives - 2]

    @property
    def stimulus_levels_db(self) -> tuple[float, ...]:
        steps = floor((self.audible_db - self.min_db) / self.step_db)
        return tuple(self.audible_db - k * self.step_db for k in range(steps, -1, -1))
