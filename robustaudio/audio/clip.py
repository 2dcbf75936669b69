"""A mono recording, read once and never normalised behind anybody's back."""

import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import soxr
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from robustaudio.audio.recording import Digest
from robustaudio.audio.sound_file import (
    SUBTYPES as SUBTYPES,  # so that a clip's users find them beside it
)
from robustaudio.audio.sound_file import Sound, as_stored, check_samples, read_sound, write_sound

LEAST_HEADROOM = 2.0**-40
NOTE = re.compile(r"robustaudio gain=(\S+) headroom=(\S+) sha256=([0-9a-f]{16})")


@dataclass(frozen=True)
class Stretch:
    """The part of a recording that a clip holds: where it starts and ends, of how much (s)."""

    start_s: float
    end_s: float
    of_s: float


@dataclass(frozen=True, eq=False)
class Clip:
    """A mono recording; full scale is +-1.

    `gain` is the gain a classifier has already given to the samples (None: untouched). A file
    that this project writes carries it, so that what is loaded again is what was classified.
    `stretch` says which part of the recording is left after `fitted` cut it (None: all of it).
    """

    samples: Float[Tensor, " time"]
    sample_rate: int
    name: str = ""
    label: str | None = None
    gain: float | None = None
    stretch: Stretch | None = None

    @classmethod
    def load(
        cls,
        path: str | os.PathLike,
        *,
        within: Sequence[Path] | None = None,
        sample_rate: int | None = None,
    ) -> Self:
        """Read a sound file; the content decides the format, not the file's extension.

        Channels are averaged. `within` names the only folders that may be read (None: any).
        At `sample_rate` (Hz) the clip is the same as by `resampled`, without the file's own samples
        ever being held all at once. Without a rate, it has the file's own; a clip of more samples
        than 120 s at 48 kHz have comes at 48 kHz.

        Raises:
            ValueError: one sentence that names the file and what would be right.
        """
        path = Path(path)
        sound = read_sound(_readable(path, within), path.name, sample_rate)
        gain, headroom = _noted(sound)
        check_samples(sound.facts, headroom, path.name)
        samples = sound.samples / np.float32(headroom)
        return cls(torch.from_numpy(samples), sound.sample_rate, path.stem, gain=gain)

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
        resampled = soxr.resample(self.samples.cpu().numpy(), self.sample_rate, sample_rate, "VHQ")
        samples = torch.from_numpy(resampled)
        return replace(self, samples=samples.to(self.samples.device), sample_rate=sample_rate)

    def fitted(self, length: int) -> Self:
        """Exactly `length` samples: zeros on both sides, or the stretch with the most energy.

        The clip says which stretch that is.
        """
        missing = length - len(self.samples)
        if missing >= 0:
            samples = torch.nn.functional.pad(self.samples, (missing // 2, missing - missing // 2))
            return replace(self, samples=samples)
        energy = self.samples.double().square().cumsum(0)
        inside = energy[length - 1 :].clone()
        inside[1:] -= energy[:-length]
        start = int(inside.argmax())
        whole = self.stretch or Stretch(0.0, self.duration_s, self.duration_s)
        start_s = whole.start_s + start / self.sample_rate
        stretch = Stretch(start_s, start_s + length / self.sample_rate, whole.of_s)
        return replace(self, samples=self.samples[start : start + length].clone(), stretch=stretch)

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
        stored = as_stored(self.samples.cpu().numpy() * np.float32(headroom), subtype)
        note = "" if self.gain is None else _note(self.gain, headroom, stored)
        path = Path(path)
        write_sound(path, stored, self.sample_rate, subtype, note)
        return path


def headroom_gain(*peaks: float) -> float:
    """The largest power of two (at most 1) that keeps every peak within full scale.

    A power of two is undone exactly, so float32 files lose nothing to the common gain.
    """
    if not all(map(math.isfinite, peaks)):
        raise ValueError(f"peaks {peaks} must be finite.")
    mantissa, exponent = math.frexp(max(peaks))  # 1/2 <= mantissa < 1
    return min(1.0, 2.0 ** ((mantissa == 0.5) - exponent))


def _readable(path: Path, within: Sequence[Path] | None) -> Path:
    """The file behind a path, links followed, if it may and can be read.

    Where only some folders may be read, sentences do not say where they lie.
    """
    name = str(path) if within is None else path.name
    try:
        file = path.resolve()
        there, size = file.exists(), file.stat().st_size if file.is_file() else None
    except (OSError, RuntimeError, ValueError) as error:  # too long, a loop of links, a NUL ...
        raise ValueError(f"{name!r} cannot be followed to a file.") from error
    if within is not None and not any(file.is_relative_to(root.resolve()) for root in within):
        raise ValueError(f"{path.name} lies outside the folders that the app may read.")
    if not there:
        raise ValueError(f"there is no file {name}.")
    if size is None:
        raise ValueError(f"{name} is not a file.")
    if not os.access(file, os.R_OK):
        raise ValueError(f"{name} cannot be read: permission denied.")
    if size == 0:
        raise ValueError(f"{path.name} is empty (0 bytes).")
    return file


def _note(gain: float, headroom: float, stored: Float32[np.ndarray, " time"]) -> str:
    digest = Digest()
    digest.add(stored)
    return f"robustaudio gain={float(gain)!r} headroom={float(headroom)!r} sha256={digest}"


def _noted(sound: Sound) -> tuple[float | None, float]:
    """Gain and headroom that `save` noted of these very samples; (None, 1) otherwise.

    Editors and ffmpeg keep a comment, whatever they do to the samples.
    """
    if not (note := NOTE.fullmatch(sound.comment)) or note[3] != sound.digest:
        return None, 1.0
    try:
        gain, headroom = float(note[1]), float(note[2])
    except ValueError:
        return None, 1.0
    in_range = 0 < gain < math.inf and LEAST_HEADROOM <= headroom <= 1
    return (gain, headroom) if in_range else (None, 1.0)
