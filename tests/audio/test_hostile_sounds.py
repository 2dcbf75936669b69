"""Sounds made to take a server's memory or time: read, or refused in a sentence, cheaply."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import hostile
import numpy as np
import pytest
import soundfile
import torch
from limited import run_limited

from robustaudio.audio import sound_file
from robustaudio.audio.clip import Clip

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


# --- rates, and decoders at a time ---------------------------------------------------------------


@pytest.mark.parametrize("rate", [8_000, 11_025, 48_000])
@pytest.mark.parametrize("name", ["seven-slt.wav", "three-en-us-f3.wav"])
def test_a_clip_loaded_at_a_rate_is_the_clip_resampled(name, rate):
    whole, at_rate = Clip.load(BUNDLED / name), Clip.load(BUNDLED / name, sample_rate=rate)
    assert at_rate.sample_rate == rate
    assert torch.equal(at_rate.samples, whole.resampled(rate).samples)


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


# --- many channels -------------------------------------------------------------------------------

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
