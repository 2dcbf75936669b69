"""A stage of a classifier's chain: a differentiable module that says what is particular to it."""

from collections.abc import Iterable
from math import inf
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

UNBOUNDED = (-inf, inf)
WAVEFORM = (-1.0, 1.0)  # full scale


class Stage(nn.Module):
    """A batch in, a batch out; `bounds` says where its values may lie."""

    bounds: ClassVar[tuple[float, float]] = UNBOUNDED


class Invertible(Stage):
    """A stage with a way back towards sound."""

    def undo(self, x: Tensor, features: Tensor, /) -> Tensor:
        """The input near `x` whose output comes closest to `features`."""
        raise NotImplementedError


def bounds_behind(stages: Iterable[nn.Module]) -> tuple[float, float]:
    """Where the values behind some stages may lie: full scale behind none, which is a waveform.

    >>> bounds_behind([])
    (-1.0, 1.0)
    """
    match [*stages]:
        case []:
            return WAVEFORM
        case [*_, Stage() as last]:
            return last.bounds
    return UNBOUNDED


def sound_behind(
    stages: Iterable[nn.Module],
    waveform: Float[Tensor, "batch time"],
    features: Float[Tensor, "batch *shape"],
) -> Float[Tensor, "batch time"]:
    """The sound that comes closest to changed features behind some stages, undone one by one.

    Raises:
        ValueError: for a stage without a way back.

    >>> import torch
    >>> from robustaudio.representations.spectral import Framing, Magnitude
    >>> stage, noise = Magnitude(Framing()), torch.randn(1, 8_000)
    >>> torch.equal(sound_behind([stage], noise, stage(noise)), noise)  # unchanged
    True
    """
    before, x = [], waveform
    for stage in stages:
        if not isinstance(stage, Invertible):
            raise ValueError(f"{type(stage).__name__} cannot be brought back to sound.")
        before.append((stage, x))
        x = stage(x)
    for stage, x in reversed(before):
        features = stage.undo(x, features)
    return features
