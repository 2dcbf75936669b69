"""The smallest level at which an attack succeeds, clip by clip."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf
from statistics import median
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from robustaudio.audio.draws import Generators
from robustaudio.audio.float64 import exact
from robustaudio.classifiers.classifier import Classifier
from robustaudio.classifiers.evaluation_mode import in_evaluation_mode
from robustaudio.evaluation.attack import (
    Aimed,
    AimedRow,
    AimedSummary,
    Plan,
    aim,
    common_shares,
    heard_as,
    known_share,
)
from robustaudio.evaluation.batch import Batch, LabelledBatch, finite, predictions, share
from robustaudio.evaluation.row_file import Label
from robustaudio.perception.distances import distances
from robustaudio.progress import Progress, part_of
from robustaudio.threats.criterion import Criterion, Misclassification
from robustaudio.threats.threat_model import ThreatModel

METRICS = ("snr_db", "level_db", "noise_to_mask_db", "max_noise_to_mask_db")


@dataclass(frozen=True)
class Sections:
    """How a range is searched: into how many parts it is cut at a time, and how often."""

    cuts: int
    rounds: int


FEW_CLIPS = Sections(12, 3)  # 120 dB / 13^3: levels to 0.06 dB
MANY_CLIPS = Sections(1, 11)  # 120 dB / 2^11: levels to 0.06 dB


@dataclass(frozen=True, eq=False)
class Smallest:
    """The smallest successful level of each clip (inf: none), and the perturbed clip there."""

    level_db: Float[Tensor, " clip"]
    adversarial: Float[Tensor, "clip *shape"]
    queries: Int[Tensor, " clip"]

    @property
    def is_adversarial(self) -> Bool[Tensor, " clip"]:
        return self.level_db.isfinite()


@in_evaluation_mode
def smallest_levels(
    classifier: Classifier,
    x: Float[Tensor, "clip time"],
    criterion: Criterion,
    plan: Plan,
    *,
    generator: Generators,
    progress: Progress | None = None,
    search: Sections = MANY_CLIPS,
    threat: ThreatModel | None = None,
) -> Smallest:
    """The smallest level in dB at which an attack succeeds, per clip.

    An attack that minimises by itself runs once, in the largest ball. For the others the levels are
    searched by sections, all clips in one batch: a few clips in 12 sections at a time, many by
    bisection. The level is that of the perturbation found, which may be below the ball's. `threat`
    is the plan's at 0 dB, where it is known.
    """
    lowest, highest = plan.norm.levels.attacked
    threat = threat or plan.threat(classifier, x)
    reference, sections, rounds = threat.epsilon, search.cuts, search.rounds
    if plan.attack.minimises:
        sections, rounds = 1, 1
    clip = torch.arange(len(x), device=x.device).repeat_interleave(sections)
    low = torch.full_like(exact(reference), lowest)
    width = (highest - lowest) / (sections + (rounds > 1))
    best = torch.full_like(low, inf)
    queries = torch.zeros(len(x), dtype=torch.long, device=x.device)
    adversarial = classifier.split(plan.representation)[0](x).clone()
    for turn in range(rounds):
        ahead = width * torch.arange(1, sections + 1, dtype=low.dtype, device=low.device)
        levels = (low[:, None] + ahead).flatten().clamp_max(highest).to(x)
        part = part_of(progress, turn, rounds)
        result = plan(
            classifier, x[clip], criterion[clip], levels, generator[clip], part, threat[clip]
        )
        queries = queries + result.queries.unflatten(0, (-1, sections)).sum(1)
        size = 20 * (result.distance / reference[clip]).log10()
        size = exact(size.where(result.is_adversarial, inf)).unflatten(0, (-1, sections))
        least, at = size.min(1)
        chosen = result.adversarial.unflatten(0, (-1, sections))[range(len(x)), at.to(x.device)]
        better = least < best
        best = torch.where(better, least, best)
        fell = better.to(x.device)
        adversarial[fell] = chosen[fell]
        below = (size.isfinite().cumsum(1) == 0).sum(1)  # sections that failed, up to a success
        low = low + width * below
        width = width / (sections + 1)
    return Smallest(best, adversarial, queries)


def changing_levels(
    classifier: Classifier,
    batch: Batch,
    plan: Plan,
    generator: Generators,
    progress: Progress | None = None,
    label: Int[Tensor, " clip"] | None = None,
) -> list[float]:
    """Smallest level in dB at which the attack changes the prediction on each clip; inf if none.

    Few clips are meant: each is searched in many sections at a time. `label` is their prediction,
    made here where it is not known.
    """
    x = batch.waveforms
    criterion = Misclassification(predictions(classifier, x) if label is None else label)
    least = smallest_levels(
        classifier, x, criterion, plan, generator=generator, progress=progress, search=FEW_CLIPS
    )
    return least.level_db.tolist()


@dataclass(frozen=True, kw_only=True)
class SmallestRow(AimedRow):
    """The smallest level at which a clip falls, and what its sound there is like.

    `as_sound` is the prediction of the sound, `after_rounding` that of its 16-bit file.
    """

    smallest_db: float | None
    as_sound: Label | None
    after_rounding: Label | None
    snr_db: float | None = None
    level_db: float | None = None
    noise_to_mask_db: float | None = None
    max_noise_to_mask_db: float | None = None


@dataclass(frozen=True)
class SuccessRate:
    """The share of the clips that can be fooled which a level fools."""

    level_db: float
    success_rate: float


@dataclass(frozen=True, kw_only=True)
class SmallestSummary(AimedSummary):
    """Shares of the clips that can be fooled, and medians of the successes."""

    success_rate: float
    success_of_sound: float | None
    success_after_rounding: float | None
    median_smallest_db: float | None
    median_snr_db: float | None
    median_level_db: float | None
    median_noise_to_mask_db: float | None
    median_max_noise_to_mask_db: float | None
    levels: tuple[SuccessRate, ...]


@dataclass(frozen=True)
class SmallestLevels(Aimed):
    """The smallest level that succeeds; the curve over the levels follows from it."""

    row = SmallestRow
    smallest = True

    def summary(self, rows: Sequence[SmallestRow]) -> SmallestSummary:
        """Shares of the clips that can be fooled, the success curve, and medians of the successes.

        Those of SNR and noise-to-mask ratio are over the sounds that fool.
        """
        can = [row for row in rows if row.attackable]
        fallen = [row for row in can if row.smallest_db is not None]
        sounding = [row for row in fallen if row.reached(row.as_sound)]
        return SmallestSummary(
            **common_shares(rows),
            success_rate=len(fallen) / max(1, len(can)),
            success_of_sound=known_share(row.reached(row.as_sound) for row in can),
            success_after_rounding=known_share(row.reached(row.after_rounding) for row in can),
            median_smallest_db=_median(row.smallest_db for row in fallen),
            median_snr_db=_median(row.snr_db for row in sounding),
            median_level_db=_median(row.level_db for row in sounding),
            median_noise_to_mask_db=_median(row.noise_to_mask_db for row in sounding),
            median_max_noise_to_mask_db=_median(row.max_noise_to_mask_db for row in sounding),
            levels=success_curve(rows, self.levels_db),
        )


def success_curve(
    rows: Sequence[SmallestRow], levels_db: Sequence[float]
) -> tuple[SuccessRate, ...]:
    """Which share of the clips that can be fooled each level fools."""
    least = [inf if row.smallest_db is None else row.smallest_db for row in rows if row.attackable]
    return tuple(SuccessRate(db, share([level <= db for level in least])) for db in levels_db)


def attack_smallest(
    classifier: Classifier,
    batch: LabelledBatch,
    settings: SmallestLevels,
    generator: Generators,
    progress: Progress | None = None,
) -> list[SmallestRow]:
    """The smallest level at which each clip falls, and what that perturbation is like."""
    x, (criterion, rows) = batch.waveforms, aim(classifier, batch, settings, generator)
    least = smallest_levels(
        classifier, x, criterion, settings.plan, generator=generator, progress=progress
    )
    sounds, as_sound, after_rounding = heard_as(classifier, x, settings.plan, least.adversarial)
    measured = None if sounds is None else distances(sounds, x, classifier.sample_rate)

    def sizes(item: int) -> dict[str, Any]:
        """What the sound of a success is like."""
        here = METRICS if measured and least.is_adversarial[item] else ()
        return {key: finite(getattr(measured, key)[item]) for key in here}

    return [
        SmallestRow(
            **row,
            smallest_db=finite(least.level_db[i]),
            as_sound=as_sound[i],
            after_rounding=after_rounding[i],
            **sizes(i),
            queries=int(least.queries[i]),
        )
        for i, row in enumerate(rows)
    ]


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
