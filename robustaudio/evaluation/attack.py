"""Attacks on a batch: one level and everything about it, or what is left at every level."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Annotated, Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from robustaudio.attacks import Attack, AttackResult, Step
from robustaudio.audio.draws import Generators, Randomness, whole_numbers
from robustaudio.audio.sixteen_bit import After16Bit, rounded_to_16_bit
from robustaudio.classifiers.classifier import Classifier
from robustaudio.classifiers.evaluation_mode import evaluation_mode, in_evaluation_mode
from robustaudio.evaluation.batch import (
    Batch,
    LabelledBatch,
    finite,
    predictions,
    seconds_since,
    share,
)
from robustaudio.evaluation.comparison import compare
from robustaudio.evaluation.engine import Asked, Levels, Row, seconds_of
from robustaudio.evaluation.predict import predict
from robustaudio.evaluation.results import AttackedClip, Entry, Standing, to_json
from robustaudio.evaluation.row_file import Label
from robustaudio.perception.levels import amplitude_db
from robustaudio.perception.masking import masking_framing, masking_threshold
from robustaudio.progress import Progress, part_of
from robustaudio.threats.criterion import Criterion, Misclassification, TargetedMisclassification
from robustaudio.threats.noise import audible_representations, check_audible, sound_of
from robustaudio.threats.norms import LINF, Norm
from robustaudio.threats.threat_model import ThreatModel, threat_at


@dataclass(frozen=True)
class Plan:
    """How clips are attacked: by what, in which norm, and at which representation.

    With `survive_rounding` the attack hears every candidate after a 16-bit file.
    """

    attack: Attack
    norm: Norm = LINF
    representation: str = "waveform"
    survive_rounding: bool = False

    def threat(self, classifier: Classifier, x: Float[Tensor, "batch time"]) -> ThreatModel:
        """The threat at 0 dB around prepared clips, with the threshold that the attack needs.

        Raises:
            ValueError: for an impossible norm or representation.
        """
        needs_waveform = self.attack.needs_threshold or self.survive_rounding
        if needs_waveform and self.representation != "waveform":
            raise ValueError(
                f"rounding and the masking threshold are of a waveform, not of "
                f"{self.representation!r}."
            )
        threat = threat_at(classifier, x, 0.0, self.norm, representation=self.representation)
        if not self.attack.needs_threshold or threat.threshold:
            return threat
        rate = classifier.sample_rate
        return replace(threat, threshold=masking_threshold(x, masking_framing(rate), rate))

    def __call__(
        self,
        classifier: Classifier,
        x: Float[Tensor, "batch time"],
        criterion: Criterion,
        level_db: float | Float[Tensor, " batch"],
        generator: Randomness,
        progress: Progress | None = None,
        threat: ThreatModel | None = None,
    ) -> AttackResult:
        """The attack at a level, on the representation of prepared clips.

        `threat` is that at 0 dB, made here where it is not known.

        Raises:
            ValueError: for an impossible level, norm or representation.
        """
        front, back = classifier.split(self.representation)
        threat = threat or self.threat(classifier, x)
        with evaluation_mode(classifier):
            features = front(x)
        threat = replace(threat, epsilon=self.norm.epsilon(level_db, features))
        model = After16Bit(back) if self.survive_rounding else back
        return self.attack(
            model, features, criterion, threat, generator=generator, progress=progress
        )

    @property
    def record(self) -> dict[str, Any]:
        """The entries of a result that say what was done."""
        return {
            "attack": type(self.attack).__name__,
            "norm": self.norm,
            "representation": self.representation,
            "survive_rounding": self.survive_rounding,
            "settings": self.attack,
        }

    def to_json(self) -> dict[str, Any]:
        """The same as JSON."""
        return self.record | {"norm": self.norm.name, "settings": to_json(self.attack)}


@dataclass(frozen=True)
class Attacking:
    """An attack on the prediction at one level; `target` None leaves it, else goes there."""

    plan: Plan
    level_db: float
    target: int | None = None


@dataclass(frozen=True)
class Standings:
    """Where an attack stands, told to `progress`; levels are relative to `reference`."""

    progress: Progress | None
    reference: float
    sound: Callable[[Tensor], Tensor]

    def __call__(self, done: float, step: Step | None = None) -> None:
        if self.progress:
            self.progress(done, step and self.standing(step))

    def standing(self, step: Step) -> Standing:
        """A step of several clips is their mean, its sound that of the first."""
        level, best = finite(amplitude_db(step.distance / self.reference)), step.best
        sound = best and (lambda: self.sound(best())[0])
        return Standing(step.loss, level, step.population, sound)

    def course(self, result: AttackResult) -> tuple[Standing, ...]:
        return tuple(self.standing(step) for step in result.history)


@in_evaluation_mode
def attack(
    classifier: Classifier,
    batch: Batch,
    settings: Attacking,
    generator: Generators,
    progress: Progress | None = None,
) -> list[AttackedClip]:
    """An attack at one level, its sounds beside the clean clips.

    A representation's attack sounds like its inversion, and that is what is compared with the clip:
    `success` is the attack's, on what it attacked, `success_of_sound` that of the sound. A
    `Standing` goes to `progress` with every step.

    Raises:
        ValueError: if the target is already the prediction, or for an impossible plan.
    """
    plan, target, x = settings.plan, settings.target, batch.waveforms
    started, before = time.monotonic(), predict(classifier, batch)
    label = torch.tensor([clip.index for clip in before], device=x.device)
    if target is not None and bool((label == target).any()):
        raise ValueError(f"the target {classifier.labels[target]!r} is already the prediction.")
    criterion = criterion_of(label, None if target is None else torch.full_like(label, target))
    check_audible(classifier, plan.representation)

    def sound(features: Tensor) -> Float[Tensor, "clip time"]:
        return sound_of(classifier, x, plan.representation, features).detach()

    threat = plan.threat(classifier, x)
    standings = Standings(progress, float(threat.epsilon.mean()), sound)
    result = plan(classifier, x, criterion, settings.level_db, generator, standings, threat)
    sounds = sound(result.adversarial)
    compared = compare(classifier, x, sounds, criterion, before, threat.threshold)
    after = x.new_tensor([[*clip.probabilities.values()] for clip in compared])
    success, course = criterion.is_adversarial(after), standings.course(result)
    seconds = seconds_since(started)
    return [
        AttackedClip(
            **vars(clip),
            success=bool(result.is_adversarial[i]),
            success_of_sound=bool(success[i]),
            **plan.record,
            targeted=target is not None,
            target=classifier.label_of(target),
            budget_db=settings.level_db,
            reached_db=finite(amplitude_db(float(result.distance[i] / threat.epsilon[i]))),
            queries=int(result.queries[i]),
            course=course,
            seed=generator.each[i].initial_seed(),
            seconds=seconds,
        )
        for i, clip in enumerate(compared)
    ]


@dataclass(frozen=True, kw_only=True)
class AimedRow(Row):
    """A clip under attack; attackable is what is not taken for the goal already."""

    label: Label
    target: Label | None
    clean: Label
    attackable: bool
    queries: int

    def reached(self, prediction: int | None) -> bool | None:
        """Whether a prediction is what the attack wanted; None if nothing sounds."""
        if prediction is None:
            return None
        return prediction != self.label if self.target is None else prediction == self.target


@dataclass(frozen=True, kw_only=True)
class AttackRow(AimedRow):
    """A clip under attack at every level: numbers of labels, None where nothing sounds.

    `after` is the prediction of what was attacked, `as_sound` that of its sound, `after_rounding`
    that of its 16-bit file.
    """

    after: list[Label]
    as_sound: list[Label | None]
    after_rounding: list[Label | None]


@dataclass(frozen=True)
class AttackedShares:
    """Shares at a level: successes are of the clips that can be fooled, robust ones of all."""

    level_db: float
    success_rate: float | None
    success_of_sound: float | None
    success_after_rounding: float | None
    robust_accuracy: float | None


@dataclass(frozen=True, kw_only=True)
class AimedSummary:
    """What every attack on a data set has."""

    clean_accuracy: float
    attackable: int
    median_queries: float
    seconds: float


@dataclass(frozen=True, kw_only=True)
class AttackSummary(AimedSummary):
    """What an attack leaves of a data set, at each level."""

    levels: tuple[AttackedShares, ...]


@dataclass(frozen=True)
class Aimed(Asked):
    """An attack on the labels of a data set; targets are random wrong labels."""

    plan: Annotated[Plan, Entry(by=Plan.to_json, inline=True)]
    levels_db: Levels
    targeted: bool = False

    smallest: ClassVar[bool] = False

    @property
    def header(self) -> dict[str, Any]:
        return super().header | {"smallest": self.smallest}


@dataclass(frozen=True)
class AttackLevels(Aimed):
    """An attack at every level."""

    row = AttackRow

    def summary(self, rows: Sequence[AttackRow]) -> AttackSummary:
        """Success rate (of the clips that can be fooled) and robust accuracy at each level."""
        can = [row for row in rows if row.attackable]
        levels = (
            AttackedShares(
                level_db,
                known_share(row.reached(row.after[at]) for row in can),
                known_share(row.reached(row.as_sound[at]) for row in can),
                known_share(row.reached(row.after_rounding[at]) for row in can),
                known_share(row.clean == row.label == row.after[at] for row in rows),
            )
            for at, level_db in enumerate(self.levels_db)
        )
        return AttackSummary(**common_shares(rows), levels=tuple(levels))


def attack_levels(
    classifier: Classifier,
    batch: LabelledBatch,
    settings: AttackLevels,
    generator: Generators,
    progress: Progress | None = None,
) -> list[AttackRow]:
    """What an attack at every level leaves of every clip; targets are the same at every level."""
    x, plan = batch.waveforms, settings.plan
    criterion, rows = aim(classifier, batch, settings, generator)
    threat, (_, back) = plan.threat(classifier, x), classifier.split(plan.representation)
    after, as_sound, after_rounding, queries = [], [], [], torch.zeros_like(batch.labels)
    for number, level_db in enumerate(settings.levels_db):
        part = part_of(progress, number, len(settings.levels_db))
        result = plan(classifier, x, criterion, level_db, generator, part, threat)
        after.append(predictions(back, result.adversarial).tolist())
        _, plain, rounded = heard_as(classifier, x, plan, result.adversarial)
        as_sound.append(plain)
        after_rounding.append(rounded)
        queries = queries + result.queries
    return [
        AttackRow(
            **row,
            after=[level[i] for level in after],
            as_sound=[level[i] for level in as_sound],
            after_rounding=[level[i] for level in after_rounding],
            queries=int(queries[i]),
        )
        for i, row in enumerate(rows)
    ]


def aim(
    classifier: Classifier, batch: LabelledBatch, settings: Aimed, generator: Generators
) -> tuple[Criterion, list[dict[str, Any]]]:
    """What is wanted of labelled clips, and the entries of their rows that no attack changes.

    Away from the label, or towards a random other one.
    """
    labels, targets, count = batch.labels, None, len(classifier.labels)
    if settings.targeted:
        drawn = labels.new_tensor(whole_numbers(count - 1, len(batch), generator))
        targets = (labels + drawn + 1) % count
    goals = [None] * len(batch) if targets is None else targets.tolist()
    clean = predictions(classifier, batch.waveforms).tolist()
    return criterion_of(labels, targets), [
        {"label": y, "target": t, "clean": c, "attackable": c == y if t is None else c != t}
        for y, t, c in zip(labels.tolist(), goals, clean, strict=True)
    ]


def heard_as(
    classifier: Classifier, x: Tensor, plan: Plan, adversarial: Tensor
) -> tuple[Float[Tensor, "clip time"] | None, list[int | None], list[int | None]]:
    """The sounds of attacked features, their labels, and those after a 16-bit file.

    None where there is no way to sound.
    """
    sounds = adversarial
    if plan.representation != "waveform":
        if plan.representation not in audible_representations(classifier):
            return None, [None] * len(x), [None] * len(x)
        sounds = sound_of(classifier, x, plan.representation, adversarial)
    rounded = predictions(classifier, rounded_to_16_bit(sounds))
    return sounds, predictions(classifier, sounds).tolist(), rounded.tolist()


def common_shares(rows: Sequence[AimedRow]) -> dict[str, Any]:
    """The entries of every summary of an attack."""
    return {
        "clean_accuracy": share([row.clean == row.label for row in rows]),
        "attackable": sum(row.attackable for row in rows),
        "median_queries": median(row.queries for row in rows),
        "seconds": seconds_of(rows),
    }


def known_share(hits: Iterable[bool | None]) -> float | None:
    """The share of true values; None if one of them is not known."""
    known = list(hits)
    return None if None in known else share([bool(hit) for hit in known])


def criterion_of(label: Tensor, target: Tensor | None) -> Criterion:
    return Misclassification(label) if target is None else TargetedMisclassification(target)
