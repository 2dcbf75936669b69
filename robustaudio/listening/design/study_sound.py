"""Sounds as a study keeps them: 48 kHz at most, 24 bits, and text where they stand inside it.

24 bits are counted from the clip's own peak (the next power of two), so that a quiet clip and its
faint perturbation lose no more than loud ones: one step is 132 dB below the peak, or less. Samples
that were kept once are kept again bit for bit.
"""

import base64
import re
import tempfile
from contextlib import suppress
from dataclasses import replace
from math import frexp
from pathlib import Path

import numpy as np
import soundfile
import torch
from jaxtyping import Float64

from robustaudio.audio.clip import Clip
from robustaudio.audio.sound_file import PEAKS
from robustaudio.listening.design.stimulus import RATE

BITS = 24
MOST_STEPS = 2 ** (BITS - 1) - 1  # of both signs alike: the peak keeps its power of two
WAV = "data:audio/wav;base64,"  # what other programs and older versions write: any sound file
FLAC = "data:audio/flac;exponent={};base64,"  # samples are those of the file times 2 ** exponent
INSIDE = re.compile(r"data:audio/(?:wav|flac)(?:;exponent=(-?[0-9]{1,2}))?;base64,")
EXPONENTS = range(-31, 33)
LONGEST_S = 12.0  # of a clip: longer ones cannot be compared from memory
MOST_SAMPLES = 12_000_000  # of all sounds of a study, as they are kept
LONGEST_TEXT = 16_000_000  # characters of one sound: 12 s at 192 kHz, as floats, have 12.3 million


class TooLong(ValueError):
    """Sounds that a study has no room for: no more of them are read."""


def check_length(seconds: float, name: str = "it") -> None:
    """
    Raises:
        TooLong: for a sound that cannot be compared from memory.
    """
    if seconds > LONGEST_S:
        raise TooLong(f"{name} lasts {seconds:.1f} s; up to {LONGEST_S:g} s, please.")


def check_room(samples: float) -> None:
    """
    Raises:
        TooLong: for more samples than all sounds of a study may have.
    """
    if samples > MOST_SAMPLES:
        seconds = f"{MOST_SAMPLES / RATE:.0f} s at {RATE // 1000} kHz"
        raise TooLong(
            f"its sounds are too long together: {seconds} are the most, of all clips and "
            "their perturbed versions; take fewer or shorter ones."
        )


def declared(text: str) -> tuple[float, float]:
    """Seconds and kept samples that a sound inside a study says it has; 0 where it does not.

    Only FLAC is asked: nothing else that is short as text is long as sound, by its header alone.
    """
    if (prefix := INSIDE.match(text)) is None:
        return 0.0, 0.0
    start = text[prefix.end() :][:64]  # STREAMINFO is the first block (RFC 9639, section 8.2)
    with suppress(ValueError):
        header = base64.b64decode(start, validate=True)
        fields = int.from_bytes(header[18:26], "big")
        rate, samples = fields >> 44, fields & (2**36 - 1)
        if header[:4] == b"fLaC" and rate:
            return samples / rate, samples * min(1, RATE / rate)
    return 0.0, 0.0


def as_kept(clip: Clip) -> Clip:
    """The clip with its samples rounded to 24 bits of its peak; a clip that was stays as it is."""
    steps, exponent = _steps(clip)
    steps = np.rint(steps).clip(-MOST_STEPS, MOST_STEPS)
    kept = np.ldexp(steps, exponent - (BITS - 1)) + 0.0  # integers have no -0
    return replace(clip, samples=torch.from_numpy(kept.astype(np.float32)))


def sound_text(clip: Clip) -> str:
    """A clip as text, exactly: FLAC of 24 bits where it is kept so, and else a WAV file of floats.

    Either notes the clip's gain.
    """
    steps, exponent = _steps(clip)
    whole = (np.rint(steps) == steps).all() and np.abs(steps).max() <= MOST_STEPS
    packed = bool(whole) and exponent in EXPONENTS
    with tempfile.TemporaryDirectory(prefix="robustaudio-") as folder:
        path = Path(folder) / "clip.wav"
        if packed:
            path = _packed(_scaled(clip, -exponent).save(path, "PCM_24"))
        else:
            clip.save(path)
        content = base64.b64encode(path.read_bytes()).decode("ascii")
    return (FLAC.format(exponent) if packed else WAV) + content


def decoded(text: str, name: str) -> Clip:
    """The clip in a text, by that name.

    Raises:
        TooLong: for more than `LONGEST_S`.
        ValueError: one sentence, for what is no sound.
    """
    prefix = INSIDE.match(text)
    if prefix is None:
        raise ValueError("its sound is neither data:audio/wav nor data:audio/flac, in base64.")
    if len(text) > LONGEST_TEXT:
        raise TooLong(f"its sound has {0.75e-6 * len(text):.0f} MB, too much for {LONGEST_S:g} s.")
    check_length(declared(text)[0])
    try:
        content = base64.b64decode(text[prefix.end() :], validate=True)
    except ValueError as error:
        raise ValueError("its sound is not base64.") from error
    exponent = int(prefix[1] or 0)
    if exponent not in EXPONENTS:
        raise ValueError(f"its sound has the exponent {exponent}, which is no sound's.")
    with tempfile.TemporaryDirectory(prefix="robustaudio-") as scratch:
        path = Path(scratch) / "sound.wav"
        path.write_bytes(content)
        clip = _scaled(Clip.load(path), exponent)
    if not PEAKS[0] <= clip.peak <= PEAKS[1]:
        raise ValueError(f"its sound peaks at {clip.peak:.1e}, as no recording does.")
    check_length(clip.duration_s)
    return replace(clip, name=name)


def _steps(clip: Clip) -> tuple[Float64[np.ndarray, " time"], int]:
    """Samples in steps of 24 bits, float64; full scale is 2 ** exponent."""
    samples = clip.samples.cpu().numpy().astype(np.float64)
    exponent = frexp(float(np.abs(samples).max()))[1]
    return np.ldexp(samples, BITS - 1 - exponent), exponent


def _scaled(clip: Clip, exponent: int) -> Clip:
    """The clip times a power of two, which is exact; its gain is noted of other samples."""
    return replace(clip, samples=torch.ldexp(clip.samples.cpu(), torch.tensor(exponent)))


def _packed(wav: Path) -> Path:
    """A WAV file of 24 bits as FLAC, with its comment."""
    flac = wav.with_suffix(".flac")
    with soundfile.SoundFile(wav) as file:
        steps, rate, comment = file.read(dtype="int32"), file.samplerate, file.comment
    with soundfile.SoundFile(flac, "w", rate, 1, "PCM_24", format="FLAC") as file:
        if comment:
            file.comment = comment
        file.write(steps)
    return flac
