"""The one home of every level and distance: what the dB in this project mean."""

from math import inf, log10

import torch
from jaxtyping import Float
from torch import Tensor

from robustaudio.audio.sixteen_bit import STEP_16_BIT

MAX_LEVEL_DB = 300.0  # beyond, float32 overflows when it is squared


def amplitude_db(ratio: float) -> float:
    """20 log10(ratio); minus infinity for 0."""
    return 20 * log10(ratio) if ratio > 0 else -inf


def check_level(level_db: float, called: str = "level") -> float:
    """The level, if a sound can have it.

    Raises:
        ValueError: for NaN, and outside +-`MAX_LEVEL_DB`.
    """
    if not abs(level_db) <= MAX_LEVEL_DB:
        raise ValueError(f"{called} {level_db:g} dB must lie within +-{MAX_LEVEL_DB:g} dB.")
    return level_db


def amplitude(level_db: float) -> float:
    """10^(dB / 20), the inverse of `amplitude_db`; 0 for minus infinity.

    Raises:
        ValueError: as `check_level`.
    """
    return 0.0 if level_db == -inf else 10 ** (check_level(level_db) / 20)


def linf(x: Float[Tensor, "batch *shape"]) -> Float[Tensor, " batch"]:
    """Largest absolute value of each item."""
    flat = x.flatten(1)  # without a copy of its absolute values
    return torch.maximum(flat.amax(1), -flat.amin(1))


def l2(x: Float[Tensor, "batch *shape"]) -> Float[Tensor, " batch"]:
    """Euclidean norm of each item."""
    return torch.linalg.vector_norm(x.flatten(1), dim=1)


def level_db(
    perturbation: Float[Tensor, "batch time"], clean: Float[Tensor, "batch time"]
) -> Float[Tensor, " batch"]:
    """dB_x(d) = 20 log10(max|d| / max|x|) (Carlini & Wagner 2018, section II-C)."""
    return _relative_db(linf(perturbation), linf(clean))


def snr_db(
    perturbation: Float[Tensor, "batch time"], clean: Float[Tensor, "batch time"]
) -> Float[Tensor, " batch"]:
    """10 log10(sum x^2 / sum d^2): total energies, so that zeros around the clip change nothing.

    A perturbation in the padding is heard, and counts. Minus this is the level in the l2 norm.
    Infinity for a perturbation of zero, minus infinity for a silent clip.
    """
    return -_relative_db(l2(perturbation), l2(clean))


def si_sdr_db(
    estimate: Float[Tensor, "batch time"], clean: Float[Tensor, "batch time"]
) -> Float[Tensor, " batch"]:
    """Scale-invariant signal-to-distortion ratio (Le Roux et al. 2019, eq. 3 to 5).

    10 log10(|a s|^2 / |a s - e|^2) with a = <e, s> / |s|^2 for the clean clip s and the estimate
    e, which is the perturbed clip and not the perturbation: no gain of e changes it. As in the
    paper no mean is removed. Infinity for the clip itself (some 140 dB, float32's rounding, for
    most gains of it); minus infinity where nothing of the clip is left, or the clip is silent.
    """
    energy = clean.square().sum(1)
    scale = (estimate * clean).sum(1) / energy.where(energy > 0, 1)
    target = scale[:, None] * clean
    erased = (l2(estimate) == 0) & (energy > 0)
    return snr_db(estimate - target, target).masked_fill(erased, -inf)


def _relative_db(size: Tensor, reference: Tensor) -> Tensor:
    """20 log10 of a ratio of sizes: minus infinity for a size of 0, even of a silent clip."""
    return 20 * size.where(size == 0, size / reference).log10()


def floor_16_bit_db(clean: Float[Tensor, " time"]) -> float:
    """Level of one 16-bit step: smaller changes mostly disappear when a clip is saved so."""
    return amplitude_db(STEP_16_BIT / float(clean.abs().max()))
