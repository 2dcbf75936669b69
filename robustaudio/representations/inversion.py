"""From a spectrum back to sound: overlap-add by least squares, and the phase to give it."""

from math import pi
from typing import Protocol

import torch
from jaxtyping import Complex, Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from robustaudio.representations.framing import Framing, overlap_add

THIN = 0.1  # of the window overlap: samples that frames barely see are left alone


class Analysis(Protocol):
    """What made a spectrum: a framing, and its window."""

    framing: Framing
    window: Tensor


def phase_of(spectrum: Complex[Tensor, "batch bin frame"]) -> Float[Tensor, "batch bin frame"]:
    """The angle of every bin.

    Digital silence has no phase: it gets one fixed random draw, so that what is added there
    sounds like noise (equal phases would be a click in every frame).

    >>> phase_of(torch.tensor([[[1j, -1.0 + 0j]]])).tolist()
    [[[1.5707963705062866, 3.1415927410125732]]]
    """
    draw = torch.rand(spectrum.shape[1:], generator=torch.Generator().manual_seed(0))
    return torch.where(spectrum == 0, 2 * pi * draw.to(spectrum.real), spectrum.angle())


def inverse(
    stage: Analysis, spectrum: Complex[Tensor, "batch bin frame"], length: int
) -> Float[Tensor, "batch time"]:
    """The sound whose frames come closest to `spectrum` (Griffin & Lim 1984, eq. 6).

    Weighted overlap-add, then the inverse of the pre-emphasis filter; `length` is in samples.

    >>> from robustaudio.representations.spectral import Magnitude
    >>> stage, noise = Magnitude(Framing(n_fft=256, hop_length=64)), torch.randn(1, 1_024)
    >>> sound = inverse(stage, stage.spectrum(noise), 1_024)
    >>> torch.allclose(sound[:, 256:768], noise[:, 256:768], atol=1e-5)
    True
    """
    framing = stage.framing
    frames = torch.fft.irfft(spectrum.transpose(1, 2), framing.n_fft) * stage.window
    weight = stage.window.square().expand(1, frames.shape[1], -1)
    total, weights = (overlap_add(f, framing.hop_length, length) for f in (frames, weight))
    sound = torch.where(weights > THIN * weights.max(), total / weights.clamp_min(1e-30), 0)
    if framing.pre_emphasis:
        return _DeEmphasis.apply(sound, framing.pre_emphasis)
    return sound


class _DeEmphasis(torch.autograd.Function):
    """y[n] = x[n] + p y[n-1]; the gradient runs through the same filter from the end."""

    @staticmethod
    def forward(ctx, sound: Tensor, pre_emphasis: float) -> Tensor:
        ctx.pre_emphasis = pre_emphasis
        return _recursive(sound, pre_emphasis)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor):  # pyright: ignore[reportIncompatibleMethodOverride]
        return _recursive(gradient.flip(-1), ctx.pre_emphasis).flip(-1), None


def _recursive(sound: Tensor, pre_emphasis: float) -> Tensor:
    from scipy.signal import lfilter  # here: its import would cost every start 0.7 s

    filtered = lfilter([1.0], [1.0, -pre_emphasis], sound.cpu().double().numpy())
    return torch.from_numpy(filtered).to(sound)
