"""Waveform -> magnitude -> mel energies -> log-compressed mel -> MFCC, as differentiable stages.

Every stage takes a batch and returns a batch; spectra have the shape (batch, band, frame).
Frames lie where librosa puts them with center=False: frame t starts at sample t * hop_length.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import inf, log, log10, pi
from typing import Literal

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from robustaudio.audio.float64 import exact
from robustaudio.columns import holds, number, one_of, whole
from robustaudio.representations.framing import Framing, overlap_add, window
from robustaudio.representations.inversion import inverse, phase_of
from robustaudio.representations.stage import Invertible, Stage

NONNEGATIVE = (0.0, inf)
TINY_POWER = 1e-20  # keeps the gradient of |X| finite at digital silence


@dataclass(frozen=True)
class MelScale:
    """Triangular bands, equally spaced on the mel scale between `f_min` and `f_max` in Hz.

    `scale` is HTK's formula, or Slaney's as librosa has it by default.

    >>> round(float(mel_edges(MelScale(n_mels=1))[1]))  # the middle of 0 to 4 kHz, in Hz
    1114
    """

    sample_rate: int = holds(whole(1, 192_000), 8_000)
    n_mels: int = holds(whole(1, 1_024), 24)
    f_min: float = holds(number(0, 192_000), 0.0)
    f_max: float = holds(number(0, 192_000), 4_000.0)
    scale: Literal["htk", "slaney"] = holds(one_of("htk", "slaney"), "htk")


@lru_cache(maxsize=32)
def analysis_rows(framing: Framing) -> Float[Tensor, "2 bin taps"]:
    """Real and imaginary rows a_k with X_k = a_k . x for the samples x of one frame, in float64.

    The linear map that `Magnitude.spectrum` computes by FFT, window, pre-emphasis and scale
    folded in: bounds are made of it.

    >>> analysis_rows(Framing(n_fft=256, pre_emphasis=0.97)).shape
    torch.Size([2, 129, 257])
    """
    n = torch.arange(framing.n_fft, dtype=torch.float64)
    k = torch.arange(framing.n_fft // 2 + 1, dtype=torch.float64)[:, None]
    angle = 2 * pi * k * n / framing.n_fft
    rows = torch.stack([angle.cos(), -angle.sin()]) * window(framing).double()
    if framing.pre_emphasis:
        ahead = nn.functional.pad(rows, (1, 0))
        rows = ahead - framing.pre_emphasis * nn.functional.pad(rows, (0, 1))
    return rows


def mel_edges(mel: MelScale) -> Float[Tensor, " edge"]:
    """Where the bands begin, peak and end, in Hz: band m has edges m, m + 1 and m + 2.

    >>> mel_edges(MelScale(n_mels=2, f_max=800.0, scale="slaney")).round().tolist()
    [0.0, 267.0, 533.0, 800.0]
    """
    low, high = (_hz_to_mel(hz, mel.scale) for hz in (mel.f_min, mel.f_max))
    return _mel_to_hz(torch.linspace(low, high, mel.n_mels + 2, dtype=torch.float64), mel.scale)


@lru_cache(maxsize=32)
def mel_filterbank(mel: MelScale, n_fft: int) -> Float[Tensor, "mel bin"]:
    """Triangles of height 1 over |X|^2, in float32 (librosa.filters.mel with norm=None).

    Raises:
        ValueError: for bands so narrow that no bin lies in them.

    >>> mel_filterbank(MelScale(n_mels=24), n_fft=256).shape
    torch.Size([24, 129])
    """
    edges = mel_edges(mel)
    bins = torch.arange(n_fft // 2 + 1, dtype=torch.float64) * mel.sample_rate / n_fft
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (bins - low) / (middle - low), (high - bins) / (high - middle)
    filters = torch.minimum(rising, falling).clamp_min(0)
    empty = (filters.sum(1) == 0).nonzero().flatten().tolist()
    if empty:
        raise ValueError(
            f"mel bands {empty} hold no bin of a {n_fft}-sample frame; "
            f"use fewer than {mel.n_mels} bands or longer frames."
        )
    return filters.float()


class _ShortTimeFFT(torch.autograd.Function):
    """rfft of windowed frames, with a gradient by real transforms: torch's is complex, and slow.

    dL/dx_n = Re sum_k g_k exp(2 pi i k n / N) in a frame: irfft's sum, which counts every k twice
    but 0 and N/2.
    """

    @staticmethod
    def forward(ctx, waveform: Tensor, window: Tensor, hop_length: int) -> Tensor:
        ctx.save_for_backward(window)
        ctx.hop_length, ctx.length = hop_length, waveform.shape[-1]
        return torch.fft.rfft(waveform.unfold(-1, len(window), hop_length) * window)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor):  # pyright: ignore[reportIncompatibleMethodOverride]
        (window,) = ctx.saved_tensors
        half = gradient / 2
        half[..., [0, -1] if len(window) % 2 == 0 else [0]] *= 2
        frames = torch.fft.irfft(half, len(window), norm="forward").mul_(window)
        return overlap_add(frames, ctx.hop_length, ctx.length), None, None


class Magnitude(Invertible):
    """|X_k| of every frame: (batch, time) -> (batch, bin, frame).

    >>> Magnitude(Framing(n_fft=256, hop_length=160))(torch.zeros(1, 8_000)).shape
    torch.Size([1, 129, 49])
    """

    bounds = NONNEGATIVE
    window: Tensor

    def __init__(self, framing: Framing):
        super().__init__()
        self.framing = framing
        self.register_buffer("window", window(framing), persistent=False)

    def spectrum(self, waveform: Float[Tensor, "batch time"]) -> Complex[Tensor, "batch bin frame"]:
        """Every frame's transform X_k."""
        if self.framing.pre_emphasis:
            before = nn.functional.pad(waveform, (1, -1))
            waveform = waveform - self.framing.pre_emphasis * before
        frames = _ShortTimeFFT.apply(waveform, self.window, self.framing.hop_length)
        return frames.transpose(1, 2)

    def forward(self, waveform: Float[Tensor, "batch time"]) -> Float[Tensor, "batch bin frame"]:
        spectrum = self.spectrum(waveform)
        return (spectrum.real.square() + spectrum.imag.square() + TINY_POWER).sqrt()

    def undo(
        self,
        waveform: Float[Tensor, "batch time"],
        magnitude: Float[Tensor, "batch bin frame"],
    ) -> Float[Tensor, "batch time"]:
        """The sound whose frames come closest to `magnitude` with the waveform's phase.

        Negative magnitudes count as 0. Overlapping frames cannot all have what was asked for: the
        least-squares compromise is returned. What is inverted is the CHANGE: an unchanged
        magnitude gives the waveform, sample for sample.
        """
        change = magnitude.clamp_min(0) - self(waveform)
        spectrum = torch.polar(change, phase_of(self.spectrum(waveform)))
        return waveform + inverse(self, spectrum, waveform.shape[-1])


class Mel(Invertible):
    """Mel filterbank energies: magnitude (batch, bin, frame) -> (batch, mel, frame).

    >>> Mel(MelScale(n_mels=24), n_fft=256)(torch.ones(1, 129, 49)).shape
    torch.Size([1, 24, 49])
    """

    bounds = NONNEGATIVE
    filters: Tensor

    def __init__(self, scale: MelScale, n_fft: int):
        super().__init__()
        self.scale = scale
        self.register_buffer("filters", mel_filterbank(scale, n_fft).clone(), persistent=False)

    def forward(
        self, magnitude: Float[Tensor, "batch bin frame"]
    ) -> Float[Tensor, "batch mel frame"]:
        return self.filters @ magnitude.square()

    def undo(
        self,
        magnitude: Float[Tensor, "batch bin frame"],
        energies: Float[Tensor, "batch mel frame"],
    ) -> Float[Tensor, "batch bin frame"]:
        """The magnitude near `magnitude` whose mel energies come close to `energies`.

        The change of the energies is spread over the bins by the pseudo-inverse of the filterbank
        and added to the power; power below 0 counts as 0.
        """
        power = magnitude.square()
        change = energies - self.filters @ power
        changed = power + torch.linalg.pinv(exact(self.filters)).to(power) @ change
        return changed.clamp_min(0).sqrt()


class LogMel(Stage):
    """log(E + floor), elementwise and increasing; energies below zero count as zero.

    >>> LogMel(floor=1.0)(torch.zeros(1, 1, 3))
    tensor([[[0., 0., 0.]]])
    """

    def __init__(self, floor: float):
        super().__init__()
        self.floor = floor

    def forward(self, mel: Float[Tensor, "batch mel frame"]) -> Float[Tensor, "batch mel frame"]:
        return (mel.clamp_min(0) + self.floor).log()


class RootLogMel(Stage):
    """log(1 + sqrt(E) / floor), elementwise and increasing; Lipschitz in the waveform.

    >>> RootLogMel(floor=1.0)(torch.full((1, 1, 1), 9.0))  # log(1 + 3)
    tensor([[[1.3863]]])
    """

    def __init__(self, floor: float):
        super().__init__()
        self.floor = floor

    def forward(self, mel: Float[Tensor, "batch mel frame"]) -> Float[Tensor, "batch mel frame"]:
        return (mel.clamp_min(TINY_POWER).sqrt() / self.floor).log1p()


class Mfcc(Stage):
    """Orthonormal DCT-II over the bands, coefficient n times 1 + lifter/2 sin(pi n / lifter).

    The sinusoidal lifter is that of HTK (Young et al., The HTK Book, eq. 5.9); 0 is none.
    (batch, mel, frame) -> (batch, mfcc, frame).

    >>> Mfcc(n_mels=24, n_mfcc=12, lifter=22)(torch.ones(1, 24, 49)).shape
    torch.Size([1, 12, 49])
    """

    weight: Tensor

    def __init__(self, n_mels: int, n_mfcc: int, lifter: int = 0):
        super().__init__()
        self.register_buffer("weight", cepstral_matrix(n_mels, n_mfcc, lifter).float(), False)

    def forward(
        self, log_mel: Float[Tensor, "batch mel frame"]
    ) -> Float[Tensor, "batch mfcc frame"]:
        return self.weight @ log_mel


def cepstral_matrix(n_mels: int, n_mfcc: int, lifter: int) -> Float[Tensor, "mfcc mel"]:
    """DCT-II (orthonormal) times lifter, in float64.

    >>> cepstral_matrix(n_mels=4, n_mfcc=2, lifter=0)[0].tolist()
    [0.5, 0.5, 0.5, 0.5]
    """
    n = torch.arange(n_mfcc, dtype=torch.float64)[:, None]
    m = torch.arange(n_mels, dtype=torch.float64) + 0.5
    dct = (pi * n * m / n_mels).cos() * (2 / n_mels) ** 0.5
    dct[0] /= 2**0.5
    if lifter:
        dct = dct * (1 + lifter / 2 * (pi * n / lifter).sin())
    return dct


def framed(x: Float[Tensor, "batch time"], framing: Framing) -> Float[Tensor, "batch frame taps"]:
    """Overlapping frames, with the sample before each where pre-emphasis needs it.

    >>> framed(torch.arange(5.0)[None], Framing(n_fft=2, hop_length=2, pre_emphasis=0.9)).tolist()
    [[[0.0, 0.0, 1.0], [1.0, 2.0, 3.0]]]
    """
    return nn.functional.pad(x, (framing.taps - framing.n_fft, 0)).unfold(
        -1, framing.taps, framing.hop_length
    )


def _hz_to_mel(hz: float, scale: str) -> float:
    """HTK: 2595 log10(1 + f/700). Slaney: 3 mel per 200 Hz to 1 kHz, then 27 per factor 6.4."""
    if scale == "htk":
        return 2595 * log10(1 + hz / 700)
    return hz * 3 / 200 if hz < 1000 else 15 + 27 * log(hz / 1000) / log(6.4)


def _mel_to_hz(mels: Float[Tensor, " edge"], scale: str) -> Float[Tensor, " edge"]:
    if scale == "htk":
        return 700 * (10 ** (mels / 2595) - 1)
    return torch.where(mels < 15, mels * 200 / 3, 1000 * 6.4 ** ((mels - 15) / 27))
