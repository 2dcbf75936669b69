"""Verification of a clip and of a data set."""

import time
from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from robustaudio.audio.exact import exact
from robustaudio.certification.interval import UnsupportedLayer
from robustaudio.certification.verify import Verification, Verifier, proof_obstacle
from robustaudio.classifiers.classifier import Classifier
from robustaudio.columns import FLAG, list_of, needed
from robustaudio.evaluation.clips import LabelledClips, finite, generator, seconds_since, share
from robustaudio.evaluation.engine import resumable
from robustaudio.evaluation.results import MaskingAssumptions, NoisePair, OfNoises, VerifiedClip
from robustaudio.perception.audibility import noise_to_mask_ratio, total_noise_to_mask_db
from robustaudio.perception.levels import amplitude_db, floor_16_bit_db, l2, snr_db
from robustaudio.perception.masking import ASSUMED_PEAK_SPL_DB
from robustaudio.progress import Progress
from robustaudio.threats.norms import MASKING, Norm
from robustaudio.threats.threat_model import UNBOUNDED, ThreatModel, threat_at

CHUNK = 50  # clips between two lines of a resumable run


def verify_clip(
    classifier: Classifier,
    waveform: Float[Tensor, " time"],
    *,
    norm: Norm,
    level_db: float,
    method: str = "interval",
    progress: Progress | None = None,
) -> VerifiedClip:
    """The verdict at a level, the bounds of all logits there, and the largest level that holds."""
    started, x = time.monotonic(), waveform[None]
    _check_provable(classifier, method, norm)
    verifier = Verifier(classifier, method=method)
    label = verifier.predict(x)
    threat = verifier.threat_at(x, level_db, norm)
    at, logits = verifier.verify(x, label, threat), verifier.logits(x, threat)
    largest = float(verifier.largest_level(x, label, norm, progress)[0])
    return VerifiedClip(
        classifier=classifier.name,
        prediction=classifier.labels[int(label)],
        certificate=at.certificate(),
        norm=norm,
        method=method,
        level_db=level_db,
        epsilon=float(at.threat.epsilon[0]),
        verified=bool(at.verified[0]),
        worst_logits=worst_logits(classifier, at),
        logits_lower=dict(zip(classifier.labels, logits.lower[0].tolist(), strict=True)),
        logits_upper=dict(zip(classifier.labels, logits.upper[0].tolist(), strict=True)),
        largest_level_db=finite(largest),
        duration_s=len(waveform) / classifier.sample_rate,
        masking=masking_assumptions(at.threat),
        floor_16_bit_db=floor_16_bit_db(waveform),
        seconds=seconds_since(started),
    )


def _check_provable(classifier: Classifier, method: str, norm: Norm) -> None:
    """
    Raises:
        UnsupportedLayer: where no proof is possible, before anything is computed.
    """
    if reason := proof_obstacle(classifier, method, norm):
        raise UnsupportedLayer(reason)


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


def worst_logits(classifier: Classifier, verification: Verification, item: int = 0) -> dict:
    """How far each other label can come, relative to the prediction: positive could win."""
    margins = (-verification.margins[item]).tolist()
    return dict(zip(classifier.labels, margins, strict=True))


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

    threshold = threat.threshold
    assert threshold is not None

    def exceeds_db(noise: Tensor) -> float | None:
        return finite(amplitude_db(float(threat.distance(noise)[0])))

    def to_mask_db(noise: Tensor) -> float:
        return float(total_noise_to_mask_db(noise_to_mask_ratio(noise, threshold)))

    return NoisePair(
        shaped[0].to(waveform),
        white[0].to(waveform),
        level_db=level_db,
        seed=seed,
        snr_db=finite(snr_db(shaped, x)[0]),
        exceeds_threshold_db=OfNoises(exceeds_db(shaped), exceeds_db(white)),
        noise_to_mask_db=OfNoises(to_mask_db(shaped), to_mask_db(white)),
    )


def verify_dataset(
    classifier: Classifier,
    clips: LabelledClips,
    *,
    norm: Norm,
    levels_db: Sequence[float],
    method: str = "interval",
    path: Path | None = None,
    progress: Progress | None = None,
) -> dict:
    """Verified accuracy over ALL clips, and provability: the share of the correct ones.

    With a path, the run is resumable: verdicts stand there, a line per clip.
    """
    started = time.monotonic()
    _check_provable(classifier, method, norm)
    verifier = Verifier(classifier, method=method)
    header = {
        "classifier": classifier.name,
        **clips.header,
        "norm": norm.name,
        "method": method,
    }

    def verdicts(numbers: list[int]) -> list[dict]:
        x, y = clips.waveforms[numbers], clips.labels[numbers]
        correct = verifier.predict(x) == y
        held = torch.stack([verifier.verified_at(x, y, level, norm) for level in levels_db], 1)
        pairs = zip(correct.tolist(), (held & correct[:, None]).tolist(), strict=True)
        return [{"correct": right, "verified": proven} for right, proven in pairs]

    rows = resumable(
        verdicts,
        clips.names,
        chunk=CHUNK,
        path=path,
        header={**header, "sha256": classifier.sha256, "levels_db": list(levels_db)},
        columns={
            "correct": needed(FLAG),
            "verified": needed(list_of(len(levels_db), needed(FLAG))),
        },
        progress=progress,
    )
    correct = torch.tensor([row["correct"] for row in rows])
    held = torch.tensor([row["verified"] for row in rows])
    return {
        **header,
        "clean_accuracy": share(correct),
        "levels": [
            {
                "level_db": level_db,
                "verified_accuracy": share(held[:, number]),
                "provability": share(held[correct, number]),
            }
            for number, level_db in enumerate(levels_db)
        ],
        "seconds": seconds_since(started),
    }
