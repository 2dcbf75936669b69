"""How a waveform is cut into frames, and how frames are put together again."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from robustaudio.columns import FLAG, holds, number, one_of, whole


@dataclass(frozen=True)
class Framing:
    """How a waveform is cut and transformed.

    `n_fft` and `hop_length` are in samples; `pre_emphasis` p filters y[n] = x[n] - p x[n-1]
    (x[-1] = 0); `unitary` divides by sqrt(n_fft).

    >>> Framing(n_fft=256, hop_length=160).frames(8_000)
    49
    """

    n_fft: int = holds(whole(2, 16_384), 256)
    hop_length: int = holds(whole(1, 16_384), 160)
    window: Literal["hann", "hamming"] = holds(one_of("hann", "hamming"), "hann")
    pre_emphasis: float = holds(number(-1, 1), 0.0)
    unitary: bool = holds(FLAG, False)

    @property
    def taps(self) -> int:
        """Samples that one frame looks at: pre-emphasis reaches one sample back."""
        return self.n_fft + (self.pre_emphasis != 0)

    def frames(self, length: int) -> int:
        """Number of whole frames in `length` samples."""
        return (length - self.n_fft) // self.hop_length + 1


def window(framing: Framing) -> Float[Tensor, " n_fft"]:
    """The periodic analysis window, scaled, in float32: bounds and stages share its rounding.

    >>> window(Framing(n_fft=4)).tolist()
    [0.0, 0.5, 1.0, 0.5]
    """
    make = {"hann": torch.hann_window, "hamming": torch.hamming_window}[framing.window]
    scale = framing.n_fft**-0.5 if framing.unitary else 1.0
    return (make(framing.n_fft, periodic=True, dtype=torch.float64) * scale).float()


def overlap_add(
    frames: Float[Tensor, "batch frame n_fft"], hop_length: int, length: int
) -> Float[Tensor, "batch time"]:
    """The sum of frames that start every `hop_length` samples, `length` samples of it.

    >>> overlap_add(torch.ones(1, 2, 4), hop_length=2, length=7).tolist()
    [[1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 0.0]]
    """
    count, n_fft = frames.shape[1:]
    parts = -(-n_fft // hop_length)
    total = frames.new_zeros(len(frames), count + parts - 1, hop_length)
    for part in range(parts):
        piece = frames[:, :, part * hop_length : (part + 1) * hop_length]
        total[:, part : part + count, : piece.shape[2]] += piece
    flat = total.flatten(1)
    return nn.functional.pad(flat, (0, length - flat.shape[1]))
