"""What recorders, phones and editors write, each case with the value that is right."""

import shutil
import subprocess
import wave
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
import torch
from audio.refused import SEVEN, refusal

from robustaudio.audio.clip import Clip, Stretch, headroom_gain
from robustaudio.audio.sound_file import EXTENSIONS, FORMATS
from robustaudio.classifiers.checkpoints import load_classifier

needs_ffmpeg = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="needs ffmpeg")


def wav(path: Path, samples: np.ndarray, rate: int = 8_000) -> Path:
    soundfile.write(path, samples, rate, "PCM_16")
    return path


# --- lengths that are estimates ------------------------------------------------------------------


def without_info(content: bytes) -> bytes:
    """An MP3 without its first frame, which says how long it is."""
    assert b"Info" in content[:200] or b"Xing" in content[:200]
    return content[content.index(b"\xff\xf3", 4) :]


@pytest.fixture
def plain_mp3(seven, tmp_path) -> bytes:
    with soundfile.SoundFile(tmp_path / "a.mp3", "w", 22_050, 1, format="MP3") as file:
        file.write(seven.resampled(22_050).samples.numpy())
    return without_info((tmp_path / "a.mp3").read_bytes())


ID3V1 = b"TAG" + bytes(125)
PICTURE = b"ID3\3\0\0" + bytes([0, 6, 26, 10]) + bytes(6 * 2**14 + 26 * 2**7 + 10)  # 100 kB


@pytest.mark.parametrize(
    "before, behind", [(b"", b""), (b"", ID3V1), (PICTURE, b""), (PICTURE, ID3V1)]
)
def test_what_an_mp3_without_a_header_holds_is_its_length(before, behind, plain_mp3, tmp_path):
    (tmp_path / "plain.mp3").write_bytes(plain_mp3)
    right = Clip.load(tmp_path / "plain.mp3")
    assert right.sample_rate == 22_050 and 0.43 <= right.duration_s <= 0.6
    (tmp_path / "b.mp3").write_bytes(before + plain_mp3 + behind)
    assert torch.equal(Clip.load(tmp_path / "b.mp3").samples, right.samples)
    (tmp_path / "b.mp3").write_bytes(before + plain_mp3[:-40])
    assert "truncated" in refusal(tmp_path / "b.mp3")


def test_joined_mp3s_are_read_to_the_end(plain_mp3, tmp_path):
    (tmp_path / "a.mp3").write_bytes(plain_mp3)
    one = len(Clip.load(tmp_path / "a.mp3").samples)
    (tmp_path / "b.mp3").write_bytes(plain_mp3 + ID3V1 + PICTURE + plain_mp3)
    assert abs(len(Clip.load(tmp_path / "b.mp3").samples) - 2 * one) <= 1_152


def test_the_longest_duration_is_checked_while_decoding(plain_mp3, tmp_path):
    (tmp_path / "a.mp3").write_bytes(plain_mp3 * 400)  # about 200 s, said nowhere
    assert refusal(tmp_path / "a.mp3") == "a.mp3 lasts longer; at most 120 s, please."


def test_a_flac_without_a_length_is_read_to_its_end(seven, tmp_path):
    path = tmp_path / "a.flac"
    soundfile.write(path, seven.samples.numpy(), 8_000, "PCM_16")
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0  # STREAMINFO's 36 bits of total samples: 0 is unknown
    content[22:26] = bytes(4)
    path.write_bytes(content)
    assert torch.equal(Clip.load(path).samples, seven.samples)
    for cut in (100, 1_000, 3_000):
        path.write_bytes(content[:-cut])
        assert "truncated" in refusal(path)


@pytest.mark.parametrize("place", [0.3, 0.6, 0.9])
def test_a_flac_with_a_wrong_byte_is_damaged(place, seven, tmp_path):
    path = tmp_path / "a.flac"
    soundfile.write(path, seven.samples.repeat(5).numpy(), 8_000, "PCM_16")
    content = bytearray(path.read_bytes())
    content[round(place * len(content))] ^= 0xFF
    path.write_bytes(content)
    assert "is truncated or damaged: of 17200 samples" in refusal(path)


# --- phones and browsers -------------------------------------------------------------------------

PHONES = {  # suffix -> ffmpeg's name of container and codec, rate
    "m4a": ("ipod", "aac", 44_100),
    "alac.m4a": ("ipod", "alac", 44_100),
    "webm": ("webm", "libopus", 48_000),
    "aac": ("adts", "aac", 44_100),
    "wma": ("asf", "wmav2", 44_100),
    "mka": ("matroska", "flac", 44_100),
}


def recorded(path: Path, kind: str, samples: np.ndarray, rate: int) -> Path:
    """Samples as a phone or a browser writes them (PyAV brings the encoders)."""
    container, codec, _ = PHONES[kind]
    with av.open(str(path), "w", format=container) as file:
        stream = file.add_stream(codec, rate=rate, layout="mono")
        stream.bit_rate = 64_000
        resampler = av.AudioResampler(format=stream.format, layout="mono", rate=rate)
        frame = av.AudioFrame.from_ndarray(samples[None].astype(np.float32), "fltp", "mono")
        frame.sample_rate, frame.pts = rate, 0
        fifo = av.AudioFifo()
        for part in resampler.resample(frame):
            fifo.write(part)
        while (
            part := fifo.read(stream.codec_context.frame_size or 1_024, partial=True)
        ) is not None:
            file.mux(stream.encode(part))
        file.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("kind", PHONES)
def test_recordings_of_phones_and_browsers_are_heard_as_what_was_said(kind, seven, tmp_path):
    rate = PHONES[kind][2]
    samples = seven.resampled(rate).samples.numpy()
    path = recorded(tmp_path / f"memo.{kind}", kind, samples, rate)
    clip = Clip.load(path)
    assert clip.sample_rate == rate and abs(len(clip.samples) - len(samples)) <= 4_096
    classifier = load_classifier("digits-cnn")
    prepared = classifier.prepare(clip).samples[None]
    assert classifier.labels[int(classifier(prepared).argmax())] == "7"
    content = path.read_bytes()
    for share in (0.5, 0.9):
        path.write_bytes(content[: int(share * len(content))])
        assert "truncated" in refusal(path)


def test_a_codec_that_is_not_read_is_named(seven, tmp_path, monkeypatch):
    monkeypatch.setitem(PHONES, "ac3", ("matroska", "ac3", 48_000))
    path = recorded(tmp_path / "film.mka", "ac3", seven.resampled(48_000).samples.numpy(), 48_000)
    assert refusal(path) == "film.mka holds ac3, which is not read; save it as WAV or FLAC."


def test_every_format_that_people_are_told_has_an_extension_and_the_other_way():
    assert all(e.startswith(".") and e == e.lower() for e in EXTENSIONS)
    for word in FORMATS.replace(" or", ",").split(", "):
        assert f".{word.lower()}" in EXTENSIONS or word == "AIFF"


NO_SOUND = {
    "playlist.m3u8": b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile:///etc/passwd\n",
    "concat.txt": b"ffconcat version 1.0\nfile '/etc/passwd'\n",
    "playlist.m4a": b"#EXTM3U\n#EXTINF:5,\nhttp://127.0.0.1:1/a.aac\n",
    "picture.mp3": b"\xff\xd8\xff\xe0\0\x10JFIF" + bytes(2_000),
    "session.sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n",
    "asx.wma": b"<asx version='3.0'><ref href='file:///etc/passwd'/></asx>",
}


@pytest.mark.parametrize("name", NO_SOUND)
def test_nothing_that_names_other_files_is_ever_opened(name, tmp_path):
    (tmp_path / name).write_bytes(NO_SOUND[name])
    assert refusal(tmp_path / name) == (
        f"{name} is not a sound file that can be read; {FORMATS} would be right."
    )


def test_without_the_decoder_the_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    assert refusal(SEVEN) == (
        "seven-slt.wav needs a decoder that is not installed: pip install av (PyAV)."
    )


# --- a note belongs to its samples ---------------------------------------------------------------


@pytest.mark.parametrize("subtype", ["FLOAT", "PCM_24", "PCM_16"])
def test_a_note_of_a_gain_is_believed_of_its_own_samples_only(subtype, seven, tmp_path):
    noted = replace(seven, gain=2.25).save(tmp_path / "noted.wav", subtype)
    assert Clip.load(noted).gain == 2.25
    with soundfile.SoundFile(noted) as file:
        comment = file.comment
    x = Clip.load(noted).samples.numpy()
    one_step = x.copy()
    one_step[1_000] += 2.0**-15
    edits = {
        "turned down": 0.05 * x, "normalised": x / abs(x).max(), "trimmed": x[10:],
        "longer": np.append(x, np.zeros(10)), "another file": x[::-1], "one step": one_step,
    }  # fmt: skip
    for samples in edits.values():
        with soundfile.SoundFile(tmp_path / "b.wav", "w", 8_000, 1, subtype) as file:
            file.comment = comment
            file.write(samples)
        assert Clip.load(tmp_path / "b.wav").gain is None


def test_an_old_note_without_a_digest_is_ignored(seven, tmp_path):
    with soundfile.SoundFile(tmp_path / "a.wav", "w", 8_000, 1, "FLOAT") as file:
        file.comment = "robustaudio gain=2.264860381531656 headroom=0.5"
        file.write(seven.samples.numpy())
    clip = Clip.load(tmp_path / "a.wav")
    assert clip.gain is None and torch.equal(clip.samples, seven.samples)


@pytest.mark.parametrize("name", ["clean", "pgd", "psychoacoustic"])
def test_the_shipped_studies_note_their_gain(name):
    clip = Clip.load(SEVEN.parents[1] / f"studies/seven-{name}.wav")
    assert clip.gain == 2.264860381531656 and len(clip.samples) == 8_000


@needs_ffmpeg
def test_ffmpeg_keeps_a_note_that_is_then_ignored(seven, tmp_path):
    noted = replace(seven, gain=2.25).save(tmp_path / "a.wav", headroom=headroom_gain(4.0))
    assert torch.equal(Clip.load(noted).samples, seven.samples)
    quiet, copy = tmp_path / "quiet.wav", tmp_path / "copy.wav"
    for options, out in (("-af volume=0.05", quiet), ("-c copy", copy)):
        command = f"ffmpeg -v error -i {noted} {options} {out}"
        subprocess.run(command.split(), check=True)
        assert b"robustaudio gain=2.25" in out.read_bytes()
    assert Clip.load(quiet).gain is None
    assert Clip.load(copy).gain == 2.25


# --- channels, and offsets -----------------------------------------------------------------------


@pytest.mark.parametrize("right", [-1.0, -0.99, -0.985])
def test_channels_that_cancel_are_told(right, seven, tmp_path):
    left = seven.samples.numpy()
    sentence = refusal(wav(tmp_path / "a.wav", np.stack([left, right * left], 1)))
    assert "left and right cancel each other" in sentence
    assert sentence.startswith("a.wav is silent" if right == -1 else "a.wav is 4")


def test_four_channels_that_cancel_are_told(seven, tmp_path):
    left = seven.samples.numpy()
    channels = np.stack([left, -left, 0.5 * left, -0.499 * left], 1)
    assert "its channels cancel each other" in refusal(wav(tmp_path / "a.wav", channels))


@pytest.mark.parametrize("right", [-0.9, 0.0, 0.01, 1.0])
def test_channels_that_do_not_cancel_are_averaged(right, seven, tmp_path):
    left = seven.samples.numpy()
    clip = Clip.load(wav(tmp_path / "a.wav", np.stack([left, right * left], 1)))
    assert np.abs(clip.samples.numpy() - (1 + right) / 2 * left).max() < 2**-14


@pytest.mark.parametrize("channels", [3, 6, 200])
def test_one_channel_of_many_may_sound_alone(channels, seven, tmp_path):
    samples = np.zeros((len(seven.samples), channels), np.float32)
    samples[:, 1] = seven.samples
    soundfile.write(tmp_path / "a.wav", samples, 8_000, "FLOAT")
    clip = Clip.load(tmp_path / "a.wav")
    assert torch.allclose(clip.samples, seven.samples / channels, rtol=1e-5, atol=0)


@pytest.mark.parametrize("offset", [0.4, -0.4, 0.2, 0.5])
def test_an_offset_that_is_most_of_the_peak_is_told(offset, seven, tmp_path):
    path = wav(tmp_path / "a.wav", seven.samples.numpy() + offset)
    mean = float(seven.samples.mean()) + offset
    assert f"has a constant offset (DC): the mean of its samples is {mean:.3g}" in refusal(path)


@pytest.mark.parametrize("offset", [0.005, -0.02, 0.05])
def test_the_offset_of_a_cheap_sound_card_passes(offset, seven, tmp_path):
    clip = Clip.load(wav(tmp_path / "a.wav", seven.samples.numpy() + offset))
    assert float(clip.samples.mean()) == pytest.approx(
        offset + float(seven.samples.mean()), abs=1e-4
    )


# --- which part is judged ------------------------------------------------------------------------


def test_a_clip_that_was_cut_says_which_part_is_left(seven):
    long = torch.cat([torch.zeros(16_000), seven.samples, torch.zeros(5_360)])  # 3.1 s
    clip = Clip(long, 8_000, "long")
    assert clip.stretch is None
    fitted = clip.fitted(8_000)
    stretch = fitted.stretch
    assert stretch is not None and stretch.of_s == 3.1 and stretch.end_s - stretch.start_s == 1.0
    assert stretch.start_s <= 2.0 and stretch.end_s >= 2.42
    start = round(stretch.start_s * 8_000)
    assert torch.equal(fitted.samples, long[start : start + 8_000])
    assert fitted.scaled(2.0).to("cpu").resampled(16_000).stretch == stretch


def test_a_part_of_a_part_is_told_in_seconds_of_the_recording():
    samples = torch.zeros(30_000)
    samples[20_000:20_010] = 1
    half = Clip(samples, 10_000).fitted(15_000)
    part = half.fitted(100)
    assert half.stretch and part.stretch and part.stretch.of_s == 3.0
    assert half.stretch.start_s <= part.stretch.start_s <= 2.0
    assert part.stretch.end_s >= 2.001
    assert torch.equal(
        Clip(samples, 10_000, stretch=Stretch(1, 4, 9)).fitted(30_000).samples, samples
    )


def test_a_short_clip_was_not_cut(seven):
    assert load_classifier("digits-cnn").prepare(seven).stretch is None


def test_python_s_own_writer_is_read(seven, tmp_path):
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((1, 2, 8_000, 0, "NONE", ""))
        file.writeframes((seven.samples.numpy() * 2**15).astype("<i2").tobytes())
    assert torch.equal(Clip.load(tmp_path / "a.wav").samples, seven.samples)


@needs_ffmpeg
@pytest.mark.parametrize("channels", [9, 47, 255])
def test_a_header_with_channels_by_the_dozen_is_survived(channels, tmp_path):
    """PyAV would read beside the memory of such frames; ffmpeg mixes them, or cannot."""
    path = tmp_path / "a.mka"
    command = f"ffmpeg -v error -i {SEVEN} -c:a libvorbis {path}"
    subprocess.run(command.split(), check=True)
    content = bytearray(path.read_bytes())
    content[content.index(b"\x01vorbis") + 11] = channels
    path.write_bytes(content)
    with suppress(ValueError):
        assert len(Clip.load(path).samples)
