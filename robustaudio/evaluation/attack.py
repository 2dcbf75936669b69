"""Attacks on a clip, on a data set, and the smallest level that breaks a clip."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from math import inf
from pathlib import Path
from statistics import median

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from robustaudio import columns
from robustaudio.attacks import MINIMISING, Attack, AttackResult, Step
from robustaudio.attacks.rounding import After16Bit, rounded_to_16_bit
from robustaudio.audio.exact import exact
from robustaudio.classifiers.classifier import Classifier
from robustaudio.classifiers.evaluation_mode import evaluation_mode, in_evaluation_mode
from robustaudio.columns import FLAG, Column, list_of, needed, whole
from robustaudio.evaluation.clips import (
    BATCH,
    LabelledClips,
    finite,
    generator,
    predictions,
    seconds_since,
    share,
)
from robustaudio.evaluation.comparison import compare
from robustaudio.evaluation.engine import resumable
from robustaudio.evaluation.predict import predict_clip
from robustaudio.evaluation.results import AttackedClip, Standing
from robustaudio.perception.distances import distances
from robustaudio.perception.levels import amplitude_db
from robustaudio.perception.masking import masking_framing, masking_threshold
from robustaudio.progress import Progress, part_of
from robustaudio.threats.criterion import Criterion, Misclassification, TargetedMisclassification
from robustaudio.threats.noise import audible_representations, check_audible, sound_of
from robustaudio.threats.norms import LINF, Norm
from robustaudio.threats.threat_model import threat_at

SECTIONS, ROUNDS = 12, 3  # of one clip: 120 dB / 13^3: levels to 0.06 dB
BISECTIONS = 11  # of many clips: 120 dB / 2^11: levels to 0.06 dB
HEARD = ("as_sound", "after_rounding")  # whose predictions rows hold
METRICS = ("snr_db", "level_db", "noise_to_mask_db", "max_noise_to_mask_db")  # of a data set's rows


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
        rng: torch.Generator,
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
        return self.attack(model, features, criterion, threat, generator=rng, progress=progress)

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


@in_evaluation_mode
def attack_clip(
    classifier: Classifier,
    waveform: Float[Tensor, " time"],
    plan: Plan,
    *,
    level_db: float,
    target: int | None,
    seed: int,
    progress: Progress | None = None,
) -> AttackedClip:
    """Attacks the prediction on one prepared clip; `target` None leaves it, else goes there.

    `progress` is told a `Standing` with every step. What a representation's attack sounds like is
    its inversion, and that is what is compared with the clip: `success` is the attack's, on what it
    attacked, `success_of_sound` that of the sound. `reached_db` is the level in the threat's norm.

    Raises:
        ValueError: if the target is already the prediction, or for an impossible plan.
    """
    x, started = waveform[None], time.monotonic()
    before = predict_clip(classifier, waveform)
    if target is not None and target == before.index:
        raise ValueError(f"the target {classifier.labels[target]!r} is already the prediction.")
    label = torch.tensor([before.index], device=x.device)
    criterion = _criterion(label, None if target is None else label.new_tensor([target]))
    front, _ = classifier.split(plan.representation)
    check_audible(classifier, plan.representation)
    reference = float(plan.norm.reference(front(x))[0])

    def sound(features: Tensor) -> Float[Tensor, " time"]:
        return sound_of(classifier, x, plan.representation, features)[0].detach()

    def standing(step: Step) -> Standing:
        level, best = finite(amplitude_db(step.distance / reference)), step.best
        return Standing(step.loss, level, step.population, best and (lambda: sound(best())))

    def tell(done: float, step: Step | None = None) -> None:
        if progress:
            progress(done, step and standing(step))

    result = plan(classifier, x, criterion, level_db, generator(seed, x.device), tell)
    perturbed = sound(result.adversarial)
    history = tuple(standing(step) for step in result.history)
    seconds = seconds_since(started)
    return AttackedClip(
        **vars(compare(classifier, waveform, perturbed, criterion, before)),
        success=bool(result.is_adversarial[0]),
        success_of_sound=bool(criterion.is_adversarial(classifier(perturbed[None]))[0]),
        **plan.record,
        targeted=target is not None,
        target=classifier.label_of(target),
        budget_db=level_db,
        reached_db=finite(amplitude_db(float(result.distance[0]) / reference)),
        queries=int(result.queries[0]),
        course=history,
        seed=seed,
        seconds=seconds,
    )


def attack_dataset(
    classifier: Classifier,
    clips: LabelledClips,
    plan: Plan,
    *,
    levels_db: Sequence[float],
    targeted: bool,
    seed: int,
    smallest: bool = False,
    path: Path | None = None,
    progress: Progress | None = None,
) -> dict:
    """Success rate (of the clips that can still be fooled) and robust accuracy at each level.

    Targets are random wrong labels, the same at every level. With `smallest`, the smallest level
    that succeeds is looked for in every clip, and the curve over the levels follows from it. With
    a path the run is resumable: a line per clip.
    """
    header = {
        "classifier": classifier.name,
        **clips.header,
        **plan.settings,
        "targeted": targeted,
        "seed": seed,
    }
    asked = {"levels_db": list(levels_db), "smallest": smallest, "sha256": classifier.sha256}
    targets = random_targets(classifier, clips, seed) if targeted else None

    def rows(numbers: list[int]) -> list[dict]:
        started, first = time.monotonic(), numbers[0]
        x, y = clips.waveforms[numbers], clips.labels[numbers]
        goals = None if targets is None else targets[numbers]
        rng = generator((seed + first) % 2**63, x.device)
        part = part_of(progress, first, len(clips.labels), len(numbers))
        if smallest:
            made = smallest_rows(classifier, x, y, goals, plan, rng, part)
        else:
            made = _level_rows(classifier, x, y, goals, plan, levels_db, rng, part)
        seconds = seconds_since(started) / len(numbers)
        return [{**row, "seconds": round(seconds, 4)} for row in made]

    found = resumable(
        rows, clips.names, chunk=BATCH, path=path, header=header | asked,
        columns=_columns(classifier, plan, None if smallest else len(levels_db)),
        progress=progress,
    )  # fmt: skip
    summary = summary_of_smallest if smallest else _summary_of_levels
    return {**header, **summary(found, levels_db)}


def _columns(classifier: Classifier, plan: Plan, levels: int | None) -> dict[str, Column]:
    """What a row must hold, of an attack at so many levels; None: at the smallest that succeeds."""
    label = whole(0, len(classifier.labels) - 1)
    common = {
        "label": needed(label), "target": label, "clean": needed(label),
        "attackable": needed(FLAG), "queries": needed(whole(0, 10**12)),
        "seconds": needed(columns.number(0, 1e9)),
    }  # fmt: skip
    if levels is None:
        sounds = ("waveform", *audible_representations(classifier))
        measured = METRICS if plan.representation in sounds else ()
        db = dict.fromkeys(("smallest_db", *measured), columns.number(-1e6, 1e6))
        return common | db | dict.fromkeys(HEARD, label)
    after = needed(list_of(levels, needed(label)))
    return common | {"after": after} | dict.fromkeys(HEARD, needed(list_of(levels, label)))


def random_targets(classifier: Classifier, clips: LabelledClips, seed: int) -> Int[Tensor, " clip"]:
    """A random label other than the true one."""
    rng, y = generator(seed, clips.labels.device), clips.labels
    shift = torch.randint(1, len(classifier.labels), y.shape, generator=rng, device=y.device)
    return (y + shift) % len(classifier.labels)


def _level_rows(
    classifier: Classifier,
    x: Tensor,
    y: Tensor,
    targets: Tensor | None,
    plan: Plan,
    levels_db: Sequence[float],
    rng: torch.Generator,
    progress: Progress | None,
) -> list[dict]:
    """What an attack at every level leaves of every clip."""
    common, criterion = _common_fields(classifier, x, y, targets), _criterion(y, targets)
    _, back = classifier.split(plan.representation)
    after, sounds, queries = [], [], torch.zeros_like(y)
    for number, level_db in enumerate(levels_db):
        part = part_of(progress, number, len(levels_db))
        result = plan(classifier, x, criterion, level_db, rng, part)
        after.append(predictions(back, result.adversarial))
        sounds.append(_heard(classifier, _sounds(classifier, x, plan, result.adversarial), len(x)))
        queries = queries + result.queries
    return [
        {
            **common[i],
            "after": [int(level[i]) for level in after],
            **{key: [level[key][i] for level in sounds] for key in HEARD},
            "queries": int(queries[i]),
        }
        for i in range(len(y))
    ]


def smallest_rows(
    classifier: Classifier,
    x: Tensor,
    y: Tensor,
    targets: Tensor | None,
    plan: Plan,
    rng: torch.Generator,
    progress: Progress | None = None,
) -> list[dict]:
    """The smallest level at which each clip falls, and what that perturbation is like."""
    common, criterion = _common_fields(classifier, x, y, targets), _criterion(y, targets)
    found = smallest_levels(classifier, x, criterion, plan, rng=rng, progress=progress)
    sounds = _sounds(classifier, x, plan, found.adversarial)
    heard = _heard(classifier, sounds, len(x))
    measured = None if sounds is None else distances(sounds, x, classifier.sample_rate)
    fell = found.is_adversarial
    return [
        {
            **common[i],
            "smallest_db": finite(found.level_db[i]),
            **{key: heard[key][i] for key in HEARD},
            **{
                key: finite(getattr(measured, key)[i]) if fell[i] else None
                for key in METRICS
                if measured
            },
            "queries": int(found.queries[i]),
        }
        for i in range(len(y))
    ]


def _common_fields(
    classifier: Classifier, x: Tensor, y: Tensor, targets: Tensor | None
) -> list[dict]:
    """Of every clip: what it is, what it is heard as, and whether there is anything to fool."""
    clean = predictions(classifier, x)
    can = clean == y if targets is None else clean != targets
    return [
        {
            "label": int(y[i]),
            "target": None if targets is None else int(targets[i]),
            "clean": int(clean[i]),
            "attackable": bool(can[i]),
        }
        for i in range(len(y))
    ]


def _sounds(
    classifier: Classifier, x: Tensor, plan: Plan, adversarial: Tensor
) -> Float[Tensor, "clip time"] | None:
    """The sounds of attacked features; None where there is no way to sound."""
    if plan.representation == "waveform":
        return adversarial
    if plan.representation not in audible_representations(classifier):
        return None
    return sound_of(classifier, x, plan.representation, adversarial)


def _heard(
    classifier: Classifier, sounds: Tensor | None, count: int
) -> dict[str, list[int | None]]:
    """Predictions of the sounds, and after a 16-bit file; None where there are none."""
    if sounds is None:
        return {key: [None] * count for key in HEARD}
    asked = (sounds, rounded_to_16_bit(sounds))
    return {
        key: predictions(classifier, some).tolist() for key, some in zip(HEARD, asked, strict=True)
    }


def _summary_of_levels(rows: list[dict], levels_db: Sequence[float]) -> dict:
    can = [row for row in rows if row["attackable"]]
    levels = [
        {
            "level_db": level_db,
            "success_rate": _share(_reached(row, row["after"][at]) for row in can),
            "success_of_sound": _share(_reached(row, row["as_sound"][at]) for row in can),
            "success_after_rounding": _share(
                _reached(row, row["after_rounding"][at]) for row in can
            ),
            "robust_accuracy": _share(
                row["clean"] == row["label"] == row["after"][at] for row in rows
            ),
        }
        for at, level_db in enumerate(levels_db)
    ]
    return {**_common(rows), "levels": levels}


def summary_of_smallest(rows: list[dict], levels_db: Sequence[float]) -> dict:
    """Shares of the clips that can be fooled, the success curve, and medians of the successes.

    Those of SNR and noise-to-mask ratio are over the sounds that fool.
    """
    can = [row for row in rows if row["attackable"]]
    fallen = [row for row in can if row["smallest_db"] is not None]
    sounding = [row for row in fallen if _reached(row, row["as_sound"])]
    levels = [
        {
            "level_db": level_db,
            "success_rate": sum(row["smallest_db"] <= level_db for row in fallen)
            / max(1, len(can)),
        }
        for level_db in levels_db
    ]
    return {
        **_common(rows),
        "success_rate": len(fallen) / max(1, len(can)),
        "success_of_sound": _share(_reached(row, row["as_sound"]) for row in can),
        "success_after_rounding": _share(_reached(row, row["after_rounding"]) for row in can),
        "median_smallest_db": _median(fallen, "smallest_db"),
        **{f"median_{key}": _median(sounding, key) for key in METRICS},
        "levels": levels,
    }


def _common(rows: list[dict]) -> dict:
    return {
        "clean_accuracy": _share(row["clean"] == row["label"] for row in rows),
        "attackable": sum(row["attackable"] for row in rows),
        "median_queries": median(row["queries"] for row in rows),
        "seconds": round(sum(row["seconds"] for row in rows), 3),
    }


def _reached(row: dict, prediction: int | None) -> bool | None:
    """Whether a prediction is what the attack wanted; None if nothing was heard."""
    if prediction is None:
        return None
    return prediction != row["label"] if row["target"] is None else prediction == row["target"]


def _share(hits: Iterable[bool | None]) -> float | None:
    known = list(hits)
    return None if None in known else share(torch.tensor(known, dtype=torch.bool))


def _median(rows: list[dict], key: str) -> float | None:
    values = [row[key] for row in rows if row.get(key) is not None]
    return median(values) if values else None


def attacked(
    classifier: Classifier,
    x: Float[Tensor, "clip time"],
    criterion: Criterion,
    plan: Plan,
    level_db: float,
    rng: torch.Generator,
    progress: Progress | None = None,
) -> Float[Tensor, "clip *shape"]:
    """What an attack at one level makes of many clips, in batches."""
    out = []
    for start in range(0, len(x), BATCH):
        at = torch.arange(start, min(start + BATCH, len(x)), device=x.device)
        part = part_of(progress, start, len(x), BATCH)
        out.append(plan(classifier, x[at], criterion[at], level_db, rng, part).adversarial)
    return torch.cat(out)


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
    rng: torch.Generator,
    progress: Progress | None = None,
) -> Smallest:
    """The smallest level in dB at which an attack succeeds, per clip.

    An attack that minimises by itself runs once, in the largest ball. For the others the levels are
    searched by sections, all clips in one batch: one clip in 12 sections at a time, many by
    bisection. The level is that of the perturbation found, which may be below the ball's.
    """
    lowest, highest = plan.norm.levels.attacked
    features = classifier.split(plan.representation)[0](x)
    reference = plan.norm.reference(features)
    sections, rounds = (SECTIONS, ROUNDS) if len(x) == 1 else (1, BISECTIONS)
    if isinstance(plan.attack, MINIMISING):
        sections, rounds = 1, 1
    clip = torch.arange(len(x), device=x.device).repeat_interleave(sections)
    low = torch.full_like(exact(reference), lowest)
    width = (highest - lowest) / (sections + (rounds > 1))
    best = torch.full_like(low, inf)
    queries = torch.zeros(len(x), dtype=torch.long, device=x.device)
    adversarial = features.clone()
    for turn in range(rounds):
        ahead = width * torch.arange(1, sections + 1, dtype=low.dtype, device=low.device)
        levels = (low[:, None] + ahead).flatten().clamp_max(highest).to(x)
        part = part_of(progress, turn, rounds)
        result = plan(classifier, x[clip], criterion[clip], levels, rng, part)
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


def smallest_level(
    classifier: Classifier,
    waveform: Float[Tensor, " time"],
    plan: Plan,
    *,
    seed: int,
    progress: Progress | None = None,
    label: int | None = None,
) -> float:
    """Smallest level in dB at which the attack changes the prediction on a clip; inf if none.

    `label` is the prediction, made here where it is not known.
    """
    x, rng = waveform[None], generator(seed, waveform.device)
    known = predictions(classifier, x) if label is None else torch.tensor([label], device=x.device)
    criterion = Misclassification(known)
    return float(
        smallest_levels(classifier, x, criterion, plan, rng=rng, progress=progress).level_db
    )


def _criterion(label: Tensor, target: Tensor | None) -> Criterion:
    return Misclassification(label) if target is None else TargetedMisclassification(target)
