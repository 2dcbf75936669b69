"""One function per verb and kind of input: a clip or a data set in, a record out."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from math import inf, isfinite

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from robustaudio.attacks import Attack
from robustaudio.audio.clip import headroom_gain
from robustaudio.audio.datasets import Dataset
from robustaudio.certification.smoothing import Smoothed, Smoothing
from robustaudio.certification.verify import Verification, Verifier
from robustaudio.classifiers.classifier import Classifier
from robustaudio.perception import metrics
from robustaudio.threats.criterion import Criterion, Misclassification, TargetedMisclassification
from robustaudio.threats.noise import gaussian_noise, noisy_clip
from robustaudio.threats.threat_model import ThreatModel

Progress = Callable[[float], None]
BATCH = 100  # clips at a time
LOWEST_ATTACK_DB, SECTIONS, ROUNDS = -120.0, 12, 3  # 120 dB / 13^3: levels to 0.06 dB


@dataclass(frozen=True, eq=False)
class LabelledClips:
    """Prepared clips of a data set, ready for one classifier."""

    dataset: str
    split: str
    waveforms: Float[Tensor, "clip time"]
    labels: Int[Tensor, " clip"]

    @property
    def header(self) -> dict:
        return {"dataset": self.dataset, "split": self.split, "clips": len(self.labels)}


def generator(seed: int, device: torch.device | str = "cpu") -> torch.Generator:
    """All randomness of a run.

    Raises:
        ValueError: for a seed outside 0 to 2^63 - 1.
    """
    if not 0 <= seed < 2**63:
        raise ValueError(f"seed {seed} must lie between 0 and 2^63 - 1.")
    return torch.Generator(device).manual_seed(seed)


def load_clips(classifier: Classifier, dataset: Dataset) -> LabelledClips:
    """Every clip of one split of a data set, prepared, on the classifier's device."""
    waveforms, labels = classifier.prepare_dataset(dataset)
    device = next(classifier.parameters()).device
    split = dataset.rows[0]["split"]
    return LabelledClips(dataset.name, split, waveforms.to(device), labels.to(device))


# --- predict ---------------------------------------------------------------------------------


def predict_clip(classifier: Classifier, waveform: Float[Tensor, " time"]) -> dict:
    p = classifier.probabilities(waveform[None])[0].tolist()
    probabilities = dict(zip(classifier.labels, p, strict=True))
    return {
        "classifier": classifier.name,
        "prediction": max(probabilities, key=probabilities.__getitem__),
        "probabilities": probabilities,
    }


def predict_dataset(classifier: Classifier, clips: LabelledClips) -> dict:
    started = time.monotonic()
    accuracy = share(predictions(classifier, clips.waveforms) == clips.labels)
    return {
        "classifier": classifier.name,
        **clips.header,
        "clean_accuracy": accuracy,
        "seconds": seconds_since(started),
    }


@torch.no_grad()
def predictions(classifier: torch.nn.Module, x: Tensor) -> Int[Tensor, " clip"]:
    return torch.cat([classifier(batch).argmax(-1) for batch in x.split(BATCH)])


# --- attack ----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class PerturbedClip:
    """A perturbed waveform beside the clean one, and the record of how it came about."""

    clean: Float[Tensor, " time"]
    perturbed: Float[Tensor, " time"]
    record: dict

    @property
    def perturbation(self) -> Float[Tensor, " time"]:
        return self.perturbed - self.clean


def attack_clip(
    classifier: Classifier,
    waveform: Float[Tensor, " time"],
    attack: Attack,
    *,
    norm: str,
    level_db: float,
    target: int | None,
    seed: int,
    progress: Progress | None = None,
) -> PerturbedClip:
    """Attacks the prediction on one prepared clip; `target` None leaves it, else goes there.

    Raises:
        ValueError: if the target is already the prediction.
    """
    x, started = waveform[None], time.monotonic()
    label = predictions(classifier, x)
    if target is not None and target == int(label):
        raise ValueError(f"the target {classifier.labels[target]!r} is already the prediction.")
    criterion = _criterion(label, None if target is None else label.new_tensor([target]))
    threat = ThreatModel(norm, metrics.epsilon_at(level_db, x, norm))
    result = attack(
        classifier, x, criterion, threat, generator=generator(seed, x.device), progress=progress
    )
    perturbed = result.adversarial[0]
    record = {
        "success": bool(result.is_adversarial[0]),
        "output": None,
        "norm": norm,
        "targeted": target is not None,
        "target": classifier.label_of(target),
        "budget_db": level_db,
        "queries": int(result.queries[0]),
        "history": result.history.tolist(),
        "seconds": seconds_since(started),
    }
    return PerturbedClip(
        waveform,
        perturbed,
        {
            **compare(classifier, waveform, perturbed, criterion),
            **record,
            "settings": asdict(attack),
            "seed": seed,
        },
    )


def compare(
    classifier: Classifier,
    clean: Float[Tensor, " time"],
    perturbed: Float[Tensor, " time"],
    criterion: Criterion | None = None,
) -> dict:
    """Predictions before and after, distances and levels, and what 16-bit rounding leaves.

    Without a criterion, success is a changed prediction.
    """
    before, after = predict_clip(classifier, clean), predict_clip(classifier, perturbed)
    perturbation = (perturbed - clean)[None]
    criterion = criterion or Misclassification(classifier(clean[None]).argmax(-1))
    rounded = classifier(rounded_to_16_bit(perturbed)[None])
    return {
        "classifier": classifier.name,
        "clean_prediction": before["prediction"],
        "prediction": after["prediction"],
        "probabilities": after["probabilities"],
        "level_db": finite(metrics.level_db(perturbation, clean[None])[0]),
        "snr_db": finite(metrics.snr_db(perturbation, clean[None])[0]),
        "l2": float(metrics.l2(perturbation)),
        "linf": float(metrics.linf(perturbation)),
        "prediction_after_rounding": classifier.labels[int(rounded.argmax())],
        "success_after_rounding": bool(criterion.is_adversarial(rounded)[0]),
    }


def attack_dataset(
    classifier: Classifier,
    clips: LabelledClips,
    attack: Attack,
    name: str,
    *,
    norm: str,
    levels_db: Sequence[float],
    targeted: bool,
    seed: int,
    progress: Progress | None = None,
) -> dict:
    """Success rate (of the clips that can still be fooled) and robust accuracy at each level.

    Targets are random wrong labels, the same at every level.
    """
    started = time.monotonic()
    x, y, rng = clips.waveforms, clips.labels, generator(seed, clips.waveforms.device)
    clean = predictions(classifier, x)
    shift = torch.randint(1, len(classifier.labels), y.shape, generator=rng, device=y.device)
    targets = (y + shift) % len(classifier.labels) if targeted else None
    attackable = clean != targets if targeted else clean == y
    levels = []
    for number, level_db in enumerate(levels_db):
        adversarial = attacked(
            classifier,
            x,
            y,
            targets,
            attack,
            norm,
            level_db,
            rng,
            part_of(progress, number, len(levels_db)),
        )
        after = predictions(classifier, adversarial)
        success = after == targets if targeted else after != y
        levels.append(
            {
                "level_db": level_db,
                "success_rate": share(success[attackable]),
                "robust_accuracy": share((clean == y) & (after == y)),
            }
        )
    return {
        "classifier": classifier.name,
        "attack": name,
        **clips.header,
        "norm": norm,
        "targeted": targeted,
        "settings": asdict(attack),
        "seed": seed,
        "clean_accuracy": share(clean == y),
        "levels": levels,
        "seconds": seconds_since(started),
    }


def attacked(
    classifier: Classifier,
    x: Float[Tensor, "clip time"],
    label: Int[Tensor, " clip"],
    targets: Int[Tensor, " clip"] | None,
    attack: Attack,
    norm: str,
    level_db: float,
    rng: torch.Generator,
    progress: Progress | None = None,
) -> Float[Tensor, "clip time"]:
    """The adversarial clips of a data set at one level, in batches."""
    out = []
    for start in range(0, len(x), BATCH):
        at = slice(start, start + BATCH)
        criterion = _criterion(label[at], None if targets is None else targets[at])
        threat = ThreatModel(norm, metrics.epsilon_at(level_db, x[at], norm))
        part = part_of(progress, start, len(x), BATCH)
        result = attack(classifier, x[at], criterion, threat, generator=rng, progress=part)
        out.append(result.adversarial)
    return torch.cat(out)


def smallest_level(
    classifier: Classifier,
    waveform: Float[Tensor, " time"],
    attack: Attack,
    *,
    norm: str,
    seed: int,
    progress: Progress | None = None,
) -> float:
    """Smallest level in dB at which the attack changes the prediction; inf if none up to 0 dB.

    Levels are tried 12 at a time in one batch, then 12 between the smallest success and the
    level below it. The level returned is that of the perturbation found.
    """
    rng, label = generator(seed, waveform.device), predictions(classifier, waveform[None])
    clean, labels = waveform.expand(SECTIONS, -1), label.expand(SECTIONS)
    low, width, best = LOWEST_ATTACK_DB, -LOWEST_ATTACK_DB, inf
    for turn in range(ROUNDS):
        step = width / (SECTIONS + (turn > 0))
        levels = low + step * torch.arange(1, SECTIONS + 1, dtype=torch.float64)
        epsilon = metrics.epsilon_at(levels, clean, norm)
        result = attack(
            classifier,
            clean,
            Misclassification(labels),
            ThreatModel(norm, epsilon),
            generator=rng,
            progress=part_of(progress, turn, ROUNDS),
        )
        fooled = result.is_adversarial.nonzero().flatten()
        if len(fooled):
            first = int(fooled[0])
            found = (result.adversarial - clean)[fooled]
            sizes = metrics.level_in(norm, found, clean[fooled])
            best, low = min(best, float(sizes.min())), low + step * first
        elif turn == 0:
            return inf
        else:
            low += step * SECTIONS
        width = step
    return best


def rounded_to_16_bit(waveform: Float[Tensor, " time"]) -> Float[Tensor, " time"]:
    """The waveform after a 16-bit file, with the common headroom gain undone."""
    gain = headroom_gain(float(waveform.abs().max()))
    steps = (waveform * gain / metrics.STEP_16_BIT).round()
    return steps.clamp(-(2.0**15), 2.0**15 - 1) * metrics.STEP_16_BIT / gain


# --- noise -----------------------------------------------------------------------------------


def noise_clip(
    classifier: Classifier,
    waveform: Float[Tensor, " time"],
    *,
    representation: str,
    sigma: float,
    seed: int,
) -> PerturbedClip:
    """Gaussian noise at a representation; the sound is what its inversion gives."""
    rng = generator(seed, waveform.device)
    noisy = noisy_clip(classifier, waveform[None], representation, sigma, rng)
    _, back = classifier.split(representation)
    record = {
        **compare(classifier, waveform, noisy.waveform[0]),
        "representation": representation,
        "sigma": sigma,
        "prediction_at_representation": classifier.labels[int(back(noisy.features).argmax())],
        "inversion_loss_db": finite(noisy.inversion_loss_db),
        "seed": seed,
    }
    return PerturbedClip(waveform, noisy.waveform[0], record)


def noise_dataset(
    classifier: Classifier,
    clips: LabelledClips,
    *,
    representation: str,
    sigmas: Sequence[float],
    seed: int,
    progress: Progress | None = None,
) -> dict:
    """Accuracy under one draw of noise per clip, at each sigma."""
    started, rng = time.monotonic(), generator(seed, clips.waveforms.device)
    front, back = classifier.split(representation)
    levels = []
    for number, sigma in enumerate(sigmas):
        if progress:
            progress(number / len(sigmas))
        with torch.no_grad():
            after = [
                back(gaussian_noise(front(x), sigma, rng)).argmax(-1)
                for x in clips.waveforms.split(BATCH)
            ]
        levels.append({"sigma": sigma, "accuracy": share(torch.cat(after) == clips.labels)})
    return {
        "classifier": classifier.name,
        **clips.header,
        "representation": representation,
        "seed": seed,
        "levels": levels,
        "seconds": seconds_since(started),
    }


# --- verify ----------------------------------------------------------------------------------


def verify_clip(
    classifier: Classifier,
    waveform: Float[Tensor, " time"],
    *,
    norm: str,
    level_db: float,
    progress: Progress | None = None,
) -> dict:
    """The verdict at a level, the bounds of all logits there, and the largest level that holds."""
    started, verifier, x = time.monotonic(), Verifier(classifier), waveform[None]
    label = verifier.predict(x)
    at = verifier.verify(x, label, metrics.epsilon_at(level_db, x.double(), norm), norm)
    largest = float(verifier.largest_level(x, label, norm, progress)[0])
    return {
        "classifier": classifier.name,
        "prediction": classifier.labels[int(label)],
        "norm": norm,
        "method": "interval",
        "level_db": level_db,
        "epsilon": float(at.threat.epsilon[0]),
        "verified": bool(at.verified[0]),
        "worst_logits": worst_logits(classifier, at),
        "logits_lower": dict(zip(classifier.labels, at.logits.lower[0].tolist(), strict=True)),
        "logits_upper": dict(zip(classifier.labels, at.logits.upper[0].tolist(), strict=True)),
        "largest_level_db": finite(largest),
        "floor_16_bit_db": metrics.floor_16_bit_db(waveform),
        "seconds": seconds_since(started),
    }


def worst_logits(classifier: Classifier, verification: Verification, item: int = 0) -> dict:
    """How far each other label can come, relative to the prediction: positive could win."""
    margins = (-verification.margins[item]).tolist()
    return dict(zip(classifier.labels, margins, strict=True))


def verify_dataset(
    classifier: Classifier,
    clips: LabelledClips,
    *,
    norm: str,
    levels_db: Sequence[float],
    progress: Progress | None = None,
) -> dict:
    """Verified accuracy over ALL clips, and provability: the share of the correct ones."""
    started, verifier = time.monotonic(), Verifier(classifier)
    correct = torch.cat([verifier.predict(x) for x in clips.waveforms.split(BATCH)]) == clips.labels
    levels = []
    for number, level_db in enumerate(levels_db):
        if progress:
            progress(number / len(levels_db))
        level = torch.full((len(correct),), level_db, device=correct.device, dtype=torch.float64)
        held = correct & verifier.verified_at(clips.waveforms, clips.labels, level, norm)
        levels.append(
            {
                "level_db": level_db,
                "verified_accuracy": share(held),
                "provability": share(held[correct]),
            }
        )
    return {
        "classifier": classifier.name,
        **clips.header,
        "norm": norm,
        "method": "interval",
        "clean_accuracy": share(correct),
        "levels": levels,
        "seconds": seconds_since(started),
    }


# --- certify ---------------------------------------------------------------------------------


def smooth_clip(
    classifier: Classifier,
    waveform: Float[Tensor, " time"],
    smoothing: Smoothing,
    *,
    representation: str,
    rng: torch.Generator,
    progress: Progress | None = None,
) -> Smoothed:
    """Smoothing of one prepared clip at a representation."""
    front, back = classifier.split(representation)
    with torch.no_grad():
        features = front(waveform[None])[0]
    return smoothing(
        back, features, representation=representation, generator=rng, progress=progress
    )


def certify_clip(
    classifier: Classifier,
    waveform: Float[Tensor, " time"],
    smoothing: Smoothing,
    *,
    representation: str,
    seed: int,
    progress: Progress | None = None,
) -> dict:
    """The smoothed classifier's class and radius on one clip, with the votes.

    At the waveform the l2 radius R is also given as levels: R against the clip's l2 norm, and
    R / sqrt(T) against its peak, for the linf ball that lies inside the l2 ball.
    """
    started, rng = time.monotonic(), generator(seed, waveform.device)
    smoothed = smooth_clip(
        classifier, waveform, smoothing, representation=representation, rng=rng, progress=progress
    )
    certificate, radius = smoothed.certificate, smoothed.certificate.radius
    at_waveform = representation == "waveform" and certificate.prediction is not None
    inscribed = radius / len(waveform) ** 0.5
    return {
        "classifier": classifier.name,
        "clean_prediction": classifier.labels[int(predictions(classifier, waveform[None]))],
        "prediction": classifier.label_of(certificate.prediction),
        "radius": radius,
        "norm": certificate.norm,
        "representation": representation,
        "confidence": certificate.confidence,
        "p_lower": smoothed.p_lower,
        "counts": dict(zip(classifier.labels, smoothed.counts.tolist(), strict=True)),
        "level_l2_db": metrics.level_of(radius, waveform, "l2") if at_waveform else None,
        "level_linf_db": metrics.level_of(inscribed, waveform, "linf") if at_waveform else None,
        **asdict(smoothing),
        "seed": seed,
        "seconds": seconds_since(started),
    }


def certify_dataset(
    classifier: Classifier,
    clips: LabelledClips,
    smoothing: Smoothing,
    *,
    representation: str,
    radii: Sequence[float],
    seed: int,
    progress: Progress | None = None,
) -> dict:
    """Share of clips whose certified class is right with at least each radius."""
    started, rng = time.monotonic(), generator(seed, clips.waveforms.device)
    if not all(0 <= radius < inf for radius in radii):
        raise ValueError(f"radii {[*radii]} must be 0 or more, and finite.")
    certificates = []
    for number, waveform in enumerate(clips.waveforms):
        certificates.append(
            smooth_clip(
                classifier,
                waveform,
                smoothing,
                representation=representation,
                rng=rng,
                progress=part_of(progress, number, len(clips.labels)),
            ).certificate
        )
    right = [
        c.radius if c.prediction == int(y) else -inf
        for c, y in zip(certificates, clips.labels, strict=True)
    ]
    reached = torch.tensor(right, dtype=torch.float64)
    return {
        "classifier": classifier.name,
        **clips.header,
        "representation": representation,
        **asdict(smoothing),
        "seed": seed,
        "abstained": sum(c.prediction is None for c in certificates) / len(certificates),
        "radii": [{"radius": r, "certified_accuracy": share(reached >= r)} for r in radii],
        "seconds": seconds_since(started),
    }


# --- shared ----------------------------------------------------------------------------------


def share(hits: Bool[Tensor, " clip"]) -> float:
    """The share of true values; 0 of nothing is 0."""
    return float(hits.double().mean()) if len(hits) else 0.0


def finite(value: float | Tensor) -> float | None:
    """A number that JSON can hold, or None for an infinite one."""
    value = float(value)
    return value if isfinite(value) else None


def seconds_since(started: float) -> float:
    return round(time.monotonic() - started, 3)


def _criterion(label: Tensor, target: Tensor | None) -> Criterion:
    return Misclassification(label) if target is None else TargetedMisclassification(target)


def part_of(progress: Progress | None, start: float, of: float, size: float = 1) -> Progress | None:
    """The progress of one part, from `start` on and `size` long, of a run that is `of` long."""
    return progress and (lambda done: progress(min((start + done * size) / of, 1.0)))
