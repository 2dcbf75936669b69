"""Rounding to 16 bits, also inside an attack's loop, so that its success survives a file."""

from jaxtyping import Float
from torch import Tensor, nn

from robustaudio.audio.clip import headroom_gain

STEP_16_BIT = 2.0**-15  # one step of a 16-bit file, full scale +-1


def rounded_to_16_bit(waveform: Float[Tensor, "batch time"]) -> Float[Tensor, "batch time"]:
    """The waveforms after a 16-bit file, with the headroom gain of each undone.

    >>> import torch
    >>> (rounded_to_16_bit(torch.tensor([[0.25, 1.4 * STEP_16_BIT]])) / STEP_16_BIT).tolist()
    [[8192.0, 1.0]]
    """
    peaks = waveform.abs().amax(1).tolist()
    step = STEP_16_BIT / waveform.new_tensor([headroom_gain(peak) for peak in peaks])[:, None]
    return (waveform / step).round().clamp(-(2.0**15), 2.0**15 - 1) * step


class After16Bit(nn.Module):
    """A model that hears every waveform after a 16-bit file.

    Its gradient is that of the model at the rounded waveform (straight through): any attack on it
    is an attack that is robust to rounding.
    """

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, waveform: Float[Tensor, "batch time"]) -> Float[Tensor, "batch label"]:
        rounded = rounded_to_16_bit(waveform.detach())
        return self.model(waveform + (rounded - waveform).detach())
