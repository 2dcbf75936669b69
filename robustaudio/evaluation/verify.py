"""Verification: of clips in detail, and of a data set at every level."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from robustaudio.audio.draws import Generators
from robustaudio.audio.float64 import exact
from robustaudio.certification.interval import UnsupportedLayer
from robustaudio.certification.verify import Verifier, proof_obstacle
from robustaudio.classifiers.classifier import Classifier
from robustaudio.evaluation.batch import (
    Batch,
    LabelledBatch,
    finite,
    generator,
    seconds_since,
    share,
)
from robustaudio.evaluation.engine import Asked, Levels, Row, seconds_of
from robustaudio.evaluation.results import MaskingAssumptions, NoisePair, OfNoises, VerifiedClip
from robustaudio.perception.audibility import noise_to_mask_ratio, total_noise_to_mask_db
from robustaudio.perception.levels import amplitude_db, floor_16_bit_db, l2, snr_db
from robustaudio.perception.masking import ASSUMED_PEAK_SPL_DB
from robustaudio.progress import Progress
from robustaudio.threats.norms import MASKING, Norm
from robustaudio.threats.threat_model import UNBOUNDED, ThreatModel, threat_at


@dataclass(frozen=True)
class Verifying:
    """A proof at a level in a norm, by a method of `Verifier`."""

    norm: Norm
    level_db: float
    method: str = "interval"


def verify(
    classifier: Classifier,
    batch: Batch,
    settings: Verifying,
    generator: Generators | None = None,
    progress: Progress | None = None,
) -> list[VerifiedClip]:
    """The verdict at a level, the bounds of all logits there, and the largest level that holds."""
    started, x = time.monotonic(), batch.waveforms
    norm, level_db, method = settings.norm, settings.level_db, settings.method
    verifier = _verifier(classifier, settings)
    label, at_0_db = verifier.predict(x), verifier.threat_at(x, 0.0, norm)
    threat = verifier.threat_at(x, level_db, norm, at_0_db)
    at, logits = verifier.verify(x, label, threat), verifier.logits(x, threat)
    largest = verifier.largest_level(x, label, norm, progress, at_0_db)
    seconds = seconds_since(started)

    def by_label(values: Tensor) -> dict[str, float]:
        return dict(zip(classifier.labels, values.tolist(), strict=True))

    return [
        VerifiedClip(
            classifier=classifier.name,
            prediction=classifier.labels[int(label[i])],
            certificate=at.certificate(i),
            norm=norm,
            method=method,
            level_db=level_db,
            epsilon=float(at.threat.epsilon[i]),
            verified=bool(at.verified[i]),
            worst_logits=by_label(-at.margins[i]),
            logits_lower=by_label(logits.lower[i]),
            logits_upper=by_label(logits.upper[i]),
            largest_level_db=finite(largest[i]),
            duration_s=x.shape[1] / classifier.sample_rate,
            masking=masking_assumptions(at.threat),
            floor_16_bit_db=floor_16_bit_db(x[i]),
            seconds=seconds,
        )
        for i in range(len(batch))
    ]


def _verifier(classifier: Classifier, settings: "Verifying | VerifyLevels") -> Verifier:
    if reason := proof_obstacle(classifier, settings.method, settings.norm):
        raise UnsupportedLayer(reason)
    return Verifier(classifier, method=settings.method)


def masking_assumptions(threat: ThreatModel) -> MaskingAssumptions | None:
    """What a masking set supposes; None for another set."""
    if threat.threshold is None:
        return None
    framing, rate = threat.threshold.framing, threat.threshold.sample_rate
    return MaskingAssumptions(
        assumed_peak_spl_db=ASSUMED_PEAK_SPL_DB,
        frame_ms=1000 * framing.n_fft / rate,
        hop_ms=1000 * framing.hop_length / rate,
        pre_emphasis=framing.pre_emphasis,
    )


def noise_under_threshold(
    classifier: Classifier, waveform: Float[Tensor, " time"], *, level_db: float, seed: int
) -> NoisePair:
    """What a level of the masking set sounds like, and why energy is the wrong unit.

    The shaped noise is a point of the set that the certificate speaks of. The white one lies where
    the shaped one does: in time its energy follows the clip's own span.
    """
    x = exact(waveform[None])
    rng = generator(seed, x.device)
    threat = threat_at(classifier, x, level_db, MASKING, UNBOUNDED)
    shaped = threat.sample(x, rng) - x
    white = torch.randn(x.shape, generator=rng, device=x.device).double() * (x != 0)
    white = white * l2(shaped) / l2(white).clamp_min(1e-30)

    def exceeds_db(noise: Tensor) -> float | None:
        return finite(amplitude_db(float(threat.distance(noise)[0])))

    def to_mask_db(noise: Tensor) -> float:
        assert threat.threshold is not None
        return float(total_noise_to_mask_db(noise_to_mask_ratio(noise, threat.threshold)))

    return NoisePair(
        shaped[0].to(waveform),
        white[0].to(waveform),
        level_db=level_db,
        seed=seed,
        snr_db=finite(snr_db(shaped, x)[0]),
        exceeds_threshold_db=OfNoises(exceeds_db(shaped), exceeds_db(white)),
        noise_to_mask_db=OfNoises(to_mask_db(shaped), to_mask_db(white)),
    )


@dataclass(frozen=True, kw_only=True)
class VerdictRow(Row):
    """Whether a clip is classified correctly, and correct and proven at each level."""

    correct: bool
    verified: list[bool]


@dataclass(frozen=True)
class VerifiedShares:
    """At a level: the share of ALL clips that is verified, and that of the correct ones."""

    level_db: float
    verified_accuracy: float
    provability: float


@dataclass(frozen=True)
class VerifiedSummary:
    """Verified accuracy and provability of a data set."""

    clean_accuracy: float
    levels: tuple[VerifiedShares, ...]
    seconds: float


@dataclass(frozen=True)
class VerifyLevels(Asked):
    """Proofs in a norm at every level."""

    norm: Norm
    levels_db: Levels
    method: str = "interval"

    row = VerdictRow
    chunk = 50
    seeded = False

    def summary(self, rows: Sequence[VerdictRow]) -> VerifiedSummary:
        levels = (
            VerifiedShares(
                level_db,
                verified_accuracy=share([row.verified[at] for row in rows]),
                provability=share([row.verified[at] for row in rows if row.correct]),
            )
            for at, level_db in enumerate(self.levels_db)
        )
        clean_accuracy = share([row.correct for row in rows])
        return VerifiedSummary(clean_accuracy, tuple(levels), seconds_of(rows))


def verify_levels(
    classifier: Classifier,
    batch: LabelledBatch,
    settings: VerifyLevels,
    generator: Generators | None = None,
    progress: Progress | None = None,
) -> list[VerdictRow]:
    """Verdicts at every level."""
    verifier, x, y = _verifier(classifier, settings), batch.waveforms, batch.labels
    correct, norm = verifier.predict(x) == y, settings.norm
    at_0_db = verifier.threat_at(x, 0.0, norm)
    levels = (verifier.verified_at(x, y, db, norm, at_0_db) for db in settings.levels_db)
    held = torch.stack(list(levels), 1) & correct[:, None]
    pairs = zip(correct.tolist(), held.tolist(), strict=True)
    return [VerdictRow(correct=right, verified=proven) for right, proven in pairs]
