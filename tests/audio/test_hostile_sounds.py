"""Sounds made to take a server's memory or time: read, or refused in a sentence, cheaply."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import hostile
import numpy as np
import pytest
import soundfile
import soxr
import torch
from limited import run_limited

from robustaudio.audio import recording, sound_file
from robustaudio.audio.clip import Clip
from robustaudio.audio.containers import Looks
from robustaudio.audio.id3 import holds_compressed_tag
from robustaudio.audio.recording import Digest, Recording

BUNDLED = Path(__file__).parents[2] / "assets/clips"
ADDRESSES = 3 * 2**30  # bytes that the child may ask for
MOST_MB, MOST_S = 1_000, 10
READ = {  # samples at 48 kHz, or at the file's own rate
    "long.flac": 4_800_000, "long.oga": 4_800_000, "long.mka": 4_800_000, "long.mp4": 4_800_000,
    "minutes.opus": 4_608_000, "right.mp4": 8_000,
}  # fmt: skip
EITHER = re.compile(r"\w+(-\w+)?\.mp4|rate\.au|aligned\.wav")  # of what little is there
CHILD = """
import json, resource, sys, time
from pathlib import Path
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]),) * 2)
from robustaudio.audio.clip import Clip

def peak_mb():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024

answers = {}
for path in sys.argv[2:]:
    start = time.process_time()
    try:
        answer = len(Clip.load(path).samples)
    except ValueError as error:
        answer = str(error)
    answers[Path(path).name] = [answer, time.process_time() - start, peak_mb()]
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory) -> dict[str, list]:
    """What each file got: samples or a sentence, seconds of a core, the most MB so far."""
    if sys.platform != "linux":
        pytest.skip("limits and measures memory as Linux does")
    folder = tmp_path_factory.mktemp("hostile")
    for name, content in hostile.HOSTILE.items():
        (folder / name).write_bytes(content())
    for name, (header, size) in hostile.long_pcm().items():
        hostile.sparse(folder / name, header, size)
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(ADDRESSES), *map(str, sorted(folder.iterdir()))],
        capture_output=True, text=True, timeout=600, cwd=BUNDLED.parents[1],
    )  # fmt: skip
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert done.stdout.count("\n") == 1, "a library printed something"
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", [*hostile.HOSTILE, *hostile.long_pcm()])
def test_a_hostile_sound_is_answered_in_little_memory_and_time(name, answers):
    answer, seconds, peak_mb = answers[name]
    assert peak_mb < MOST_MB and seconds < MOST_S
    if name in READ:
        assert answer == READ[name]
    elif isinstance(answer, int):
        assert EITHER.fullmatch(name)
    else:
        assert re.fullmatch(rf"{re.escape(name)} [^\n]+\.", answer)


# --- what is kept --------------------------------------------------------------------------------


@pytest.mark.parametrize("rate, target", [(44_100, 8_000), (8_000, 44_100), (16_000, 16_000)])
def test_samples_come_block_by_block_as_soxr_gives_them_in_one_go(rate, target, monkeypatch):
    monkeypatch.setattr(recording, "CHUNK", 1_000)
    monkeypatch.setattr(recording, "HELD", 100)
    rng = np.random.default_rng(0)
    samples = rng.standard_normal(30_000).astype(np.float32)
    cuts = [0, *sorted(rng.integers(0, len(samples), 40)), len(samples)]
    kept = Recording(target)
    kept.digest = Digest()
    for start, end in pairwise(cuts):
        kept.add(samples[start:end], rate)
    assert np.array_equal(kept.samples(), soxr.resample(samples, rate, target, "VHQ"))
    whole = Digest()
    whole.add(samples)
    assert str(kept.digest) == str(whole) and kept.sample_rate == rate
    assert (kept.facts.count, kept.facts.peak) == (len(samples), float(np.abs(samples).max()))
    assert kept.facts.total == pytest.approx(samples.sum(dtype=np.float64))


def test_what_is_dropped_is_neither_kept_nor_counted(monkeypatch):
    monkeypatch.setattr(recording, "CHUNK", 50)
    samples = np.linspace(-1, 1, 10_000, dtype=np.float32)
    kept = Recording(None)
    for block in np.split(samples, 100):
        kept.add(block, 8_000)
    kept.drop(recording.HELD)
    assert np.array_equal(kept.samples(), samples[: -recording.HELD])
    assert kept.facts.count == 10_000 - recording.HELD


@pytest.mark.parametrize("rate", [8_000, 11_025, 48_000])
@pytest.mark.parametrize("name", ["seven-slt.wav", "three-en-us-f3.wav"])
def test_a_clip_loaded_at_a_rate_is_the_clip_resampled(name, rate):
    whole, at_rate = Clip.load(BUNDLED / name), Clip.load(BUNDLED / name, sample_rate=rate)
    assert at_rate.sample_rate == rate
    assert torch.equal(at_rate.samples, whole.resampled(rate).samples)


def test_only_a_recording_of_too_many_samples_comes_at_another_rate(tmp_path):
    noise = np.random.default_rng(0).integers(-9_000, 9_000, 31 * 192_000).astype(np.int16)
    for seconds, rate in ((30, 192_000), (31, 48_000)):
        soundfile.write(tmp_path / "a.wav", noise[: seconds * 192_000], 192_000, "PCM_16")
        clip = Clip.load(tmp_path / "a.wav")
        assert clip.sample_rate == rate and clip.duration_s == seconds
    right = soxr.resample((noise / 32768).astype(np.float32), 192_000, 48_000, "VHQ")
    assert np.array_equal(clip.samples.numpy(), right)


@pytest.mark.parametrize("rate", [None, 8_000, 16_000])
def test_a_note_of_a_gain_is_believed_at_any_rate(rate, tmp_path):
    clip = Clip.load(BUNDLED / "seven-slt.wav").scaled(2.25)
    clip.save(tmp_path / "a.wav", headroom=0.25)
    again = Clip.load(tmp_path / "a.wav", sample_rate=rate)
    assert again.gain == 2.25
    assert torch.equal(again.samples, clip.resampled(rate or clip.sample_rate).samples)


def test_no_more_than_two_recordings_are_decoded_at_a_time(monkeypatch, tmp_path):
    running, most, lock = 0, 0, threading.Lock()
    decode = sound_file._decode

    def counted(*arguments):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02)
        decode(*arguments)
        with lock:
            running -= 1

    monkeypatch.setattr(sound_file, "_decode", counted)
    threads = [
        threading.Thread(target=Clip.load, args=[BUNDLED / "seven-slt.wav"]) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 2


# --- which formats, and how whole ----------------------------------------------------------------

DOCUMENTED = {"WAV", "WAVEX", "RF64", "AIFF", "AU", "CAF", "FLAC", "OGG", "MP3"}
UNSAID = {"RAW"}  # soundfile needs to be told of it what only the reader knows
FORMATS = sorted({*soundfile.available_formats()} - UNSAID)
# libsndfile of 24 bits where a format has them: nothing that looks like another format's header
SUBTYPES = {"OGG": "VORBIS", "MP3": "MPEG_LAYER_III"}


def as_format(path: Path, kind: str) -> bool:
    """Whether the format can hold half a second of the bundled speech at one of its rates."""
    samples, _ = soundfile.read(BUNDLED / "seven-slt.wav", dtype="float32")
    samples = np.tile(samples, 6)[:20_000]
    for rate in (8_000, 44_100):
        for subtype in (SUBTYPES.get(kind), soundfile.default_subtype(kind)):
            if subtype and soundfile.check_format(kind, subtype):
                try:
                    soundfile.write(path, samples, rate, subtype, format=kind)
                    return True
                except soundfile.LibsndfileError:
                    continue
    return False


@pytest.mark.parametrize("kind", FORMATS)
def test_only_documented_formats_are_read_and_only_whole_ones(kind, tmp_path, capfd):
    path = tmp_path / "sound.bin"
    if not as_format(path, kind):
        pytest.skip("libsndfile does not write it")
    content = path.read_bytes()
    capfd.readouterr()
    if kind in DOCUMENTED:
        assert abs(len(Clip.load(path).samples) - 20_000) < 3_000
    else:
        with pytest.raises(ValueError, match="not a sound file that can be read"):
            Clip.load(path)
    for share in (0.34, 0.66, 0.9, 0.99, 0.995, 0.998):
        path.write_bytes(content[: int(share * len(content)) // 2 * 2 + 1])
        with pytest.raises(ValueError, match=r"sound\.bin (is|has|lasts) [^\n]+\.$"):
            Clip.load(path)
    printed = capfd.readouterr()
    assert not printed.out and not printed.err


# --- no files ------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other devices")
@pytest.mark.parametrize("name", ["/dev/zero", "/dev/full", "/dev/null", "/dev/urandom", "/dev"])
def test_a_device_is_not_read(name):
    with pytest.raises(ValueError, match=f"^{name} is not a file.$"):
        Clip.load(name)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
def test_pipes_and_sockets_are_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    os.mkfifo("pipe.wav")
    os.symlink("pipe.wav", "link.wav")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.wav")
        for name in ("pipe.wav", "link.wav", "socket.wav"):
            with pytest.raises(ValueError, match=f"^{name} is not a file.$"):
                Clip.load(name)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("subtype", sound_file.SUBTYPES)
def test_a_full_disk_is_one_sentence_and_no_traceback(subtype, capfd):
    clip = Clip.load(BUNDLED / "seven-slt.wav")
    with pytest.raises(ValueError, match=r"^cannot write '/dev/full': .*[Nn]o space left"):
        clip.save("/dev/full", subtype)
    printed = capfd.readouterr()
    assert not printed.out and not printed.err


# --- the pieces ----------------------------------------------------------------------------------


def test_a_file_is_looked_at_so_often_and_no_more(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(bytes(100))
    with path.open("rb") as file:
        looks = Looks(file, 3, "a.wav")
        for _ in range(3):
            looks.seek(0)
        with pytest.raises(ValueError, match=r"^a\.wav is in more pieces than a sound has"):
            looks.seek(0)


def test_a_tag_is_compressed_only_where_its_frames_grow(tmp_path):
    plain = hostile.id3(b"TIT2\0\0\0\x05\0\0\3abcd" + os.urandom(2_000_000))
    path = tmp_path / "a"
    for front in (b"", b"T", b"TTCO", bytes(2**20 - 5), bytes(2**20 - 17)):
        for tag, expected in ((plain, False), (hostile.bomb_of_text(1, 1), True)):
            path.write_bytes(front + tag)
            with path.open("rb") as file:
                assert holds_compressed_tag(file, 0) is expected
    path.write_bytes(hostile.bomb_of_text(1, 1))
    with path.open("rb") as file:  # tags at the front of an MP3 are passed over
        assert not holds_compressed_tag(file, path.stat().st_size)


READ_MANY = """
import sys
from robustaudio.audio.clip import Clip
for path in sys.argv[1:]:
    print(len(Clip.load(path).samples), float(Clip.load(path).samples.square().mean()))
"""


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_many_channels_are_read_as_libsndfile_reads_them(subtype, tmp_path):
    """In a process of its own: what reads beside its memory ends it."""
    steps = np.random.default_rng(0).normal(size=(24_000, 12)).cumsum(0)
    sound = 0.5 * (steps - steps.mean(0)) / np.abs(steps).max()
    paths = []
    for channels in (6, 7, 8) if subtype == "OPUS" else (6, 7, 8, 9, 12):
        paths.append(tmp_path / f"{channels}.ogg")
        soundfile.write(paths[-1], sound[:, :channels], 48_000, subtype, format="OGG")
    told = run_limited(
        READ_MANY, seconds=60, megabytes=1_000, arguments=tuple(map(str, paths))
    ).splitlines()
    for path, line in zip(paths, told, strict=True):
        right, length = soundfile.read(path)[0].mean(1), int(line.split()[0])
        assert abs(length - len(right)) < 1_000
        assert float(line.split()[1]) == pytest.approx(np.square(right).mean(), rel=1e-3)
