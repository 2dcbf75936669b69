"""Attacks on a batch: one level and everything about it, or what is left at every level."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import Any, ClassVar, Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor

from robustaudio import columns
from robustaudio.attacks import Attack, AttackResult, Step
from robustaudio.audio.draws import Generators, Randomness, whole_numbers
from robustaudio.audio.sixteen_bit import After16Bit, rounded_to_16_bit
from robustaudio.classifiers.classifier import Classifier
from robustaudio.classifiers.evaluation_mode import evaluation_mode, in_evaluation_mode
from robustaudio.columns import FLAG, Column, list_of, needed, whole
from robustaudio.evaluation.batch import (
    Batch,
    LabelledBatch,
    finite,
    part_of,
    predictions,
    seconds_since,
    share,
)
from robustaudio.evaluation.comparison import compare
from robustaudio.evaluation.engine import Asked
from robustaudio.evaluation.predict import predict
from robustaudio.evaluation.results import AttackedClip, Standing, Summary
from robustaudio.perception.levels import amplitude_db
from robustaudio.perception.masking import masking_framing, masking_threshold
from robustaudio.progress import Progress
from robustaudio.threats.criterion import Criterion, Misclassification, TargetedMisclassification
from robustaudio.threats.noise import audible_representations, check_audible, sound_of
from robustaudio.threats.norms import LINF, Norm
from robustaudio.threats.threat_model import threat_at


@dataclass(frozen=True)
class Plan:
    """How clips are attacked: by what, in which norm, and at which representation.

    With `survive_rounding` the attack hears every candidate after a 16-bit file.
    """

    attack: Attack
    norm: Norm = LINF
    representation: str = "waveform"
    survive_rounding: bool = False

    def __call__(
        self,
        classifier: Classifier,
        x: Float[Tensor, "batch time"],
        criterion: Criterion,
        level_db: float | Float[Tensor, " batch"],
        generator: Randomness,
        progress: Progress | None = None,
    ) -> AttackResult:
        """The attack at a level, on the representation of prepared clips.

        Raises:
            ValueError: for an impossible level, norm or representation.
        """
        front, back = classifier.split(self.representation)
        threat = threat_at(classifier, x, level_db, self.norm, representation=self.representation)
        if self.attack.needs_threshold or self.survive_rounding:
            self._check_waveform()
        if self.attack.needs_threshold and threat.threshold is None:
            framing = masking_framing(classifier.sample_rate)
            threshold = masking_threshold(x, framing, classifier.sample_rate)
            threat = replace(threat, threshold=threshold)
        model = After16Bit(back) if self.survive_rounding else back
        with evaluation_mode(classifier):
            features = front(x)
        return self.attack(
            model, features, criterion, threat, generator=generator, progress=progress
        )

    @property
    def record(self) -> dict:
        """The entries of a result that say what was done."""
        return {
            "attack": type(self.attack).__name__,
            "norm": self.norm,
            "representation": self.representation,
            "survive_rounding": self.survive_rounding,
            "settings": self.attack,
        }

    @property
    def settings(self) -> dict:
        """The same as JSON."""
        return self.record | {"norm": self.norm.name, "settings": asdict(self.attack)}

    def _check_waveform(self) -> None:
        if self.representation != "waveform":
            raise ValueError(
                f"rounding and the masking threshold are of a waveform, not of "
                f"{self.representation!r}."
            )


@dataclass(frozen=True)
class Attacking:
    """An attack on the prediction at one level; `target` None leaves it, else goes there."""

    plan: Plan
    level_db: float
    target: int | None = None


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
    `Standing` goes to `progress` with every step; that of several clips is their mean.

    Raises:
        ValueError: if the target is already the prediction, or for an impossible plan.
    """
    plan, target, x = settings.plan, settings.target, batch.waveforms
    started, before = time.monotonic(), predict(classifier, batch)
    label = torch.tensor([clip.index for clip in before], device=x.device)
    if target is not None and bool((label == target).any()):
        raise ValueError(f"the target {classifier.labels[target]!r} is already the prediction.")
    criterion = criterion_of(label, None if target is None else torch.full_like(label, target))
    front, _ = classifier.split(plan.representation)
    check_audible(classifier, plan.representation)
    reference = plan.norm.reference(front(x))
    mean = float(reference.mean())

    def sound(features: Tensor) -> Float[Tensor, "clip time"]:
        return sound_of(classifier, x, plan.representation, features).detach()

    def standing(step: Step) -> Standing:
        level, best = finite(amplitude_db(step.distance / mean)), step.best
        return Standing(step.loss, level, step.population, best and (lambda: sound(best())[0]))

    def tell(done: float, step: Step | None = None) -> None:
        if progress:
            progress(done, step and standing(step))

    result = plan(classifier, x, criterion, settings.level_db, generator, tell)
    sounds = sound(result.adversarial)
    reached = criterion.is_adversarial(classifier(sounds))
    history, seconds = tuple(standing(step) for step in result.history), seconds_since(started)
    return [
        AttackedClip(
            **vars(compare(classifier, x[i], sounds[i], criterion[torch.tensor([i])], before[i])),
            success=bool(result.is_adversarial[i]),
            success_of_sound=bool(reached[i]),
            **plan.record,
            targeted=target is not None,
            target=classifier.label_of(target),
            budget_db=settings.level_db,
            reached_db=finite(amplitude_db(float(result.distance[i] / reference[i]))),
            queries=int(result.queries[i]),
            course=history,
            seed=generator.each[i].initial_seed(),
            seconds=seconds,
        )
        for i in range(len(batch))
    ]


@dataclass(frozen=True, kw_only=True)
class AttackRow:
    """A clip under attack at every level: numbers of labels, None where nothing sounds.

    `after` is the prediction of what was attacked, `as_sound` that of its sound, `after_rounding`
    that of its 16-bit file. Attackable is what is not taken for the goal already.
    """

    label: int
    target: int | None
    clean: int
    attackable: bool
    after: list[int]
    as_sound: list[int | None]
    after_rounding: list[int | None]
    queries: int
    seconds: float = 0.0


@dataclass(frozen=True)
class AttackLevels(Asked):
    """An attack on the labels of a data set at every level; targets are random wrong labels."""

    plan: Plan
    levels_db: tuple[float, ...]
    targeted: bool = False

    row: ClassVar[type] = AttackRow
    smallest: ClassVar[bool] = False

    @property
    def record(self) -> dict:
        return self.plan.settings | {"targeted": self.targeted}

    @property
    def header(self) -> dict:
        return {"levels_db": list(self.levels_db), "smallest": self.smallest}

    def columns(self, classifier: Classifier) -> dict[str, Column]:
        label = whole(0, len(classifier.labels) - 1)
        after = {"after": needed(list_of(len(self.levels_db), needed(label)))}
        sounds = dict.fromkeys(("as_sound", "after_rounding"),
                               needed(list_of(len(self.levels_db), label)))  # fmt: skip
        return columns_of_attacks(classifier) | after | sounds


def columns_of_attacks(classifier: Classifier) -> dict[str, Column]:
    """What a row of every attack holds."""
    label = whole(0, len(classifier.labels) - 1)
    return {
        "label": needed(label), "target": label, "clean": needed(label),
        "attackable": needed(FLAG), "queries": needed(whole(0, 10**12)),
        "seconds": needed(columns.number(0, 1e9)),
    }  # fmt: skip


def attack_levels(
    classifier: Classifier,
    batch: LabelledBatch,
    settings: AttackLevels,
    generator: Generators,
    progress: Progress | None = None,
) -> list[AttackRow]:
    """What an attack at every level leaves of every clip; targets are the same at every level."""
    aim = Aim.of(classifier, batch, settings.targeted, generator)
    _, back = classifier.split(settings.plan.representation)
    after, sounds, queries = [], [], torch.zeros_like(batch.labels)
    for number, level_db in enumerate(settings.levels_db):
        part = part_of(progress, number, len(settings.levels_db))
        result = settings.plan(
            classifier, batch.waveforms, aim.criterion, level_db, generator, part
        )
        after.append(predictions(back, result.adversarial).tolist())
        made = sounds_of(classifier, batch.waveforms, settings.plan, result.adversarial)
        sounds.append(labels_of_sounds(classifier, made, len(batch)))
        queries = queries + result.queries
    return [
        AttackRow(
            **aim.fields(i),
            after=[level[i] for level in after],
            as_sound=[plain[i] for plain, _ in sounds],
            after_rounding=[rounded[i] for _, rounded in sounds],
            queries=int(queries[i]),
        )
        for i in range(len(batch))
    ]


@dataclass(frozen=True, eq=False)
class Aim:
    """What an attack on labelled clips wants, and what they are taken for before it."""

    labels: Int[Tensor, " clip"]
    targets: Int[Tensor, " clip"] | None
    clean: Int[Tensor, " clip"]

    @classmethod
    def of(
        cls, classifier: Classifier, batch: LabelledBatch, targeted: bool, generator: Generators
    ) -> "Aim":
        """Away from the label, or towards a random other one."""
        targets = random_targets(classifier, batch, generator) if targeted else None
        return cls(batch.labels, targets, predictions(classifier, batch.waveforms))

    @property
    def criterion(self) -> Criterion:
        return criterion_of(self.labels, self.targets)

    def fields(self, item: int) -> dict[str, Any]:
        """The entries of a clip's row that no attack changes."""
        label, clean = int(self.labels[item]), int(self.clean[item])
        target = None if self.targets is None else int(self.targets[item])
        can = clean == label if target is None else clean != target
        return {"label": label, "target": target, "clean": clean, "attackable": can}


def random_targets(
    classifier: Classifier, batch: LabelledBatch, generator: Generators
) -> Int[Tensor, " clip"]:
    """A random label other than the true one."""
    drawn = whole_numbers(len(classifier.labels) - 1, len(batch), generator)
    return (batch.labels + batch.labels.new_tensor(drawn) + 1) % len(classifier.labels)


def sounds_of(
    classifier: Classifier, x: Tensor, plan: Plan, adversarial: Tensor
) -> Float[Tensor, "clip time"] | None:
    """The sounds of attacked features; None where there is no way to sound."""
    if plan.representation == "waveform":
        return adversarial
    if plan.representation not in audible_representations(classifier):
        return None
    return sound_of(classifier, x, plan.representation, adversarial)


def labels_of_sounds(
    classifier: Classifier, sounds: Tensor | None, count: int
) -> tuple[list[int | None], list[int | None]]:
    """Predictions of the sounds, and after a 16-bit file; None where there are none."""
    if sounds is None:
        return [None] * count, [None] * count
    rounded = rounded_to_16_bit(sounds)
    return predictions(classifier, sounds).tolist(), predictions(classifier, rounded).tolist()


@dataclass(frozen=True)
class AttackedShares:
    """Shares at a level: successes are of the clips that can be fooled, robust ones of all."""

    level_db: float
    success_rate: float | None
    success_of_sound: float | None
    success_after_rounding: float | None
    robust_accuracy: float | None


@dataclass(frozen=True, kw_only=True)
class AttackSummary(Summary):
    """What an attack leaves of a data set."""

    clean_accuracy: float
    attackable: int
    median_queries: float
    seconds: float
    levels: tuple[AttackedShares, ...]


def summary_of_attack(
    classifier: Classifier, batch: LabelledBatch, settings: AttackLevels, seed: int,
    rows: Sequence[AttackRow],
) -> AttackSummary:  # fmt: skip
    """Success rate (of the clips that can still be fooled) and robust accuracy at each level."""
    can = [row for row in rows if row.attackable]
    return AttackSummary(
        about=settings.about(classifier, batch, seed),
        **common_shares(rows),
        levels=tuple(
            AttackedShares(
                level_db,
                known_share(reached(row, row.after[at]) for row in can),
                known_share(reached(row, row.as_sound[at]) for row in can),
                known_share(reached(row, row.after_rounding[at]) for row in can),
                known_share(row.clean == row.label == row.after[at] for row in rows),
            )
            for at, level_db in enumerate(settings.levels_db)
        ),
    )


class Aimed(Protocol):
    """What the rows of every attack hold."""

    @property
    def label(self) -> int: ...
    @property
    def target(self) -> int | None: ...
    @property
    def clean(self) -> int: ...
    @property
    def attackable(self) -> bool: ...
    @property
    def queries(self) -> int: ...
    @property
    def seconds(self) -> float: ...


def common_shares(rows: Sequence[Aimed]) -> dict:
    """The entries of every summary of an attack."""
    return {
        "clean_accuracy": share([row.clean == row.label for row in rows]),
        "attackable": sum(row.attackable for row in rows),
        "median_queries": median(row.queries for row in rows),
        "seconds": round(sum(row.seconds for row in rows), 3),
    }


def reached(row: Aimed, prediction: int | None) -> bool | None:
    """Whether a prediction is what the attack wanted; None if nothing sounds."""
    if prediction is None:
        return None
    return prediction != row.label if row.target is None else prediction == row.target


def known_share(hits: Iterable[bool | None]) -> float | None:
    """The share of true values; None if one of them is not known."""
    known = list(hits)
    return None if None in known else share([bool(hit) for hit in known])


def criterion_of(label: Tensor, target: Tensor | None) -> Criterion:
    return Misclassification(label) if target is None else TargetedMisclassification(target)
