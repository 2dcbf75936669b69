"""Timbre descriptors of every frame and their statistics over a clip, as librosa 0.11 has them.

Frames are centred (librosa's default): frame t is about sample t * hop_length, and zeros stand
beyond both ends of the clip.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from robustaudio.representations.spectral import (
    TINY_POWER,
    Framing,
    Magnitude,
    MelScale,
    cepstral_matrix,
    mel_edges,
    mel_filterbank,
)
from robustaudio.representations.stage import Stage

FRAMING = Framing(n_fft=2048, hop_length=512)
N_MELS, N_MFCC = 128, 20
ROLLOFF = 0.85  # of the magnitude lies below
LEAST_POWER, DYNAMIC_RANGE_DB = 1e-10, 80.0  # of the log-mel spectrum
LEAST_VARIANCE = 1e-6  # Hz^2, of a spectrum: the gradient of its root stays finite
AUDIBLE_CROSSING = 1e-10  # samples below count as zero
SHAPE = ("rms", "spectral_centroid", "spectral_bandwidth", "spectral_rolloff", "zero_crossing_rate")
DESCRIPTORS = (*SHAPE, *(f"mfcc_{n}" for n in range(1, N_MFCC + 1)))
ITEMS = 4  # on a CPU so many clips at a time: their spectra stay in its cache
GROUP = 32  # mel bands that are summed at once, over the bins that any of them holds

Statistic = Literal["mean", "std", "delta"]


class Descriptors(Stage):
    """RMS, spectral centroid, bandwidth, roll-off (Hz), zero-crossing rate and 20 MFCC per frame.

    (batch, time) -> (batch, 25, frame), rows as in `DESCRIPTORS`. Differentiable but for roll-off
    and zero crossings, which count: their gradient is zero.

    >>> Descriptors(22_050)(torch.zeros(1, 22_050)).shape
    torch.Size([1, 25, 44])
    """

    window: Tensor
    filters: Tensor
    moments: Tensor
    dct: Tensor
    spans: tuple[slice, ...]  # of the bins that any band of a group holds

    def __init__(self, sample_rate: int):
        super().__init__()
        self.sample_rate = sample_rate
        mel = MelScale(sample_rate, N_MELS, 0.0, sample_rate / 2, "slaney")
        edges = mel_edges(mel)
        width = (edges[2:] - edges[:-2])[:, None]  # Slaney's triangles have equal areas
        filters = mel_filterbank(mel, FRAMING.n_fft).double() * 2 / width
        hz = torch.arange(FRAMING.n_fft // 2 + 1, dtype=torch.float64)
        hz = hz * sample_rate / FRAMING.n_fft
        buffers = {
            "window": Magnitude(FRAMING).window,
            "filters": filters.T,
            "moments": torch.stack([torch.ones_like(hz), hz, hz.square()], 1),
            "dct": cepstral_matrix(N_MELS, N_MFCC, 0).T,
        }
        for name, buffer in buffers.items():
            self.register_buffer(name, buffer.float().contiguous(), persistent=False)
        groups = ((some != 0).any(1).nonzero().flatten() for some in self.filters.split(GROUP, 1))
        self.spans = tuple(slice(int(bins[0]), int(bins[-1]) + 1) for bins in groups)

    def forward(
        self, waveform: Float[Tensor, "batch time"]
    ) -> Float[Tensor, "batch descriptor frame"]:
        items = ITEMS if waveform.device.type == "cpu" else len(waveform)
        return torch.cat([self._describe(some) for some in waveform.split(max(1, items))])

    def _describe(self, waveform: Tensor) -> Tensor:
        half = FRAMING.n_fft // 2
        padded = nn.functional.pad(waveform, (half, half))
        frames = padded.unfold(-1, FRAMING.n_fft, FRAMING.hop_length)
        spectrum = torch.fft.rfft(frames * self.window)
        power = spectrum.real.square() + spectrum.imag.square()
        energy = _over_frames(padded.square()) / FRAMING.n_fft
        rows = [
            energy.clamp_min(TINY_POWER).sqrt(),
            *self._shape(power.clamp_min(TINY_POWER).sqrt() * (power > 0)),
            _zero_crossing_rate(waveform),
        ]
        return torch.cat([torch.stack(rows, 1), self._mfcc(power).transpose(1, 2)], 1)

    def _shape(self, magnitude: Float[Tensor, "batch frame bin"]) -> list[Tensor]:
        """Centroid, bandwidth and roll-off in Hz (Klapuri & Davy 2007, chapter 5)."""
        total, first, second = (magnitude @ self.moments).unbind(-1)
        total = total.clamp_min(TINY_POWER)
        centroid = first / total
        bandwidth = (second / total - centroid.square()).clamp_min(LEAST_VARIANCE).sqrt()
        with torch.no_grad():
            sums = magnitude.cumsum(-1)
            first_above = torch.searchsorted(sums, ROLLOFF * sums[..., -1:])[..., 0]
            rolloff = first_above.to(magnitude) * (self.sample_rate / FRAMING.n_fft)
        return [centroid, bandwidth, rolloff]

    def _mfcc(self, power: Float[Tensor, "batch frame bin"]) -> Float[Tensor, "batch frame mfcc"]:
        """The DCT of the mel spectrum in dB, cut 80 dB under the clip's loudest band."""
        groups = zip(self.spans, self.filters.split(GROUP, 1), strict=True)
        mel = torch.cat([power[..., bins] @ some[bins] for bins, some in groups], -1)
        level_db = 10 * mel.clamp_min(LEAST_POWER).log10()
        floor = level_db.flatten(1).amax(1) - DYNAMIC_RANGE_DB
        return torch.maximum(level_db, floor[:, None, None]) @ self.dct


class Statistics(Stage):
    """Of every descriptor over the frames: its mean, standard deviation, and mean |change|.

    (batch, descriptor, frame) -> (batch, statistic * descriptor), statistic by statistic.

    >>> Statistics(("mean", "std", "delta"))(torch.tensor([[[1.0, 3.0, 5.0]]])).round(decimals=3)
    tensor([[3.0000, 1.6330, 2.0000]])
    """

    def __init__(self, statistics: tuple[Statistic, ...] = ("mean",)):
        super().__init__()
        self.statistics = statistics

    def forward(
        self, descriptors: Float[Tensor, "batch descriptor frame"]
    ) -> Float[Tensor, "batch feature"]:
        measure = {
            "mean": lambda d: d.mean(-1),
            "std": lambda d: (d.var(-1, correction=0) + TINY_POWER).sqrt(),
            "delta": lambda d: d.diff(dim=-1).abs().mean(-1),
        }
        return torch.cat([measure[name](descriptors) for name in self.statistics], 1)


@torch.no_grad()
def _zero_crossing_rate(waveform: Float[Tensor, "batch time"]) -> Float[Tensor, "batch frame"]:
    """Share of the samples of a frame at which the sign changes; edges are repeated."""
    half = FRAMING.n_fft // 2
    audible = torch.where(waveform.abs() <= AUDIBLE_CROSSING, 0.0, waveform)
    crossing = (audible < 0).diff(dim=-1).to(waveform)
    crossing = nn.functional.pad(crossing, (half + 1, half))
    first = crossing[:, : crossing.shape[1] - FRAMING.n_fft + 1 : FRAMING.hop_length]
    return (_over_frames(crossing) - first) / FRAMING.n_fft


def _over_frames(samples: Float[Tensor, "batch time"]) -> Float[Tensor, "batch frame"]:
    """The sum over every frame, from the sums over every hop."""
    hop, parts = FRAMING.hop_length, FRAMING.n_fft // FRAMING.hop_length
    hops = samples.shape[1] // hop
    sums = samples[:, : hops * hop].reshape(len(samples), hops, hop).sum(-1)
    return sums.unfold(-1, parts, 1).sum(-1)
