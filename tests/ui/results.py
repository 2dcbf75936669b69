"""Results made by hand, as the words and pictures of the page take them."""

from typing import Any

import torch

from robustaudio.attacks import PGD, DeepFool
from robustaudio.certification.certificate import Certificate
from robustaudio.certification.smoothing import Smoothing
from robustaudio.evaluation.hearing_thresholds import HearingThreshold, ListeningRuler, claims
from robustaudio.evaluation.results import (
    CertifiedClip,
    Difference,
    Mark,
    NoisyClip,
    Prediction,
    Ruler,
    TargetLevels,
    VerifiedClip,
)
from robustaudio.threats.norms import L2, LINF, MASKING, Norm

NORMS = {"verified_l2": L2, "verified_masking": MASKING}


def verified(**changes: Any) -> VerifiedClip:
    """A proof in linf at -70 dB; its logits are those of "3" and "7"."""
    fields = {
        "classifier": "c", "prediction": "7", "certificate": None, "norm": LINF,
        "method": "interval", "level_db": -70.0, "epsilon": 1e-3, "verified": True,
        "worst_logits": {"3": -1.0, "7": -2.0}, "logits_lower": {}, "logits_upper": {},
        "largest_level_db": -60.0, "duration_s": 1.0, "masking": None, "floor_16_bit_db": -90.3,
        "seconds": 0.1,
    }  # fmt: skip
    return VerifiedClip(**fields | changes)


def certified(
    *, sigma: float = 0.25, n: int = 1000, alpha: float = 0.001, **changes: Any
) -> CertifiedClip:
    """A vote for "5" of a clip that the classifier itself hears as "7"."""
    smoothing = Smoothing(sigma=sigma, n0=100, n=max(n, 10), alpha=alpha)
    fields = {
        "classifier": "digits-cnn", "clean_prediction": "7", "prediction": "5",
        "certificate": Certificate(5, 0.5, "l2", "waveform", 1 - alpha, "smoothing"),
        "radius": 0.5, "norm": L2, "representation": "waveform", "confidence": 1 - alpha,
        "p_lower": 0.99, "counts": {"5": 990, "7": 10}, "level_l2_db": None,
        "level_linf_db": None, "smoothing": smoothing, "n": n,
        "largest_radius": smoothing.largest_radius, "seed": 0, "seconds": 0.1,
    }  # fmt: skip
    return CertifiedClip(**fields | changes)


def noisy(before: str, after: str, **changes: Any) -> NoisyClip:
    """Noise of sigma 0: no perturbation at all."""
    nothing = torch.zeros(8)
    size = dict.fromkeys(Difference.__dataclass_fields__)
    fields = {
        "clean": nothing, "perturbed": nothing, "before": Prediction("c", before, {before: 1.0}),
        "classifier": "c", "clean_prediction": before, "prediction": after,
        "probabilities": {after: 1.0},
        "difference": Difference(**size | {"linf": 0.0, "disturbed_frames": 0.0}),
        "prediction_after_rounding": after, "success_after_rounding": True,
        "representation": "waveform", "sigma": 0.0, "prediction_at_representation": after,
        "inversion_loss_db": None, "seed": 0,
    }  # fmt: skip
    return NoisyClip(**fields | changes)


def target_levels(prediction: str, levels_db: dict[str, float | None]) -> TargetLevels:
    """What DeepFool in l2 needs for each of the other labels."""
    return TargetLevels(
        classifier="c", prediction=prediction, attack="DeepFool", norm=L2,
        representation="waveform", survive_rounding=False, settings=DeepFool(),
        levels_db=levels_db, queries=10, seed=0, seconds=0.5,
    )  # fmt: skip


def ruler(
    levels_db: dict[str, float | None], norms: tuple[Norm, ...] = (LINF,),
    heard: list[HearingThreshold] | None = None, attacked_l2_db: float | None = None,
    **changes: Any,
) -> Ruler:  # fmt: skip
    """A ruler with marks named as in its record, without "_db"; `heard` is what people heard."""
    levels_db = {"floor_16_bit": -90.3} | levels_db
    marks = tuple(
        Mark(kind=name.split("_l2")[0].split("_masking")[0], norm=NORMS.get(name, LINF),
             source="", level_db=level_db)
        for name, level_db in levels_db.items()
    )  # fmt: skip
    fields = {
        "classifier": "c", "prediction": "7", "marks": marks, "method": "crown", "norms": norms,
        "unproven": None, "smoothed_prediction": None, "attack": PGD(), "smoothed": certified(),
        "ended": (), "seed": 0, "seconds": 0.1,
    } | changes  # fmt: skip
    if heard is None:
        return Ruler(**fields)
    said = tuple(claims(levels_db["verified_l2"], heard))
    return ListeningRuler(**fields, attacked_l2_db=attacked_l2_db, heard=tuple(heard), claims=said)
