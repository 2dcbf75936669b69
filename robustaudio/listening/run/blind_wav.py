"""Sounds on their way to a page: files that tell nothing but how they sound.

Two files of one sound have the same length in bytes and differ in content: a dither of one step
of 24 bits (-138 dB of full scale), and a chunk of noise that players skip. So neither a size nor a
hash says which of A and B is X.
"""

import struct
from secrets import randbits, token_bytes

import numpy as np
from jaxtyping import Float

FULL_SCALE = 2**23  # of 24-bit PCM
JUNK_BYTES = 64
PCM = 1


def encode(samples: Float[np.ndarray, "time *channel"], sample_rate: int) -> bytes:
    """A 24-bit WAV file (RIFF), dithered afresh: triangular noise of +-1 step.

    Raises:
        ValueError: for samples beyond full scale.
    """
    if not np.abs(samples).max() <= 1 - 2 / FULL_SCALE:
        raise ValueError(f"the peak is {np.abs(samples).max():.3f}; below 1 would be right.")
    rng = np.random.default_rng(randbits(128))
    noise = rng.random(samples.shape, np.float32) - rng.random(samples.shape, np.float32)
    steps = np.rint(samples.astype(np.float64) * FULL_SCALE + noise).astype("<i4")
    data = np.ascontiguousarray(steps).view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    bytes_per_frame = 3 * channels
    layout = struct.pack(
        "<HHIIHH", PCM, channels, sample_rate, sample_rate * bytes_per_frame, bytes_per_frame, 24
    )
    body = b"WAVE" + _chunk(b"fmt ", layout) + _chunk(b"JUNK", token_bytes(JUNK_BYTES))
    return _chunk(b"RIFF", body + _chunk(b"data", data))


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
