"""What a clip makes inaudible: the global masking threshold of Qin et al. 2019 (arXiv:1903.10346).

A tonal maskers' model after Lin & Abdulla (2015): every local maximum of a frame's spectrum masks
its neighbourhood on the Bark scale, the threshold in quiet masks the rest. Temporal masking is not
modelled. All levels hang on one assumption: the loudest bin of the clip is played at
`ASSUMED_PEAK_SPL_DB`. A listener who turns the volume up further hears more.
"""

from dataclasses import dataclass
from math import log, log2

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from robustaudio.representations.spectral import Framing, Magnitude

ASSUMED_PEAK_SPL_DB = 96.0  # Qin et al.; lower values would call more sounds inaudible
FRAME_S = 0.032  # of the default framing
LOWEST_HZ = 100.0  # 1 Bark: below it the threshold in quiet is held
APART_BARK = 0.5  # of two maskers closer than this, the stronger one counts
ROWS = 4_096  # maskers spread at a time


@dataclass(frozen=True, eq=False)
class MaskingThreshold:
    """The threshold of every bin of every frame, for one framing.

    `spectrum` and `threshold` are powers, 1 at 0 dB SPL under the assumed level; `amplitude` is
    the threshold in the units of `Magnitude`: a perturbation whose magnitudes stay below it
    everywhere is predicted to be inaudible.
    """

    framing: Framing
    sample_rate: int
    spectrum: Float[Tensor, "batch bin frame"]
    threshold: Float[Tensor, "batch bin frame"]
    amplitude: Float[Tensor, "batch bin frame"]

    def __getitem__(self, index: Tensor | slice) -> "MaskingThreshold":
        """The thresholds of some of the clips."""
        parts = (self.spectrum[index], self.threshold[index], self.amplitude[index])
        return MaskingThreshold(self.framing, self.sample_rate, *parts)

    def to(self, device: str | torch.device) -> "MaskingThreshold":
        """The same thresholds on a device."""
        parts = (part.to(device) for part in (self.spectrum, self.threshold, self.amplitude))
        return MaskingThreshold(self.framing, self.sample_rate, *parts)


def masking_framing(sample_rate: int) -> Framing:
    """Frames of about 32 ms (a power of two of samples), three quarters overlapping.

    >>> masking_framing(8_000).n_fft, masking_framing(44_100).n_fft
    (256, 1024)
    """
    n_fft = 2 ** round(log2(FRAME_S * sample_rate))
    return Framing(n_fft=n_fft, hop_length=n_fft // 4, unitary=True)


def masking_threshold(
    waveform: Float[Tensor, "batch time"],
    framing: Framing,
    sample_rate: int,
    assumed_peak_spl_db: float = ASSUMED_PEAK_SPL_DB,
) -> MaskingThreshold:
    """The global masking threshold of each clip (Qin et al. 2019).

    A clip shorter than a frame is padded with zeros; silence masks nothing but what is below the
    threshold in quiet. The window's gain cancels, because a perturbation is analysed by the same
    `Magnitude` as the clip; a pre-emphasis is undone bin by bin.
    """
    response = emphasis(framing).to(waveform)[:, None]
    magnitude = padded_magnitude(waveform, framing) / response
    loudest = magnitude.flatten(1).amax(1)[:, None, None]
    full = 10 ** (assumed_peak_spl_db / 10)  # power of the loudest bin
    spectrum = full * (magnitude / loudest).square()
    hz = torch.arange(len(response), dtype=magnitude.dtype, device=magnitude.device)
    hz = hz * sample_rate / framing.n_fft
    quiet, z = _power(threshold_in_quiet(hz)), bark(hz)
    below, middle, above = spectrum[:, :-2], spectrum[:, 1:-1], spectrum[:, 2:]
    # each local maximum masks with the power of its two neighbours, too
    maskers = (below + middle + above) * ((middle > below) & (middle > above))
    maskers = torch.nn.functional.pad(maskers, (0, 0, 1, 1))
    kept = strongest(maskers.masked_fill(maskers < quiet[:, None], 0), z)
    threshold = _spread(maskers, kept, z) + quiet[:, None]
    amplitude = (threshold / full).sqrt() * loudest * response
    return MaskingThreshold(framing, sample_rate, spectrum, threshold, amplitude)


def padded_magnitude(
    waveform: Float[Tensor, "batch time"], framing: Framing
) -> Float[Tensor, "batch bin frame"]:
    """`Magnitude`, of a clip padded with zeros to one frame at least."""
    return Magnitude(framing).to(waveform)(padded(waveform, framing))


def padded(waveform: Float[Tensor, "batch time"], framing: Framing) -> Tensor:
    missing = max(0, framing.n_fft - waveform.shape[-1])
    return torch.nn.functional.pad(waveform, (0, missing))


def bark(hz: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Critical-band rate in Bark (Zwicker & Terhardt 1980).

    >>> bark(torch.tensor([1000.0])).round(decimals=1)
    tensor([8.5000])
    """
    return 13 * (0.00076 * hz).atan() + 3.5 * (hz / 7500).square().atan()


def threshold_in_quiet(hz: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Level in dB SPL below which nothing is heard (Terhardt 1979), 12 dB lower as Qin et al. do.

    Below 100 Hz, where Qin et al. have minus infinity, the value at 100 Hz is held: cautious, for
    hearing is less acute there, and no wall that the window's side lobes could not climb.

    >>> threshold_in_quiet(torch.tensor([1000.0])).round(decimals=1)  # Terhardt's 3.4, less 12
    tensor([-8.6000])
    """
    khz = hz.clamp_min(LOWEST_HZ) / 1000
    return 3.64 * khz**-0.8 - 6.5 * (-0.6 * (khz - 3.3) ** 2).exp() + 1e-3 * khz**4 - 12


def _power(level_db: Tensor) -> Tensor:
    return (level_db * (log(10) / 10)).exp()


def strongest(
    maskers: Float[Tensor, "batch bin frame"], z: Float[Tensor, " bin"]
) -> Bool[Tensor, "batch bin frame"]:
    """Maskers (power > 0) that survive: of two closer than half a Bark the weaker one goes.

    From low to high, each against the last survivor, as in the authors' code.
    """
    kept = torch.zeros_like(maskers, dtype=torch.bool)
    batch, _, frames = maskers.shape
    last = torch.zeros(batch, 1, frames, dtype=torch.long, device=maskers.device)
    level = maskers.new_zeros(batch, 1, frames)  # of the last survivor
    for bin_index in range(len(z)):
        here = maskers[:, bin_index : bin_index + 1]
        close = z[bin_index] - z[last] < APART_BARK
        wins = (here > 0) & (~close | (here > level))
        kept.scatter_(1, last, kept.gather(1, last) & ~(wins & close))
        kept[:, bin_index : bin_index + 1] |= wins
        last, level = last.masked_fill(wins, bin_index), torch.where(wins, here, level)
    return kept


def _spread(maskers: Tensor, kept: Tensor, z: Float[Tensor, " bin"]) -> Tensor:
    """Sum over the maskers of what each hides at every bin."""
    batch, bins, frames = maskers.shape
    item, masker, frame = kept.nonzero(as_tuple=True)
    row, level_db = item * frames + frame, 10 * maskers[item, masker, frame].log10()
    total = maskers.new_zeros(batch * frames, bins)
    for rows in torch.arange(len(row), device=row.device).split(ROWS):
        hidden = individual_threshold(level_db[rows], z[masker[rows]], z)
        total.index_add_(0, row[rows], hidden)
    return total.unflatten(0, (batch, frames)).transpose(1, 2)


def individual_threshold(
    level_db: Float[Tensor, " masker"], at: Float[Tensor, " masker"], z: Float[Tensor, " bin"]
) -> Float[Tensor, "masker bin"]:
    """Power that a tonal masker at `at` Bark hides at each bin.

    It falls by 27 dB per Bark below the masker, and by less above a loud one; the masking index
    -6.025 - 0.275 z is that of the MASKER's own Bark.
    """
    distance = z - at[:, None]
    upwards = -27 + 0.37 * (level_db - 40).clamp_min(0)
    slope = torch.where(distance > 0, upwards[:, None], 27.0)
    index = -6.025 - 0.275 * at
    return _power((level_db + index)[:, None] + slope * distance)


def emphasis(framing: Framing) -> Float[Tensor, " bin"]:
    """Gain of the framing's pre-emphasis at every bin (1 without one), in float64."""
    p, n_fft = framing.pre_emphasis, framing.n_fft
    angle = 2 * torch.pi * torch.arange(n_fft // 2 + 1, dtype=torch.float64) / n_fft
    return (1 - 2 * p * angle.cos() + p**2).sqrt()
