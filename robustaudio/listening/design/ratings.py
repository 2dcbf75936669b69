"""Ratings: MUSHRA with all levels on a page, and the five grades of impairment level by level."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from robustaudio.listening.design import schedule
from robustaudio.listening.design.options import level
from robustaudio.listening.design.paradigm import ComparedRating, GradedRating
from robustaudio.listening.design.trial import Condition, Procedure, Response, Trial
from robustaudio.options import option

MOST_ITEMS = 12  # of a page (ITU-R BS.1534-3)
Page = tuple[Condition, tuple[float, ...]]  # a condition, and the levels beside the reference

MUSHRA = GradedRating(
    name="mushra",
    question="How close is each to the reference?",
    seconds=15.0,
    scale=(0.0, 100.0),  # ITU-R BS.1534
    step=1.0,
    words=((0, "bad"), (20, "poor"), (40, "fair"), (60, "good"), (80, "excellent")),
    summary="Mean grades, from 0 (bad) to 100 (excellent).",
)
IMPAIRMENT = ComparedRating(
    name="impairment",
    question="How much worse than the reference is each?",
    seconds=15.0,
    scale=(1.0, 5.0),  # ITU-R BS.1116: 5 alone is imperceptible, 4.0 to 4.9 are the next, …
    step=0.1,
    words=(
        (1, "very annoying"),
        (2, "annoying"),
        (3, "slightly annoying"),
        (4, "perceptible, but not annoying"),
        (5, "imperceptible"),
    ),
    summary="Mean grades, from 1 to 5, less the hidden reference's: 0 is no difference.",
)


@dataclass(frozen=True)
class Rated(Procedure):
    """A rating asks practice pages, then every page once per round, in a new order each."""

    practice: int = option(1, "pages before the test, which never count", least=0)
    levels_db: tuple[float, ...] = level((-50.0, -40.0, -30.0, -20.0), "that are graded", -80, 0)
    repeats: int = option(1, "rounds")

    @property
    @abstractmethod
    def pages(self) -> list[Page]:
        """The pages of a round, in the order of practice."""

    @property
    def stimulus_levels_db(self) -> tuple[float, ...]:
        return tuple(sorted(self.levels_db))

    @property
    def expected_trials(self) -> int:
        return self.practice + self.repeats * len(self.pages)

    def next(self, responses: Sequence[Response], seed: int) -> Trial | None:
        number, pages = len(responses), self.pages
        if number >= self.expected_trials:
            return None
        kind = "practice" if number < self.practice else "test"
        turn, place = divmod(number if kind == "practice" else number - self.practice, len(pages))
        order = pages if kind == "practice" else schedule.shuffled(seed, "page", turn, pages)
        condition, levels_db = order[place]
        items = schedule.shuffled(seed, "items", number, (None, *levels_db))
        return Trial(number, kind, self.paradigm, condition, items, None)


@dataclass(frozen=True)
class Mushra(Rated):
    """All levels and the hidden reference on one page, 0 to 100 each (ITU-R BS.1534-3).

    For perturbations that are clearly heard; the loudest level serves as the anchor. Its low-pass
    anchors at 3.5 and 7 kHz mean nothing where a clip ends at 4 kHz.
    """

    kind = "mushra"
    paradigms = (MUSHRA,)

    levels_db: tuple[float, ...] = level(
        (-50.0, -40.0, -30.0, -20.0, -10.0), "that are graded", -80, 0
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.levels_db) > MOST_ITEMS - 1:
            raise ValueError(
                f"{len(self.levels_db)} levels_db and the hidden reference are more than the "
                f"{MOST_ITEMS} items that a listener can grade on a page."
            )

    @property
    def pages(self) -> list[Page]:
        return [(condition, self.levels_db) for condition in self.conditions]


@dataclass(frozen=True)
class Impairment(Rated):
    """A level and the hidden reference, 5 (imperceptible) to 1 (very annoying) each.

    The triple stimulus of ITU-R BS.1116-3, for impairments that are hardly heard; its result is
    the difference of the two grades.
    """

    kind = "impairment"
    label = "Five grades: how much worse does it sound?"
    paradigms = (IMPAIRMENT,)

    practice: int = option(2, "pages before the test, which never count", least=0)
    repeats: int = option(2, "rounds")

    @property
    def pages(self) -> list[Page]:
        loudest_first = sorted(self.levels_db, reverse=True)
        return [(name, (level_db,)) for level_db, name in product(loudest_first, self.conditions)]


RATINGS = (Mushra, Impairment)
