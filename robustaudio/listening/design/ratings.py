"""Ratings: MUSHRA with all levels on a page, and the five grades of impairment level by level."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import ClassVar

from robustaudio.listening.design import schedule
from robustaudio.listening.design.options import check_conditions, check_counts, check_levels
from robustaudio.listening.design.paradigm import ComparedRating, GradedRating, Rating
from robustaudio.listening.design.trial import Condition, Response, Trial

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


def next_page(
    paradigm: Rating, pages: Sequence[Page], practice: int, repeats: int, number: int, seed: int
) -> Trial | None:
    """Practice pages, then every page once per round, in a new order each; items shuffled."""
    if number < practice:
        order, place = pages, number % len(pages)
    elif number - practice < repeats * len(pages):
        turn, place = divmod(number - practice, len(pages))
        order = schedule.shuffled(seed, "page", turn, pages)
    else:
        return None
    condition, levels_db = order[place]
    items = schedule.shuffled(seed, "items", number, (None, *levels_db))
    kind = "practice" if number < practice else "test"
    return Trial(number, kind, paradigm, condition, items, None)


@dataclass(frozen=True)
class Mushra:
    """All levels and the hidden reference on one page, 0 to 100 each (ITU-R BS.1534-3).

    For perturbations that are clearly heard; the loudest level serves as the anchor. Its low-pass
    anchors at 3.5 and 7 kHz mean nothing where a clip ends at 4 kHz.
    """

    kind = "mushra"
    label = length = None
    paradigm = MUSHRA
    paradigms: ClassVar = (MUSHRA,)

    conditions: tuple[Condition, ...]
    levels_db: tuple[float, ...] = (-50.0, -40.0, -30.0, -20.0, -10.0)
    repeats: int = 1
    practice: int = 1

    def __post_init__(self) -> None:
        check_conditions(self.conditions)
        check_levels(self.levels_db)
        check_counts(self, repeats=1, practice=0)
        if len(self.levels_db) > MOST_ITEMS - 1:
            raise ValueError(
                f"{len(self.levels_db)} levels_db and the hidden reference are more than the "
                f"{MOST_ITEMS} items that a listener can grade on a page."
            )

    @property
    def stimulus_levels_db(self) -> tuple[float, ...]:
        return tuple(sorted(self.levels_db))

    @property
    def expected_trials(self) -> int:
        return self.practice + self.repeats * len(self.conditions)

    def next(self, responses: Sequence[Response], seed: int) -> Trial | None:
        pages = [(condition, self.levels_db) for condition in self.conditions]
        number = len(responses)
        return next_page(self.paradigm, pages, self.practice, self.repeats, number, seed)


@dataclass(frozen=True)
class Impairment:
    """A level and the hidden reference, 5 (imperceptible) to 1 (very annoying) each.

    The triple stimulus of ITU-R BS.1116-3, for impairments that are hardly heard; its result is
    the difference of the two grades.
    """

    kind = "impairment"
    label = "Five grades: how much worse does it sound?"
    length = None
    paradigm = IMPAIRMENT
    paradigms: ClassVar = (IMPAIRMENT,)

    conditions: tuple[Condition, ...]
    levels_db: tuple[float, ...] = (-50.0, -40.0, -30.0, -20.0)
    repeats: int = 2
    practice: int = 2

    def __post_init__(self) -> None:
        check_conditions(self.conditions)
        check_levels(self.levels_db)
        check_counts(self, repeats=1, practice=0)

    @property
    def stimulus_levels_db(self) -> tuple[float, ...]:
        return tuple(sorted(self.levels_db))

    @property
    def expected_trials(self) -> int:
        return self.practice + self.repeats * len(self.conditions) * len(self.levels_db)

    def next(self, responses: Sequence[Response], seed: int) -> Trial | None:
        loudest_first = sorted(self.levels_db, reverse=True)
        pages = [(name, (level,)) for level, name in product(loudest_first, self.conditions)]
        number = len(responses)
        return next_page(self.paradigm, pages, self.practice, self.repeats, number, seed)


RATINGS = (Mushra, Impairment)
