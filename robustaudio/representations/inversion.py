"""From a changed spectrum back to sound, with the phase of the clean clip.

What is inverted is the CHANGE: an unchanged spectrum gives the clean clip, sample for sample.
"""

from math import pi

import torch
from jaxtyping import Complex, Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from robustaudio.audio.exact import exact
from robustaudio.representations.spectral import Magnitude, Mel, overlap_add

THIN = 0.1  # of the window overlap: samples that frames barely see are left alone


def invert_magnitude(
    stage: Magnitude,
    waveform: Float[Tensor, "batch time"],
    magnitude: Float[Tensor, "batch bin frame"],
) -> Float[Tensor, "batch time"]:
    """The sound whose frames come closest to `magnitude` with the clean phase.

    Negative magnitudes count as 0. Overlapping frames cannot all have what was asked for: the
    least-squares compromise is returned. Digital silence has no
    phase: it gets one fixed random draw, so that what is added there sounds like noise (equal
    phases would be a click in every frame).
    """
    clean = stage.spectrum(waveform)
    draw = torch.rand(clean.shape[1:], generator=torch.Generator().manual_seed(0))
    angle = torch.where(clean == 0, 2 * pi * draw.to(waveform), clean.angle())
    change = torch.polar(magnitude.clamp_min(0) - stage(waveform), angle)
    return waveform + inverse(stage, change, waveform.shape[-1])


def invert_mel(
    stage: Magnitude,
    mel: Mel,
    waveform: Float[Tensor, "batch time"],
    energies: Float[Tensor, "batch mel frame"],
) -> Float[Tensor, "batch time"]:
    """The sound whose mel energies come close to `energies`, with the clean phase.

    The change of the energies is spread over the bins by the pseudo-inverse of the filterbank
    and added to the clean power; power below 0 counts as 0.
    """
    power = stage(waveform).square()
    change = energies - mel.filters @ power
    changed = power + torch.linalg.pinv(exact(mel.filters)).to(power) @ change
    return invert_magnitude(stage, waveform, changed.clamp_min(0).sqrt())


def inverse(
    stage: Magnitude, spectrum: Complex[Tensor, "batch bin frame"], length: int
) -> Float[Tensor, "batch time"]:
    """The sound whose frames come closest to `spectrum` (Griffin & Lim 1984, eq. 6).

    Weighted overlap-add, then the inverse of the pre-emphasis filter.
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
