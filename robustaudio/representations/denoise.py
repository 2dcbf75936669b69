"""Noise reduction as a stage: a waveform in, a waveform with less steady noise out."""

from jaxtyping import Float
from torch import Tensor, nn

from robustaudio.representations.inversion import inverse
from robustaudio.representations.spectral import Framing, Magnitude
from robustaudio.representations.stage import Stage

FRAMING = Framing(n_fft=1024, hop_length=256)
NEIGHBOURS = 33  # bins whose median is the noise's power: harmonics are sparse, noise is not
OVERSUBTRACTION, FLOOR = 2.0, 0.01  # of power
SILENCE = 1e-10  # power: below, nothing is heard, and a ratio would have no gradient


class SpectralSubtraction(Stage):
    """Takes away twice the power of steady broadband noise (Boll 1979; Berouti et al. 1979).

    The noise's power at a bin is the median, over neighbouring bins, of the mean power over the
    clip: it needs no recording of the noise alone. At least 1 % of the power is left, with its
    phase. (batch, time) -> (batch, time).

    >>> import torch
    >>> noise = torch.randn(1, 8_000)
    >>> bool(SpectralSubtraction()(noise).norm() < 0.5 * noise.norm())
    True
    """

    def __init__(self):
        super().__init__()
        self.stage = Magnitude(FRAMING)

    def forward(self, waveform: Float[Tensor, "batch time"]) -> Float[Tensor, "batch time"]:
        length, edge = waveform.shape[1], FRAMING.n_fft
        padded = nn.functional.pad(waveform, (edge, edge))
        spectrum = self.stage.spectrum(padded)
        power = spectrum.real.square() + spectrum.imag.square() + SILENCE
        mean, half = power.mean(2), NEIGHBOURS // 2
        around = nn.functional.pad(mean[:, None], (half, half), mode="reflect")[:, 0]
        noise = around.unfold(1, NEIGHBOURS, 1).median(-1).values[..., None]
        gain = (1 - OVERSUBTRACTION * noise / power).clamp_min(FLOOR).sqrt()
        return inverse(self.stage, spectrum * gain, padded.shape[1])[:, edge : edge + length]
