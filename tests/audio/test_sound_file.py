"""Some 300 sound files: none read differently from ffmpeg, none refused that is whole, none
accepted that is cut. What makes them are the encoders that people use; those that are not
installed are skipped, with their names."""

import os
import shlex
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import soundfile

from robustaudio.audio.clip import Clip

pytestmark = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="needs ffmpeg to compare with")
CLIP = Path(__file__).parents[2] / "assets/clips/seven-slt.wav"
TOLERANCE = 1e-4  # of full scale: decoders of one format differ by less
LOSSLESS = 2e-7  # the mean of channels, in double or single precision
SHARES = (0.35, 0.6, 0.9, 0.97)


@dataclass(frozen=True)
class Recipe:
    """How a file is made: a command with {source} and {out}, or bytes from those of others."""

    name: str
    command: str = ""
    rate: int = 44_100
    channels: int = 1
    options: str | None = None  # of ffmpeg, where it makes several files of one source
    of: tuple[str, ...] = ()
    change: Callable[..., bytes] = field(default=lambda content: content)
    lossless: bool = False


def ffmpeg(name: str, options: str, rate: int = 44_100, channels: int = 1, **more) -> Recipe:
    command = f"ffmpeg -v error -y -i {{source}} {options} {{out}}"
    alone = " -i " in options  # another input would be every file's
    return Recipe(name, command, rate, channels, None if alone else options, **more)


def piped(name: str, options: str, **more) -> Recipe:
    return Recipe(name, f"sh -c 'ffmpeg -v error -i {{source}} {options} - > {{out}}'", **more)


def changed(name: str, change: Callable[..., bytes], *of: str, **more) -> Recipe:
    return Recipe(name, of=of, change=change, **more)


def recipes() -> Iterator[Recipe]:
    yield from uncompressed()
    yield from mpeg()
    yield from ogg()
    yield from phones()
    yield from headers()


def uncompressed() -> Iterator[Recipe]:
    kinds = ("u8", "s16le", "s24le", "s32le", "f32le", "f64le", "alaw", "mulaw")
    for rate in (8_000, 22_050, 48_000):
        for channels in (1, 2):
            at = f"{rate}-{channels}"
            for kind in kinds:
                codec = f"-c:a pcm_{kind}"
                yield ffmpeg(f"{kind}-{at}.wav", codec, rate, channels, lossless=True)
            for kind in ("ms", "ima_wav"):
                yield ffmpeg(f"adpcm-{kind}-{at}.wav", f"-c:a adpcm_{kind}", rate, channels)
            for bits in ("s16", "s32"):
                codec = f"-sample_fmt {bits}"
                yield ffmpeg(f"flac-{bits}-{at}.flac", codec, rate, channels, lossless=True)
            yield ffmpeg(f"aiff-{at}.aiff", "", rate, channels, lossless=True)
    for channels in (1, 2):
        more = {"channels": channels, "lossless": True}
        yield ffmpeg(f"float-{channels}.aifc", "-c:a pcm_f32be -f aiff", **more)
        yield ffmpeg(f"{channels}.au", "", **more)
        yield ffmpeg(f"{channels}.caf", "", **more)
        yield ffmpeg(f"rf64-{channels}.wav", "-rf64 always", **more)
        yield ffmpeg(f"six-{channels}.wav", "-ac 6 -c:a pcm_s24le", **more)
        yield piped(f"ffmpeg-pipe-{channels}.wav", "-f wav", **more)
        yield piped(f"ffmpeg-pipe-{channels}.flac", "-f flac", **more)
        yield piped(f"ffmpeg-pipe-{channels}.aiff", "-f aiff", **more)
        for kind in ("wav", "aiff", "au", "flac"):
            command = f"sh -c 'sox {{source}} -t {kind} - > {{out}}'"
            yield Recipe(f"sox-pipe-{channels}.{kind}", command, **more)
        yield Recipe(f"sox-24-{channels}.wav", "sox {source} -b 24 {out}", **more)
        yield Recipe(f"flac-8-{channels}.flac", "flac -s -f -8 -o {out} {source}", **more)
        yield Recipe(f"flac-pipe-{channels}.flac", "sh -c 'flac -s -c {source} > {out}'", **more)
        yield Recipe(f"flac-ogg-{channels}.oga", "flac -s -f --ogg -o {out} {source}", **more)
        yield ffmpeg(f"flac-{channels}.oga", "-c:a flac -f ogg", **more)


def mpeg() -> Iterator[Recipe]:
    for rate in (8_000, 16_000, 22_050, 44_100, 48_000):
        for channels in (1, 2):
            for way, options in {"cbr": "-b 64", "vbr": "-V 4", "abr": "--abr 56"}.items():
                for header, no in (("info", ""), ("no-info", "-t")):
                    name = f"{way}-{header}-{rate}-{channels}.mp3"
                    command = f"lame --quiet {no} {options} {{source}} {{out}}"
                    yield Recipe(name, command, rate, channels)
    for tag in ("--id3v1-only", "--id3v2-only", "--add-id3v2", "--pad-id3v2"):
        for header, no in (("info", ""), ("no-info", "-t")):
            options = f"{no} -b 64 {tag} --tt Titel --ta Künstler"
            yield Recipe(
                f"lame-{tag.strip('-')}-{header}.mp3", f"lame --quiet {options} {{source}} {{out}}"
            )
    for xing in (0, 1):
        with_picture = (
            "-f lavfi -i color=red:s=64x64:d=1 -map 0:a -map 1:v -frames:v 1 -c:v png "
            f"-disposition:v attached_pic -write_xing {xing} -c:a libmp3lame -b:a 64k"
        )
        yield ffmpeg(f"cover-xing-{xing}.mp3", with_picture)
        yield ffmpeg(f"ffmpeg-xing-{xing}.mp3", f"-write_xing {xing} -c:a libmp3lame -b:a 64k")
        yield ffmpeg(f"mp3-in-xing-{xing}.wav", f"-write_xing {xing} -c:a libmp3lame -f wav")
    yield ffmpeg("layer-two.mp2", "-c:a mp2 -b:a 64k", 48_000)
    plain, info = "cbr-no-info-44100-1.mp3", "cbr-info-44100-1.mp3"
    for name in (plain, info):
        yield changed(f"apev2-{name}", lambda a: a + apev2(), name)
        yield changed(f"zeros-behind-{name}", lambda a: a + bytes(3_000), name)
        yield changed(f"zeros-before-{name}", lambda a: bytes(500) + a, name)
        yield changed(f"two-tags-{name}", lambda a: id3v2(100) + id3v2(3_000) + a, name)
        yield changed(f"joined-{name}", lambda a, b: a + b, name, "vbr-no-info-44100-1.mp3")
        yield changed(f"joined-tagged-{name}", lambda a, b: a + id3v1() + b + id3v1(), name, plain)


def ogg() -> Iterator[Recipe]:
    for rate in (8_000, 22_050, 44_100, 48_000):
        for channels in (1, 2):
            at = f"{rate}-{channels}"
            yield Recipe(f"oggenc-{at}.ogg", "oggenc -Q -o {out} {source}", rate, channels)
            yield ffmpeg(f"vorbis-{at}.ogg", "-c:a libvorbis", rate, channels)
            yield Recipe(f"opusenc-{at}.opus", "opusenc --quiet {source} {out}", rate, channels)
            yield ffmpeg(f"opus-{at}.opus", "-c:a libopus -b:a 32k", rate, channels)
    for name in ("oggenc-22050-1.ogg", "opusenc-48000-1.opus", "opus-48000-2.opus"):
        yield changed(f"no-end-{name}", without_end_mark, name)
        yield changed(f"tag-behind-{name}", lambda a: a + id3v1(), name)


def phones() -> Iterator[Recipe]:
    for rate in (8_000, 16_000, 44_100, 48_000):
        for channels in (1, 2):
            at = f"{rate}-{channels}"
            yield ffmpeg(f"aac-{at}.m4a", "-c:a aac", rate, channels)
            yield ffmpeg(f"alac-{at}.m4a", "-c:a alac", rate, channels, lossless=True)
            yield ffmpeg(f"{at}.aac", "-c:a aac", rate, channels)
            yield ffmpeg(f"wma2-{at}.wma", "-c:a wmav2", max(rate, 16_000), channels)
    for channels in (1, 2):
        more = {"channels": channels}
        yield ffmpeg(f"faststart-{channels}.m4a", "-c:a aac -movflags +faststart", **more)
        fragments = "-c:a aac -movflags frag_keyframe+empty_moov -frag_duration 200000"
        yield ffmpeg(f"fragments-{channels}.mp4", fragments, **more)
        yield ffmpeg(f"{channels}.mov", "-c:a aac", **more)
        yield ffmpeg(f"pcm-{channels}.mov", "-c:a pcm_s16le", lossless=True, **more)
        yield ffmpeg(f"wma1-{channels}.wma", "-c:a wmav1", **more)
        yield ffmpeg(f"alac-{channels}.caf", "-c:a alac", lossless=True, **more)
        yield ffmpeg(f"opus-{channels}.webm", "-c:a libopus", **more)
        yield ffmpeg(f"vorbis-{channels}.webm", "-c:a libvorbis", **more)
        yield piped(f"live-{channels}.webm", "-c:a libopus -live 1 -f webm", **more)
        yield piped(f"pipe-{channels}.mka", "-c:a aac -f matroska", **more)
        yield ffmpeg(f"flac-{channels}.mka", "-c:a flac", lossless=True, **more)
        yield ffmpeg(f"mp3-{channels}.mka", "-c:a libmp3lame", **more)
        yield ffmpeg(f"opus-{channels}.mp4", "-c:a libopus", 48_000, **more)
    for name, magic, first, size in (
        ("nb.amr", b"#!AMR\n", 0x3C, 31), ("wb.amr", b"#!AMR-WB\n", 0x44, 60),
    ):  # fmt: skip
        content = amr(magic, first, size)
        yield changed(name, lambda _, content=content: content, "s16le-8000-1.wav")
        command = f"ffmpeg -v error -y -i {{folder}}/{name} -c copy {{out}}"
        yield Recipe(name.replace("amr", "3gp"), command, of=(name,))
    film = "-f lavfi -i testsrc=s=64x48:d=1 -map 0:a -map 1:v"
    yield ffmpeg("film.mp4", f"{film} -c:a aac -c:v mpeg4")
    yield ffmpeg("film.webm", f"{film} -c:a libopus -c:v libvpx")
    cover = "-f lavfi -i color=red:s=64x64:d=1 -map 0:a -map 1:v -frames:v 1 -c:v mjpeg"
    yield ffmpeg("cover.m4a", f"{cover} -disposition:v attached_pic -c:a aac")
    yield ffmpeg("cover.flac", f"{cover} -disposition:v attached_pic", lossless=True)


def headers() -> Iterator[Recipe]:
    """WAV files whose sizes are wrong in the ways that recorders and pipes have."""
    for name in ("s16le-22050-1.wav", "s24le-8000-2.wav", "f32le-48000-1.wav", "mulaw-8000-1.wav"):
        more = {"lossless": True}
        for size in (0, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FFFF000, 0x80000000):
            change = lambda a, size=size: sizes(a, data=size, whole=size)  # noqa: E731
            yield changed(f"sizes-{size:x}-{name}", change, name, **more)
            change = lambda a, size=size: sizes(a, data=size)  # noqa: E731
            yield changed(f"data-{size:x}-{name}", change, name, **more)
        for extra in (-8, 1, 4, 8, 44):
            change = lambda a, extra=extra: sizes(a, whole=len(a) - 8 + extra)  # noqa: E731
            yield changed(f"whole-{extra}-{name}", change, name, **more)
        yield changed(f"data-is-file-{name}", lambda a: sizes(a, data=len(a)), name, **more)
        yield changed(f"list-behind-{name}", lambda a: a + b"LIST\4\0\0\0INFO", name, **more)
        yield changed(f"id3-before-{name}", lambda a: id3v2(1_000) + a, name, **more)
    flac = "flac-s16-22050-1.flac"
    yield changed("id3-before.flac", lambda a: id3v2(1_000) + a, flac, lossless=True)
    yield changed("id3-behind.flac", lambda a: a + id3v1(), flac, lossless=True)


def amr(magic: bytes, first: int, size: int) -> bytes:
    """45 frames of any bits: there is no encoder everywhere, and a decoder takes them all."""
    bits = np.random.default_rng(0).integers(0, 256, (45, size), np.uint8)
    return magic + b"".join(bytes([first]) + frame.tobytes() for frame in bits)


def id3v2(size: int) -> bytes:
    return b"ID3\4\0\0" + bytes((size >> shift) & 127 for shift in (21, 14, 7, 0)) + bytes(size)


def id3v1() -> bytes:
    return b"TAG" + b"a title".ljust(125, b"\0")


def apev2() -> bytes:
    item = struct.pack("<II", 5, 0) + b"Title\0title"
    count = struct.pack("<III", 2000, len(item) + 32, 1)
    head = b"APETAGEX" + count + struct.pack("<I", 0xA0000000) + bytes(8)
    return head + item + b"APETAGEX" + count + struct.pack("<I", 0x80000000) + bytes(8)


def sizes(content: bytes, data: int | None = None, whole: int | None = None) -> bytes:
    """A WAV with other sizes in its header."""
    changed, at = bytearray(content), content.index(b"data") + 4
    if data is not None:
        changed[at : at + 4] = struct.pack("<I", data)
    if whole is not None:
        changed[4:8] = struct.pack("<I", whole)
    return bytes(changed)


def without_end_mark(content: bytes) -> bytes:
    """An Ogg whose last page lacks the bit (and has the checksum of what it then says)."""
    at, changed = content.rindex(b"OggS"), bytearray(content)
    changed[at + 5] &= ~4
    changed[at + 22 : at + 26] = bytes(4)
    checksum = 0
    for byte in changed[at:]:
        checksum ^= byte << 24
        for _ in range(8):
            checksum = (checksum << 1 ^ (0x04C11DB7 if checksum >> 31 else 0)) & 0xFFFFFFFF
    changed[at + 22 : at + 26] = struct.pack("<I", checksum)
    return bytes(changed)


# --- made, and decoded by ffmpeg -----------------------------------------------------------------


@dataclass(frozen=True)
class Lot:
    paths: dict[str, Path]
    lossless: frozenset[str]
    not_made: dict[str, str]  # name -> why
    decoded: dict[str, tuple[np.ndarray, int]]  # mean of the channels, rate


def as_ffmpeg(paths: Sequence[Path]) -> list[tuple[np.ndarray, int]]:
    """The mean of the channels that ffmpeg itself decodes, and their rate, of each file.

    One process decodes several: to start it takes longer. Where it fails, each has its own.
    """
    with tempfile.TemporaryDirectory() as folder:
        decoded = [Path(folder, f"{number}.wav") for number in range(len(paths))]
        command: list[str | Path] = ["ffmpeg", "-v", "quiet"]
        for path in paths:
            command += ["-i", path]
        for number, path in enumerate(decoded):
            command += ["-map", f"{number}:a:0", "-c:a", "pcm_f32le", "-f", "wav", path]
        failed = subprocess.run(command, stdin=subprocess.DEVNULL).returncode
        if failed and len(paths) > 1:
            return [each for path in paths for each in as_ffmpeg([path])]
        return [mean_of(path.read_bytes() if path.exists() else b"") for path in decoded]


def mean_of(wav: bytes) -> tuple[np.ndarray, int]:
    """The mean of the channels of a WAV file of floats, and its rate."""
    at = wav.find(b"data") + 8
    if at < 44:
        return np.zeros(0), 0
    channels, rate = struct.unpack("<HI", wav[22:28])
    samples = np.frombuffer(wav[at : at + (len(wav) - at) // (4 * channels) * 4 * channels], "<f4")
    return samples.reshape(-1, channels).mean(axis=1, dtype=np.float64), rate


@pytest.fixture(scope="module")
def lot(tmp_path_factory) -> Lot:
    folder, spoken = tmp_path_factory.mktemp("lot"), Clip.load(CLIP)
    sources: dict[tuple[int, int], Path] = {}
    todo = list(recipes())
    for rate, channels in {(recipe.rate, recipe.channels) for recipe in todo}:
        left = np.tile(spoken.resampled(rate).samples.numpy(), 2)[: rate * 4 // 5]
        beside = 0.3 * np.sin(np.arange(len(left)) * 2 * np.pi * 700 / rate)
        samples = np.stack([left, 0.5 * left + beside], 1)[:, :channels]
        sources[rate, channels] = folder / f"source-{rate}-{channels}.wav"
        soundfile.write(sources[rate, channels], samples, rate, "PCM_16")
    paths, not_made = {}, {}

    def make(recipe: Recipe) -> None:
        out = folder / recipe.name
        if recipe.of and not recipe.command:
            if all(name in paths for name in recipe.of):
                out.write_bytes(recipe.change(*(paths[name].read_bytes() for name in recipe.of)))
        else:
            source = sources[recipe.rate, recipe.channels]
            command = shlex.split(recipe.command.format(source=source, out=out, folder=folder))
            tool = command[0] if command[0] != "sh" else command[2].split()[0]
            if not shutil.which(tool):
                not_made[recipe.name] = f"no {tool}"
                return
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                not_made[recipe.name] = (done.stderr.strip().splitlines() or ["?"])[0]
                return
        if out.exists() and out.stat().st_size:
            paths[recipe.name] = out

    def make_together(recipes: list[Recipe]) -> None:
        """By one ffmpeg, of one source; what it did not make has a process of its own."""
        source = sources[recipes[0].rate, recipes[0].channels]
        command = ["ffmpeg", "-v", "error", "-y", "-i", str(source)]
        for recipe in recipes:
            command += [*shlex.split(recipe.options or ""), str(folder / recipe.name)]
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL)
        for recipe in recipes:
            if done.returncode:
                make(recipe)
            else:
                paths[recipe.name] = folder / recipe.name

    together: dict[tuple[int, int], list[Recipe]] = {}
    for recipe in todo:
        if recipe.options is not None:
            together.setdefault((recipe.rate, recipe.channels), []).append(recipe)
    with ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        list(pool.map(make_together, together.values()))
        list(pool.map(make, (r for r in todo if not r.of and r.options is None)))
        for recipe in (r for r in todo if r.of):  # of others, and of others of others
            make(recipe)
        names = sorted(paths)
        lots = [names[at : at + 12] for at in range(0, len(names), 12)]
        every = pool.map(as_ffmpeg, [[paths[name] for name in lot] for lot in lots])
        decoded = dict(zip(names, chain.from_iterable(every), strict=True))
    lossless = frozenset(recipe.name for recipe in todo if recipe.lossless)
    return Lot(paths, lossless, not_made, decoded)


def difference(samples: np.ndarray, right: np.ndarray) -> float:
    """The largest difference where both are; one may end up to a block of a codec earlier."""
    both = min(len(samples), len(right))
    if abs(len(samples) - len(right)) > max(600, 0.01 * len(right)):
        return float("inf")
    return float(np.abs(samples[:both] - right[:both]).max())


def test_none_is_read_differently_from_ffmpeg_and_none_refused(lot):
    wrong = {}
    for name, path in lot.paths.items():
        right, rate = lot.decoded[name]
        try:
            clip = Clip.load(path)
        except ValueError as error:
            if len(right):
                wrong[name] = str(error)
            continue
        if "ima_wav" in name:  # ffmpeg before 7 rounds otherwise than the format says
            right = soundfile.read(path, always_2d=True)[0].mean(axis=1)
        worst = difference(clip.samples.numpy(), right)
        if clip.sample_rate != rate:
            wrong[name] = f"{clip.sample_rate} Hz, not {rate}"
        elif name in lot.lossless and len(clip.samples) != len(right):
            wrong[name] = f"{len(clip.samples)} samples, not {len(right)}"
        elif worst > (LOSSLESS if name in lot.lossless else TOLERANCE):
            wrong[name] = f"differs by {worst:.2g}; {len(clip.samples)} and {len(right)} samples"
    print(len(lot.paths), "read;", len(lot.not_made), "not made:", lot.not_made)
    assert not wrong, "\n".join(f"{name}: {why}" for name, why in wrong.items())


def test_the_lot_is_about_300_files_where_the_encoders_are_installed(lot):
    missing = {why for why in lot.not_made.values() if why.startswith("no ")}
    if missing:
        pytest.skip(f"{len(lot.not_made)} files were not made: {', '.join(sorted(missing))}")
    assert len(lot.paths) >= 300, lot.not_made


CUT = [
    "s16le-22050-1.wav", "s24le-8000-2.wav", "adpcm-ms-22050-1.wav", "aiff-22050-1.aiff", "1.au",
    "1.caf", "rf64-1.wav", "flac-s16-22050-1.flac", "flac-s32-48000-2.flac", "layer-two.mp2",
    "ffmpeg-pipe-1.flac", "flac-1.oga", "cbr-info-44100-1.mp3", "vbr-info-22050-2.mp3",
    "cbr-no-info-44100-1.mp3", "vbr-no-info-16000-1.mp3", "mp3-in-xing-0.wav",
    "oggenc-22050-1.ogg", "vorbis-44100-2.ogg", "opusenc-48000-1.opus", "opusenc-8000-1.opus",
    "aac-44100-1.m4a", "faststart-1.m4a", "alac-16000-1.m4a", "44100-1.aac", "wma2-44100-1.wma",
    "opus-1.webm", "live-1.webm", "vorbis-2.webm", "flac-1.mka", "nb.amr", "wb.amr", "nb.3gp",
    "cover.m4a", "film.mp4", "fragments-1.mp4", "1.mov",
]  # fmt: skip


@pytest.mark.parametrize("name", CUT)
def test_none_that_is_cut_is_accepted(name, lot, tmp_path):
    if name not in lot.paths:
        pytest.skip(f"{name} was not made: {lot.not_made.get(name)}")
    content = lot.paths[name].read_bytes()
    for share in SHARES:
        for cut in (int(share * len(content)), int(share * len(content)) + 13):
            (tmp_path / name).write_bytes(content[:cut])
            with pytest.raises(ValueError, match=r"^[^\n]+\.$") as caught:
                pytest.fail(f"{share:.0%} read: {len(Clip.load(tmp_path / name).samples)} samples")
            assert "truncated" in str(caught.value), (share, cut, str(caught.value))
