"""A mono recording, read once and never normalised behind anybody's back."""

import math
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np
import soundfile
import soxr
import torch
from jaxtyping import Float, Float32, Int32
from torch import Tensor

MIN_DURATION_S = 0.05
MAX_DURATION_S = 120.0
SAMPLE_RATES = (4_000, 192_000)  # Hz, both ends allowed
PEAKS = (2.0**-31, 2.0**31)  # from one step of 32-bit PCM to integers kept as floats
LEAST_HEADROOM = 2.0**-40
FORMATS = "WAV, FLAC, OGG or MP3"
SUBTYPES = ("FLOAT", "PCM_24", "PCM_16")
PCM_BITS = {"PCM_24": 24, "PCM_16": 16}
BLOCK = 2**20  # samples of all channels that are decoded at a time
OGG_PAGE = 65_307  # bytes of the longest page
UNKNOWN_LENGTH = 2**63 - 1  # what libsndfile says of a FLAC stream without a length
NOTE = re.compile(r"robustaudio gain=(\S+) headroom=(\S+)")


@dataclass(frozen=True, eq=False)
class Clip:
    """A mono recording; full scale is +-1.

    `gain` is the gain a classifier has already given to the samples (None: untouched). A file
    that this project writes carries it, so that what is loaded again is what was classified.
    """

    samples: Float[Tensor, " time"]
    sample_rate: int
    name: str = ""
    label: str | None = None
    gain: float | None = None

    @classmethod
    def load(cls, path: str | os.PathLike, *, within: Sequence[Path] | None = None) -> Self:
        """Read a sound file; the content decides the format, not the file's extension.

        Channels are averaged. `within` names the only folders that may be read (None: any).

        Raises:
            ValueError: one sentence that names the file and what would be right.
        """
        path = Path(path)
        samples, sample_rate, comment = _decode(_readable(path, within), path.name)
        gain, headroom = _noted(comment)
        clip = cls(torch.from_numpy(samples) / headroom, sample_rate, path.stem, gain=gain)
        _check_samples(clip.samples, path.name)
        return clip

    @property
    def duration_s(self) -> float:
        return len(self.samples) / self.sample_rate

    @property
    def peak(self) -> float:
        """Largest absolute sample."""
        return float(self.samples.abs().max())

    def resampled(self, sample_rate: int) -> Self:
        """The clip at another rate in Hz (soxr, very high quality)."""
        if sample_rate == self.sample_rate:
            return self
        heard = self.samples.cpu().numpy()
        samples = torch.from_numpy(soxr.resample(heard, self.sample_rate, sample_rate, "VHQ"))
        return replace(self, samples=samples.to(self.samples.device), sample_rate=sample_rate)

    def fitted(self, length: int) -> Self:
        """Exactly `length` samples: zeros on both sides, or the stretch with the most energy."""
        missing = length - len(self.samples)
        if missing >= 0:
            samples = torch.nn.functional.pad(self.samples, (missing // 2, missing - missing // 2))
        else:
            energy = torch.cumsum(self.samples.double().square(), 0)
            inside = energy[length - 1 :] - torch.nn.functional.pad(energy[:-length], (1, 0))
            start = int(inside.argmax())
            samples = self.samples[start : start + length].clone()
        return replace(self, samples=samples)

    def scaled(self, gain: float) -> Self:
        """The clip with `gain` applied and noted."""
        return replace(self, samples=self.samples * gain, gain=gain)

    def to(self, device: str | torch.device) -> Self:
        """The clip with its samples on a device."""
        return replace(self, samples=self.samples.to(device))

    def save(
        self, path: str | os.PathLike, subtype: str = "FLOAT", *, headroom: float = 1.0
    ) -> Path:
        """Write a WAV file (subtype FLOAT, PCM_24 or PCM_16), scaled by `headroom` and no more.

        A clip that carries a gain notes it and the headroom in the file; `load` undoes the latter.

        Raises:
            ValueError: for another subtype, samples that are not finite or that an integer format
                would clip, or a path that cannot be written.
        """
        if subtype not in SUBTYPES:
            raise ValueError(f"no WAV subtype {subtype!r}; choose from {SUBTYPES}.")
        if not self.samples.isfinite().all():
            raise ValueError("samples that are NaN or infinite cannot be written.")
        samples = self.samples.cpu() * headroom
        peak = float(samples.abs().max())
        if subtype in PCM_BITS and peak > 1:
            raise ValueError(
                f"the peak is {peak:.3f} and {subtype} ends at 1; write FLOAT, or scale first."
            )
        path = Path(path)
        if subtype in PCM_BITS:
            samples = _quantised(samples, PCM_BITS[subtype])
        try:
            with (
                path.open("wb") as stream,
                soundfile.SoundFile(
                    stream, "w", self.sample_rate, channels=1, subtype=subtype, format="WAV"
                ) as file,
            ):
                if self.gain is not None:
                    note = f"gain={float(self.gain)!r} headroom={float(headroom)!r}"
                    file.comment = f"robustaudio {note}"
                file.write(samples.numpy())
        except (OSError, RuntimeError, ValueError) as error:
            raise ValueError(f"cannot write {str(path)!r}: {error}") from error
        return path


def headroom_gain(*peaks: float) -> float:
    """The largest power of two (at most 1) that keeps every peak within full scale.

    A power of two is undone exactly, so float32 files lose nothing to the common gain.
    """
    if not all(map(math.isfinite, peaks)):
        raise ValueError(f"peaks {peaks} must be finite.")
    mantissa, exponent = math.frexp(max(peaks))  # 1/2 <= mantissa < 1
    return min(1.0, 2.0 ** ((mantissa == 0.5) - exponent))


def _quantised(samples: Float[Tensor, " time"], bits: int) -> Int32[Tensor, " time"]:
    """Nearest multiples of 2**(1 - bits), in the upper bits of 32: libsndfile then adds nothing.

    (Given floats, it multiplies by 2**(bits - 1) - 1 and a file read and written again changes.)
    """
    steps = (samples.double() * 2 ** (bits - 1)).round().clamp_max(2 ** (bits - 1) - 1)
    return (steps * 2 ** (32 - bits)).int()


def _readable(path: Path, within: Sequence[Path] | None) -> Path:
    """The file behind a path, links followed, if it may and can be read."""
    try:
        file = path.resolve()
        found, size = file.exists(), file.stat().st_size if file.is_file() else None
    except (OSError, RuntimeError, ValueError) as error:  # too long, a loop of links, a NUL ...
        raise ValueError(f"{str(path)!r} cannot be followed to a file.") from error
    if within is not None and not any(file.is_relative_to(root.resolve()) for root in within):
        raise ValueError(f"{path.name} lies outside the folders that the app may read.")
    if not found:
        raise ValueError(f"there is no file {path}.")
    if size is None:
        raise ValueError(f"{path} is not a file.")
    if not os.access(file, os.R_OK):
        raise ValueError(f"{path} cannot be read: permission denied.")
    if size == 0:
        raise ValueError(f"{path.name} is empty (0 bytes).")
    return file


def _decode(path: Path, name: str) -> tuple[Float32[np.ndarray, " time"], int, str]:
    """The mean of the channels, the rate and the file's comment; the length is checked first."""
    try:
        with path.open("rb") as stream:
            if _is_cut_short(stream):
                raise ValueError(f"{name} is truncated: it ends before its own structure does.")
            stream.seek(0)
            # a descriptor, not a path: libsndfile would believe an extension such as .raw
            with soundfile.SoundFile(stream.fileno(), closefd=False) as file:
                _check_length(file.frames, file.samplerate, name)
                samples = _mean_of_channels(file)
                promised, sample_rate, comment = file.frames, file.samplerate, file.comment
    except (OSError, RuntimeError) as error:
        raise ValueError(
            f"{name} is not a sound file that can be read; {FORMATS} would be right."
        ) from error
    if len(samples) < promised:
        raise ValueError(f"{name} is truncated or damaged: {promised} samples are not all there.")
    return samples, sample_rate, comment


def _mean_of_channels(file: soundfile.SoundFile) -> Float32[np.ndarray, " time"]:
    """All that can be decoded, block by block: 100 channels need no more memory than one."""
    means = [np.zeros(0)]
    size = max(1, BLOCK // file.channels)
    with suppress(soundfile.LibsndfileError), np.errstate(invalid="ignore"):
        while len(block := file.read(size, dtype="float32", always_2d=True)):
            means.append(block.mean(axis=1, dtype=np.float64))  # inf - inf is NaN: a bad sample
    return np.concatenate(means).astype(np.float32)


def _is_cut_short(stream: BinaryIO) -> bool:
    """Whether a WAV or AIFF promises more bytes than there are, or an Ogg has no last page.

    libsndfile would return what there is. Sizes 0 and 2**32 - 1 mean a stream.
    """
    header, size = stream.read(8), stream.seek(0, os.SEEK_END)
    if header[:4] in (b"RIFF", b"FORM"):
        promised = int.from_bytes(header[4:], "little" if header[:4] == b"RIFF" else "big")
        return promised not in (0, 0xFFFFFFFF) and promised + 8 > size + 1
    if header[:4] == b"OggS":
        stream.seek(-min(size, OGG_PAGE), os.SEEK_END)
        tail = stream.read()
        page = tail[tail.rfind(b"OggS") :]
        whole = len(page) >= 27 and len(page) >= 27 + page[26] + sum(page[27 : 27 + page[26]])
        return not (whole and page[5] & 4)  # RFC 3533: bit 4 marks the end of the stream
    return False


def _check_length(frames: int, sample_rate: int, name: str) -> None:
    low, high = SAMPLE_RATES
    if not low <= sample_rate <= high:
        raise ValueError(f"{name} has {sample_rate} Hz; {low} to {high} Hz would be right.")
    if frames == UNKNOWN_LENGTH:
        raise ValueError(f"{name} does not say how long it is; write it again with its length.")
    duration_s = frames / sample_rate
    if duration_s > MAX_DURATION_S:
        raise ValueError(
            f"{name} lasts {duration_s:.0f} s; at most {MAX_DURATION_S:.0f} s, please."
        )
    if duration_s < MIN_DURATION_S:
        raise ValueError(f"{name} lasts {duration_s:.3f} s; at least {MIN_DURATION_S} s, please.")


def _check_samples(samples: Float[Tensor, " time"], name: str) -> None:
    bad = int((~samples.isfinite()).sum())
    if bad:
        raise ValueError(f"{name} holds {bad} samples that are NaN or infinite.")
    if not samples.any():
        raise ValueError(f"{name} is silent: every sample, averaged over its channels, is zero.")
    (low, high), peak = PEAKS, float(samples.abs().max())
    if not low <= peak <= high:
        raise ValueError(f"{name} peaks at {peak:.1e}; {low:.1e} to {high:.1e} would be right.")


def _noted(comment: str) -> tuple[float | None, float]:
    """Gain and headroom that `save` noted; (None, 1) for any other comment."""
    if not (note := NOTE.fullmatch(comment)):
        return None, 1.0
    try:
        gain, headroom = (float(number) for number in note.groups())
    except ValueError:
        return None, 1.0
    in_range = 0 < gain < math.inf and LEAST_HEADROOM <= headroom <= 1
    return (gain, headroom) if in_range else (None, 1.0)
