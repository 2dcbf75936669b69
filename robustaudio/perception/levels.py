"""Levels and sizes: what the dB in this project mean."""

from math import inf, log10

import torch
from jaxtyping import Float
from torch import Tensor

from robustaudio.audio.sixteen_bit import STEP_16_BIT

MAX_LEVEL_DB = 300.0  # beyond, float32 overflows when it is squared


def amplitude_db(ratio: float) -> float:
    """20 log10(ratio); minus infinity for 0.

    >>> amplitude_db(0.1)
    -20.0
    """
    return 20 * log10(ratio) if ratio > 0 else -inf


def check_level(level_db: float, called: str = "level") -> float:
    """Returns the level, if a sound can have it.

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

    >>> amplitude(-20.0)
    0.1
    """
    return 0.0 if level_db == -inf else 10 ** (check_level(level_db) / 20)


def linf(x: Float[Tensor, "batch *shape"]) -> Float[Tensor, " batch"]:
    """Largest absolute value of each item.

    >>> linf(torch.tensor([[0.5, -2.0], [0.25, 0.0]]))
    tensor([2.0000, 0.2500])
    """
    flat = x.flatten(1)  # without a copy of its absolute values
    return torch.maximum(flat.amax(1), -flat.amin(1))


def l2(x: Float[Tensor, "batch *shape"]) -> Float[Tensor, " batch"]:
    """Euclidean norm of each item.

    >>> l2(torch.tensor([[3.0, -4.0]]))
    tensor([5.])
    """
    return torch.linalg.vector_norm(x.flatten(1), dim=1)


def level_db(
    perturbation: Float[Tensor, "batch time"], clean: Float[Tensor, "batch time"]
) -> Float[Tensor, " batch"]:
    """dB_x(d) = 20 log10(max|d| / max|x|) (Carlini & Wagner 2018, section II-C).

    >>> level_db(torch.tensor([[0.05, 0.0]]), torch.tensor([[0.5, -0.5]]))
    tensor([-20.])
    """
    return _relative_db(linf(perturbation), linf(clean))


def snr_db(
    perturbation: Float[Tensor, "batch time"], clean: Float[Tensor, "batch time"]
) -> Float[Tensor, " batch"]:
    """10 log10(sum x^2 / sum d^2): total energies, so that zeros around the clip change nothing.

    A perturbation in the padding is heard, and counts. Minus this is the level in the l2 norm.
    Infinity for a perturbation of zero, minus infinity for a silent clip.

    >>> snr_db(torch.tensor([[0.03, 0.04]]), torch.tensor([[0.3, 0.4]]))
    tensor([20.])
    """
    return -_relative_db(l2(perturbation), l2(clean))


def _relative_db(size: Tensor, reference: Tensor) -> Tensor:
    """20 log10 of a ratio of sizes: minus infinity for a size of 0, even of a silent clip."""
    return 20 * size.where(size == 0, size / reference).log10()


def floor_16_bit_db(clean: Float[Tensor, " time"]) -> float:
    """Level of one 16-bit step: smaller changes mostly disappear when a clip is saved so."""
    return amplitude_db(STEP_16_BIT / float(clean.abs().max()))
