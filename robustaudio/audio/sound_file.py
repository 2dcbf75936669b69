"""Sound files: which are read, how they are decoded, and what is refused with one sentence.

ffmpeg's libraries decode (PyAV); the container is told from the content and named to them, so that
no playlist, image or address is ever opened. `docs/sound-files.md` says the same to people.
"""

import ctypes
import io
import math
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from jaxtyping import Float32, Float64, Shaped

from robustaudio.audio.containers import Looks, Part, missing, parts
from robustaudio.audio.id3 import holds_compressed_tag
from robustaudio.audio.recording import HELD, Digest, Facts, Recording
from robustaudio.doors import reason
from robustaudio.serving.turns import Turns

MIN_DURATION_S = 0.05
MAX_DURATION_S = 120.0
SAMPLE_RATES = (4_000, 192_000)  # Hz, both ends allowed
PEAKS = (2.0**-31, 2.0**31)  # from one step of 32-bit PCM to integers kept as floats
CANCELLED = 0.01  # of the loudest channel's level: 40 dB
OFFSET = 0.25  # of the peak
LOST = 0.01  # of a file's packets
FORMATS = "WAV, FLAC, MP3, Ogg, M4A, WebM, 3GP, AMR, WMA or AIFF"
EXTENSIONS: tuple[str, ...] = (
    ".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".mp4", ".mov", ".aac", ".webm",
    ".mka", ".3gp", ".amr", ".wma", ".aif", ".aiff", ".caf", ".au",
)  # fmt: skip
DIGEST = "sha256="  # a comment with it speaks of the samples as stored
SUBTYPES = ("FLOAT", "PCM_24", "PCM_16")
DECODINGS = Turns(2)  # at a time, of all threads: each takes some memory
PCM_BITS = {"PCM_24": 24, "PCM_16": 16}
MOST_PACKETS = 500_000
MOST_LINKS = 1_000  # of a chained Ogg
MOST_LOOKS = 500_000  # at the structure of a file
MOST_MEMORY = 2**26  # bytes that ffmpeg may ask for at a time
AT_ONCE = 2**18  # values that are converted at a time
MOST_PLANES = 7  # channels that PyAV reads each from a plane of its own; of 8 it reads a ninth
OPTIONS = {"wav": {"max_size": "262144", "probesize": "32768"}}  # bytes at a time, bytes guessed on
DECODERS = {  # beside all of PCM and ADPCM; no picture and no film is ever decoded
    "aac", "alac", "amrnb", "amrwb", "flac", "gsm", "gsm_ms", "mp1", "mp1float", "mp2", "mp2float",
    "mp3", "mp3float", "opus", "vorbis", "wmalossless", "wmapro", "wmav1", "wmav2", "wmavoice",
}  # fmt: skip


@dataclass(frozen=True)
class Sound:
    """The mean of a file's channels (full scale +-1) and its rate in Hz; the file's comment.

    `facts` and `digest` are of the samples as stored, at the file's own rate. There is a digest
    only where the comment speaks of one.
    """

    samples: Float32[np.ndarray, " time"]
    sample_rate: int
    comment: str
    facts: Facts
    digest: str


@DECODINGS.turn()
def read_sound(path: Path, name: str, sample_rate: int | None = None) -> Sound:
    """Decode a file that exists; `name` is what sentences call it.

    The samples come at `sample_rate` in Hz (soxr, very high quality). Without one, they come at
    the file's own rate, or at 48 kHz where these would be more than 120 s at 48 kHz have.

    Raises:
        ValueError: one sentence, where the file is no sound, is cut, too short or too long, or
            where its channels cancel each other.
    """
    decoded = _Decoded(Recording(sample_rate))
    try:
        with path.open("rb") as file:
            sounds = parts(Looks(file, MOST_LOOKS, name))
            if sounds and holds_compressed_tag(file, sounds[0].start):
                raise ValueError(
                    f"{name} holds an ID3 tag that is compressed, which is not read; save it "
                    "without tags."
                )
            if len(sounds) > MOST_LINKS:
                raise ValueError(
                    f"{name} is a chain of {len(sounds)} sounds; at most {MOST_LINKS}, please."
                )
            for part in sounds:
                _decode(part, decoded, name)
            gap = next(filter(None, map(missing, sounds)), None)
    except OSError as error:
        raise _not_sound(name) from error
    if gap is not None:
        raise ValueError(f"{name} is truncated: {gap}.")
    decoded.check(name)
    if decoded.failed and sounds[0].container == "flac":
        raise ValueError(f"{name} is truncated or damaged: no sample of it can be decoded.")
    if decoded.failed or not decoded.sample_rate:
        raise _not_sound(name)
    kept = decoded.recording
    samples, facts = kept.samples(), kept.facts
    _check_duration(facts.count / (kept.sample_rate or decoded.sample_rate), name)
    decoded.check_channels(name)
    return Sound(samples, kept.kept_rate, decoded.comment, facts, str(kept.digest or ""))


def _not_sound(name: str) -> ValueError:
    return ValueError(f"{name} is not a sound file that can be read; {FORMATS} would be right.")


# --- decoding ------------------------------------------------------------------------------------


@dataclass
class _Decoded:
    """What a decoder has given so far."""

    recording: Recording
    sample_rate: int = 0  # that the file declares
    comment: str = ""
    duration_s: float = 0.0
    frames: int = 0
    promised: int = 0  # samples, where the file says it for sure
    energies: dict[int, Float64[np.ndarray, " channel"]] = field(default_factory=dict)
    packets: int = 0
    lost: int = 0
    may_lose: int = 2  # packets: the noise of a joint, or a tag
    failed: bool = False

    def add(self, block: Shaped[np.ndarray, "time channel"], sample_rate: int) -> None:
        with np.errstate(invalid="ignore", over="ignore"):
            # inf - inf is NaN: a bad sample
            mean = block.mean(axis=1, dtype=np.float64).astype(np.float32)
            energy = np.square(block, dtype=np.float64).sum(axis=0)
        channels = block.shape[1]
        self.energies[channels] = self.energies.get(channels, np.zeros(channels)) + energy
        self.recording.add(mean, sample_rate)
        self.frames += len(mean)
        self.duration_s += len(mean) / sample_rate

    def drop(self, excess: int) -> None:
        """Forget samples at the end: those of a last Vorbis block behind the length in the file."""
        self.frames -= excess
        self.recording.drop(excess)

    def check(self, name: str) -> None:
        """Refuse where promised samples are missing, or more was lost than a joint costs."""
        if self.frames < self.promised:
            raise ValueError(
                f"{name} is truncated or damaged: of {self.promised} samples {self.frames} "
                "can be decoded."
            )
        if self.lost > max(self.may_lose, LOST * self.packets * (self.may_lose > 0)):
            raise ValueError(
                f"{name} is truncated or damaged: {self.lost} of its {self.packets} packets "
                "cannot be decoded."
            )

    def check_channels(self, name: str) -> None:
        """Refuse channels that sound where their mean does not."""
        mean = self.recording.facts
        if len(self.energies) != 1 or mean.bad:
            return
        ((channels, energy),) = self.energies.items()
        loudest = math.sqrt(energy.max())
        both = channels * math.sqrt(mean.energy)
        if channels < 2 or both >= 2 * CANCELLED * loudest:
            return
        who = "left and right" if channels == 2 else "its channels"
        advice = (
            f"{who} cancel each other, so that mono would be next to nothing; turn one of them "
            "over, or keep one channel only."
        )
        if both == 0 and loudest > 0:
            raise ValueError(
                f"{name} is silent: every sample, averaged over its channels, is zero, because "
                f"{advice}"
            )
        if loudest > 0:
            below_db = 20 * math.log10(2 * loudest / both)
            raise ValueError(f"{name} is {below_db:.0f} dB fainter in mono: {advice}")


def _decode(part: Part, decoded: _Decoded, name: str) -> None:
    """All that can be decoded of a part, up to the longest duration that is allowed."""
    av, before = _pyav(name), decoded.frames
    try:
        with av.open(
            io.BufferedReader(_View(part), 2**16), format=part.container,
            options={**_only_sound(), **OPTIONS.get(part.container, {})}, metadata_errors="replace",
        ) as container:  # fmt: skip
            stream = container.streams.best("audio")
            codec = "" if stream is None or not stream.codec_context else stream.codec.name
            if codec and not _is_read(codec):
                raise ValueError(
                    f"{name} holds {codec}, which is not read; save it as WAV or FLAC."
                )
            if stream is None or not codec:
                decoded.failed = True
                return
            if codec == "flac":  # its frames have checksums, which ffmpeg only reads if told to
                stream.codec_context.options = {"err_detect": "crccheck+explode"}
            tags = {**container.metadata, **stream.metadata}
            decoded.comment = decoded.comment or next(
                (text for key, text in tags.items() if key.lower() == "comment"), ""
            )
            if DIGEST in decoded.comment and not before:
                decoded.recording.digest = Digest()
            decoded.sample_rate = decoded.sample_rate or stream.rate
            declared_s = float(stream.duration * stream.time_base) if stream.duration else 0.0
            if part.container == "flac":  # its header counts samples, and none may be lost
                decoded.promised, decoded.may_lose = stream.duration or 0, 0
            exact = part.container == "flac" or codec.startswith("pcm_")
            if exact and declared_s > MAX_DURATION_S:
                _check_duration(declared_s, name)  # hours are not decoded to be refused
            by_hand = codec == "vorbis" and part.container == "ogg"
            if by_hand:  # ffmpeg miscounts by a block where a file has one page of sound only
                stream.codec_context.flags2 |= av.codec.context.Flags2.skip_manual
            for i, (block, rate) in enumerate(_blocks(av, container, stream, decoded)):
                if by_hand and i == 0:  # the first block only begins the overlap (Vorbis I, 1.3.2)
                    continue
                low, high = SAMPLE_RATES
                if not low <= rate <= high:
                    raise ValueError(f"{name} has {rate} Hz; {low} to {high} Hz would be right.")
                decoded.add(block, rate)
                if decoded.duration_s > MAX_DURATION_S:
                    _check_duration(decoded.duration_s, name)
            if by_hand:
                excess = decoded.frames - before - round(declared_s * stream.rate)
                if 0 < excess < HELD:
                    decoded.drop(excess)
    except av.FFmpegError:  # what was decoded before it counts, as it does for ffmpeg itself
        decoded.failed = decoded.failed or not decoded.frames


def _blocks(
    av: Any, container: Any, stream: Any, decoded: _Decoded
) -> Iterator[tuple[Shaped[np.ndarray, "time channel"], int]]:
    """Samples as floats of full scale +-1, with their rate in Hz, in the order of the file."""
    stream.codec_context.thread_count = 1  # a clip is short: threads cost more than they give
    for packet in container.demux(stream):
        decoded.packets += packet.size > 0
        if decoded.packets > MOST_PACKETS or decoded.lost > LOST * MOST_PACKETS:
            return  # no sound of 120 s has as many; the checks say what is wrong
        try:
            frames = packet.decode()
        except av.FFmpegError:
            decoded.lost += 1
            continue
        for frame in frames:
            if frame.format.is_planar and frame.layout.nb_channels > MOST_PLANES:
                try:
                    (frame,) = av.AudioResampler(format="flt").resample(frame)
                except (av.FFmpegError, ValueError):  # more channels than ffmpeg mixes
                    decoded.lost += 1
                    continue
            values = frame.to_ndarray()
            values = values.T if frame.format.is_planar else values.reshape(frame.samples, -1)
            step = max(1, AT_ONCE // max(1, values.shape[1]))
            for start in range(0, len(values), step):
                yield _floats(values[start : start + step]), frame.sample_rate


def _floats(values: Shaped[np.ndarray, "time channel"]) -> Shaped[np.ndarray, "time channel"]:
    """Samples of full scale +-1; integers are divided by their full scale, as ffmpeg does."""
    if values.dtype == np.uint8:
        return (values.astype(np.float32) - 128) / 128
    if values.dtype.kind == "i":
        return values / float(2 ** (8 * values.dtype.itemsize - 1))
    return values


def _pyav(name: str) -> Any:
    """PyAV, imported when the first file is read: it costs more than the rest of a start."""
    try:
        import av
    except ImportError as error:
        raise ValueError(
            f"{name} needs a decoder that is not installed: pip install av (PyAV)."
        ) from error
    _bound_memory(import_module("av._core").__file__)
    return av


@cache
def _bound_memory(library: str | None) -> None:
    """No field of a file makes ffmpeg reserve more than `MOST_MEMORY` at a time.

    PyAV does not offer the function, but its own library is linked to it (not so on Windows).
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(library).av_max_alloc(ctypes.c_size_t(MOST_MEMORY))


@cache
def _only_sound() -> dict[str, str]:
    """Options that let libavformat open nothing but the file, and decode nothing but sound."""
    import av

    names = sorted(filter(_is_read, av.codecs_available))
    return {"codec_whitelist": ",".join(names), "protocol_whitelist": "none"}


def _is_read(codec: str) -> bool:
    return codec in DECODERS or codec.startswith(("pcm_", "adpcm_"))


class _View(io.RawIOBase):
    """A part of a file as a file of its own."""

    def __init__(self, part: Part):
        self.part, self.at = part, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = (0, self.at, len(self.part))[whence]
        self.at = max(0, base + offset)
        return self.at

    def readinto(self, buffer: Any) -> int:
        data = self.part.read(self.at, len(buffer))
        buffer[: len(data)] = data
        self.at += len(data)
        return len(data)


# --- checks --------------------------------------------------------------------------------------


def _check_duration(duration_s: float, name: str) -> None:
    if duration_s > MAX_DURATION_S:
        lasts = f"{duration_s:.0f} s" if duration_s > MAX_DURATION_S + 1 else "longer"
        raise ValueError(f"{name} lasts {lasts}; at most {MAX_DURATION_S:.0f} s, please.")
    if duration_s < MIN_DURATION_S:
        raise ValueError(f"{name} lasts {duration_s:.3f} s; at least {MIN_DURATION_S} s, please.")


def check_samples(facts: Facts, headroom: float, name: str) -> None:
    """Refuse samples that no recording has; they are those of the file divided by `headroom`.

    Raises:
        ValueError: one sentence on NaN, silence, a peak out of range or a constant offset.
    """
    if facts.bad:
        raise ValueError(f"{name} holds {facts.bad} samples that are NaN or infinite.")
    if not facts.peak:
        raise ValueError(f"{name} is silent: every sample, averaged over its channels, is zero.")
    (low, high), peak = PEAKS, facts.peak / headroom
    if not low <= peak <= high:
        raise ValueError(f"{name} peaks at {peak:.1e}; {low:.1e} to {high:.1e} would be right.")
    mean = facts.total / facts.count / headroom
    if abs(mean) > OFFSET * peak:
        raise ValueError(
            f"{name} has a constant offset (DC): the mean of its samples is {mean:.3g}, "
            f"{abs(mean) / peak:.0%} of the peak; at most {OFFSET:.0%} would be right, so remove "
            "the offset first."
        )


# --- writing -------------------------------------------------------------------------------------


def as_stored(samples: Float32[np.ndarray, " time"], subtype: str) -> Float32[np.ndarray, " time"]:
    """What a WAV file of a subtype will hold: the nearest multiples of 2**(1 - bits), or the same.

    Raises:
        ValueError: for another subtype, and for samples that the subtype cannot hold.
    """
    if subtype not in SUBTYPES:
        raise ValueError(f"no WAV subtype {subtype!r}; choose from {SUBTYPES}.")
    if not np.isfinite(samples).all():
        raise ValueError("samples that are NaN or infinite cannot be written.")
    if subtype not in PCM_BITS:
        return samples
    peak, scale = float(np.abs(samples).max()), 2.0 ** (PCM_BITS[subtype] - 1)
    if peak > 1:
        raise ValueError(
            f"the peak is {peak:.3f} and {subtype} ends at 1; write FLOAT, or scale first."
        )
    steps = np.round(samples.astype(np.float64) * scale).clip(max=scale - 1)
    return (steps / scale).astype(np.float32)


def write_sound(
    path: Path, stored: Float32[np.ndarray, " time"], sample_rate: int, subtype: str, comment: str
) -> None:
    """Write what `as_stored` gives, bit for bit.

    Raises:
        ValueError: if the path cannot be written.
    """
    values = stored
    if subtype in PCM_BITS:
        # libsndfile would multiply floats by 2**(bits - 1) - 1: a file written again would change;
        # of integers it writes the upper bits as they are
        values = (stored.astype(np.float64) * 2**31).astype(np.int32)
    whole = io.BytesIO()  # soundfile prints a traceback for each write that fails
    with soundfile.SoundFile(
        whole, "w", sample_rate, channels=1, subtype=subtype, format="WAV"
    ) as file:
        if comment:
            file.comment = comment
        file.write(values)
    try:
        path.write_bytes(whole.getbuffer())
    except (OSError, ValueError) as error:
        raise ValueError(f"cannot write {str(path)!r}: {reason(error)}.") from error
