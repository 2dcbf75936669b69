"""A sound file becomes a clip as it is, or ONE sentence says why not."""

import hashlib
import io
import math
import os
import random
import re
import struct
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from robustaudio.audio import sound_file
from robustaudio.audio.clip import Clip, headroom_gain

RATE = 8_000
FORMATS = {
    "wav 16": ("WAV", "PCM_16"),
    "wav 24": ("WAV", "PCM_24"),
    "wav float": ("WAV", "FLOAT"),
    "flac": ("FLAC", "PCM_16"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "aiff": ("AIFF", "PCM_16"),
}
LOSSY = {"ogg", "opus", "mp3"}


def tone(duration_s=1.0, rate=RATE, peak=0.5):
    """A 440 Hz tone with a little noise, so that encoders have something to keep."""
    noise = np.random.default_rng(0).standard_normal(round(duration_s * rate))
    sound = np.sin(2 * np.pi * 440 * np.arange(len(noise)) / rate) + 0.01 * noise
    return (peak * sound / np.abs(sound).max()).astype(np.float32)


def encoded(kind="wav float", samples=None, rate=RATE):
    container, subtype = FORMATS[kind]
    samples = tone(rate=rate) if samples is None else samples
    file = io.BytesIO()
    soundfile.write(file, samples, rate, subtype, format=container)
    return file.getvalue()


def written(folder, content, name="sound.wav"):
    path = folder / name
    path.write_bytes(content)
    return path


def refusal(path, **options):
    """The sentence of the ValueError (no other type, one line, one full stop at its end)."""
    with pytest.raises(ValueError, match=r"^[^\n]+\.$") as caught:
        Clip.load(path, **options)
    assert caught.type is ValueError
    return str(caught.value)


# --- what loads ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_loads_with_its_rate_and_length(kind, tmp_path):
    clip = Clip.load(written(tmp_path, encoded(kind), "take.one"))
    rate = 48_000 if kind == "opus" else RATE  # the rate that Opus is decoded at, whatever went in
    assert (clip.sample_rate, len(clip.samples), clip.duration_s) == (rate, rate, 1.0)
    clip = clip.resampled(RATE)
    assert (clip.samples.dtype, clip.name, clip.label, clip.gain) == (
        torch.float32,
        "take",
        None,
        None,
    )
    error = (clip.samples - torch.from_numpy(tone())).abs().max()
    assert error <= {"wav 16": 2**-15, "wav 24": 2**-23, "wav float": 0}.get(kind, 0.1)


@pytest.mark.parametrize("name", ["a.mp3", "a.raw", "a.txt", "a.wav.flac", "a", ".raw", "ä ♪.wav"])
def test_the_content_decides_not_the_extension(name, tmp_path):
    clip = Clip.load(written(tmp_path, encoded(), name))
    assert torch.equal(clip.samples, torch.from_numpy(tone()))


@pytest.mark.parametrize("rate", [4_000, 192_000])
def test_both_ends_of_the_rates_load(rate, tmp_path):
    clip = Clip.load(written(tmp_path, encoded("wav 16", rate=rate)))
    assert (clip.sample_rate, len(clip.samples)) == (rate, rate)


@pytest.mark.parametrize("rate", [3_999, 192_001])
def test_one_hertz_beyond_is_refused(rate, tmp_path):
    path = written(tmp_path, encoded("wav 16", rate=rate))
    assert refusal(path) == f"sound.wav has {rate} Hz; 4000 to 192000 Hz would be right."


@pytest.mark.parametrize("peak", [1e-6, 1e-3, 3.0, 32_768.0])
def test_float_samples_are_never_normalised(peak, tmp_path):
    samples = tone(peak=peak)
    clip = Clip.load(written(tmp_path, encoded(samples=samples)))
    assert torch.equal(clip.samples, torch.from_numpy(samples))


def test_the_extremes_of_integers_are_plus_and_minus_full_scale(tmp_path):
    samples = np.tile(np.array([-(2**15), 2**15 - 1, 0], dtype=np.int16), 1000)
    soundfile.write(tmp_path / "a.wav", samples, RATE, "PCM_16")
    clip = Clip.load(tmp_path / "a.wav")
    assert clip.samples.unique().tolist() == [-1.0, 0.0, 1 - 2**-15]
    assert clip.peak == 1.0


def test_channels_are_averaged(tmp_path):
    left, right = tone(), np.float32(0.25) * tone()[::-1]
    clip = Clip.load(written(tmp_path, encoded(samples=np.stack([left, right], 1))))
    assert torch.allclose(clip.samples, torch.from_numpy((left + right) / 2), rtol=0, atol=1e-7)


def test_more_channels_than_one_block_holds_are_averaged_too(tmp_path):
    samples = np.repeat(tone(0.5)[:, None], 300, 1)  # 1.2 million samples: two blocks
    clip = Clip.load(written(tmp_path, encoded(samples=samples)))
    assert torch.allclose(clip.samples, torch.from_numpy(tone(0.5)), rtol=0, atol=1e-7)


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0])
def test_a_wav_that_was_streamed_promises_nothing_and_loads(size, tmp_path):
    content = bytearray(encoded("wav 16"))
    content[4:8] = struct.pack("<I", size)
    content[40:44] = struct.pack("<I", 0xFFFFFFFF)
    assert len(Clip.load(written(tmp_path, content)).samples) == RATE


# --- what does not -------------------------------------------------------------------------------

NOT_SOUND = {
    "text": b"I am not a sound.\n" * 100,
    "one byte": b"R",
    "random": random.Random(0).randbytes(5_000),
    "png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + random.Random(1).randbytes(500),
    "mpeg sync, then noise": b"\xff\xfb\x90\x64" + random.Random(2).randbytes(5_000),
    "RIFF that is no WAVE": b"RIFF\x04\0\0\0AVI ",
    "wav without data": encoded("wav 16")[:36].replace(encoded("wav 16")[4:8], b"\x1c\0\0\0"),
}


@pytest.mark.parametrize("name", ["a.wav", "a.raw", "a.mp3", "a.vox"])
@pytest.mark.parametrize("kind", NOT_SOUND)
def test_what_is_no_sound_is_refused_whatever_its_name(kind, name, tmp_path):
    assert refusal(written(tmp_path, NOT_SOUND[kind], name)) == (
        f"{name} is not a sound file that can be read; {sound_file.FORMATS} would be right."
    )


def test_an_empty_file(tmp_path):
    assert refusal(written(tmp_path, b"")) == "sound.wav is empty (0 bytes)."


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("kind", FORMATS)
def test_a_truncated_file_never_passes_for_a_shorter_one(kind, share, tmp_path):
    content = encoded(kind)
    sentence = refusal(written(tmp_path, content[: int(share * len(content))]))
    assert "truncated" in sentence or (share <= 0.1 and "not a sound file" in sentence)


@given(
    kind=st.sampled_from(list(FORMATS)),
    seed=st.integers(0, 2**32),
    changes=st.integers(1, 30),
    reach=st.sampled_from([64, 400, 10**6]),
)
def test_a_damaged_file_loads_or_is_refused_in_one_sentence(
    kind, seed, changes, reach, tmp_path_factory
):
    content, random_ = bytearray(encoded(kind)), random.Random(seed)
    for _ in range(changes):
        content[random_.randrange(min(reach, len(content)))] = random_.randrange(256)
    path = written(tmp_path_factory.getbasetemp(), content, "damaged")
    try:
        clip = Clip.load(path)
    except ValueError as error:
        assert type(error) is ValueError and re.fullmatch(r"damaged [^\n]+\.", str(error))
    else:
        assert clip.samples.isfinite().all() and clip.samples.any()


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_samples_that_are_no_numbers(bad, tmp_path):
    samples = tone()
    samples[[7, 4_000]] = bad
    path = written(tmp_path, encoded(samples=samples))
    assert refusal(path) == "sound.wav holds 2 samples that are NaN or infinite."


def test_infinities_that_would_cancel_in_the_average(tmp_path):
    samples = np.stack([tone(), tone()], 1)
    samples[5] = math.inf, -math.inf
    assert "1 samples that are NaN or infinite" in refusal(
        written(tmp_path, encoded(samples=samples))
    )


@pytest.mark.parametrize(
    "samples",
    [np.zeros(RATE, np.float32), np.stack([tone(), -tone()], 1)],
    ids=["zeros", "opposite channels"],
)
def test_silence(samples, tmp_path):
    path = written(tmp_path, encoded(samples=samples))
    assert refusal(path).startswith("sound.wav is silent: every sample")


@pytest.mark.parametrize("peak", [1e30, 1e-40])
def test_levels_that_no_recording_has_are_refused(peak, tmp_path):
    path = written(tmp_path, encoded(samples=np.float32(peak) * tone(peak=1)))
    assert refusal(path) == f"sound.wav peaks at {peak:.1e}; 4.7e-10 to 2.1e+09 would be right."


@pytest.mark.parametrize("peak", [2.0**-31, 2.0**31])
def test_the_faintest_and_loudest_clips_can_be_brought_to_full_scale(peak, tmp_path):
    samples = tone()
    samples[100] = peak if peak > 1 else 0.5
    samples = samples if peak > 1 else (samples * (peak / 0.5)).astype(np.float32)
    clip = Clip.load(written(tmp_path, encoded(samples=samples)))
    scaled = clip.scaled(1 / clip.peak)
    assert scaled.samples.isfinite().all() and scaled.peak == 1.0


@pytest.mark.parametrize("duration_s, right", [(0.01, "at least 0.05 s"), (121, "at most 120 s")])
def test_too_short_and_too_long(duration_s, right, tmp_path):
    path = written(tmp_path, encoded("wav 16", tone(duration_s)))
    assert right in refusal(path)


def test_hours_are_refused_from_the_header(tmp_path):
    wav = tmp_path / "hours.wav"
    size = 5 * 3600 * 48_000 * 2
    header = bytearray(encoded("wav 16", rate=48_000)[:44])
    header[4:8], header[40:44] = struct.pack("<I", size + 36), struct.pack("<I", size)
    with wav.open("wb") as file:
        file.write(header)
        file.truncate(44 + size)  # sparse: 1.7 GB that take no room
    flac = tmp_path / "hours.flac"
    with soundfile.SoundFile(flac, "w", 8_000, 1, "PCM_16") as file:
        for _ in range(2 * 60):
            file.write(np.zeros(60 * 8_000, np.int16))
    Clip.load(written(tmp_path, encoded()))  # the decoder is imported now
    start = time.perf_counter()
    assert refusal(wav) == "hours.wav lasts 18000 s; at most 120 s, please."
    assert refusal(flac) == "hours.flac lasts 7200 s; at most 120 s, please."
    assert time.perf_counter() - start < 1.0  # hours take many seconds


# --- paths ---------------------------------------------------------------------------------------


def test_paths_that_lead_to_no_file(tmp_path):
    loop = tmp_path / "loop.wav"
    loop.symlink_to(loop)
    assert refusal(tmp_path / "none.wav") == f"there is no file {tmp_path}/none.wav."
    assert refusal(tmp_path) == f"{tmp_path} is not a file."
    assert refusal("") == ". is not a file."
    for path in ("a\0.wav", "\ud800.wav", "x" * 5_000, loop):
        assert refusal(path) == f"{str(path)!r} cannot be followed to a file."


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    assert refusal(tmp_path / "pipe.wav").endswith("is not a file.")


def test_a_file_without_permission(tmp_path, monkeypatch):
    path = written(tmp_path, encoded())
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may read everything
    assert refusal(path) == f"{path} cannot be read: permission denied."


def test_only_the_folders_named_may_be_read(tmp_path):
    inside, outside = tmp_path / "clips", tmp_path / "clips-and-secrets"
    inside.mkdir()
    outside.mkdir()
    good, secret = written(inside, encoded()), written(outside, encoded(), "secret.wav")
    (inside / "link.wav").symlink_to(secret)
    (outside / "link.wav").symlink_to(good)
    for path in (good, outside / "link.wav", inside / ".." / "clips" / "sound.wav"):
        assert len(Clip.load(path, within=[tmp_path / "other", inside]).samples) == RATE
    out = [secret, inside / "link.wav", inside / ".." / outside.name / "secret.wav"]
    for path in [*out, Path("/etc/passwd"), Path("/no/such/file")]:
        assert refusal(path, within=[inside]).endswith("outside the folders that the app may read.")
    assert "outside" in refusal(good, within=[])


# --- resampling, fitting, scaling ----------------------------------------------------------------


@pytest.mark.parametrize("rate", [4_000, 11_025, 16_000, 44_100])
def test_resampling_keeps_duration_level_and_everything_else(rate):
    clip = Clip(torch.from_numpy(tone()), RATE, "a", "7", gain=0.5)
    again = clip.resampled(rate)
    assert abs(len(again.samples) - rate) <= 1
    assert (again.sample_rate, again.name, again.label, again.gain) == (rate, "a", "7", 0.5)
    power = again.samples[rate // 10 : -rate // 10].square().mean()
    assert float(power) == pytest.approx(float(clip.samples.square().mean()), rel=0.01)
    assert clip.resampled(RATE) is clip


@given(
    samples=st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=40),
    length=st.integers(1, 60),
)
def test_fitted_has_the_length_and_keeps_the_loudest_stretch(samples, length):
    clip = Clip(torch.tensor(samples), RATE, "a", "7", gain=0.5)
    fitted = clip.fitted(length)
    assert len(fitted.samples) == length
    assert (fitted.sample_rate, fitted.name, fitted.label, fitted.gain) == (RATE, "a", "7", 0.5)
    missing = length - len(samples)
    if missing >= 0:
        kept = fitted.samples[missing // 2 : missing // 2 + len(samples)]
        assert torch.equal(kept, clip.samples)
        assert fitted.samples.abs().sum() == pytest.approx(clip.samples.abs().sum())
    else:
        stretches = clip.samples.unfold(0, length, 1)
        energies = stretches.double().square().sum(1)
        assert (stretches == fitted.samples).all(1).any()
        assert fitted.samples.double().square().sum() >= energies.max() - 1e-12


def test_scaling_is_noted_and_changes_no_other_clip():
    clip = Clip(torch.from_numpy(tone()), RATE)
    scaled = clip.scaled(0.5)
    assert torch.equal(scaled.samples, torch.from_numpy(tone()) / 2)
    assert (scaled.gain, clip.gain) == (0.5, None)


@given(peaks=st.lists(st.floats(0, 1e30), min_size=1, max_size=3))
def test_headroom_is_the_largest_power_of_two_that_is_enough(peaks):
    gain = headroom_gain(*peaks)
    assert math.frexp(gain)[0] == 0.5
    assert gain * max(peaks) <= 1
    assert gain == 1 or 2 * gain * max(peaks) > 1


@pytest.mark.parametrize(
    "peak, gain",
    [(1, 1), (math.nextafter(1, 2), 0.5), (2, 0.5), (math.nextafter(1024, 2000), 2**-11)],
)
def test_headroom_at_the_edges(peak, gain):
    assert headroom_gain(0.1, peak) == gain


@pytest.mark.parametrize("peak", [math.nan, math.inf])
def test_there_is_no_headroom_for_what_is_not_finite(peak):
    with pytest.raises(ValueError, match="must be finite"):
        headroom_gain(1.0, peak)


# --- files that this project writes --------------------------------------------------------------


@given(
    samples=st.lists(st.floats(-4, 4, width=32), min_size=400, max_size=420),
    gain=st.none() | st.floats(1e-9, 1e9),
)
def test_float_files_come_back_bit_for_bit(samples, gain, tmp_path_factory):
    clip = Clip(torch.tensor([0.5, *samples]), RATE, gain=gain)
    assume(clip.samples.mean().abs() < 0.2 * clip.peak)  # a constant offset is refused
    again = Clip.load(clip.save(tmp_path_factory.getbasetemp() / "float.wav"))
    assert torch.equal(again.samples, clip.samples)
    assert (again.sample_rate, again.gain) == (RATE, gain)


@pytest.mark.parametrize("subtype, bits", [("PCM_16", 16), ("PCM_24", 24)])
def test_integer_files_are_half_a_step_off_and_then_never_again(subtype, bits, tmp_path):
    """libsndfile's own conversion multiplies by 2**15 - 1: every generation would fade."""
    clip = Clip(torch.from_numpy(tone(peak=0.99)), RATE, gain=1.5)
    again = Clip.load(clip.save(tmp_path / "a.wav", subtype))
    assert soundfile.info(tmp_path / "a.wav").subtype == subtype
    assert (again.samples - clip.samples).abs().max() <= 2.0**-bits
    assert again.gain == 1.5
    third = Clip.load(again.save(tmp_path / "b.wav", subtype))
    assert torch.equal(third.samples, again.samples)


@pytest.mark.parametrize("subtype, bits", [("PCM_16", 16), ("PCM_24", 24)])
def test_full_scale_fits_an_integer_file_to_one_step(subtype, bits, tmp_path):
    clip = Clip(torch.tensor([1.0, -1.0]).repeat(1000), RATE)
    again = Clip.load(clip.save(tmp_path / "a.wav", subtype))
    assert again.samples.unique().tolist() == [-1.0, 1 - 2.0 ** (1 - bits)]


@pytest.mark.parametrize("subtype", ["FLOAT", "PCM_24"])
def test_headroom_is_noted_and_undone(subtype, tmp_path):
    clip = Clip(3.5 * torch.from_numpy(tone(peak=0.99)), RATE, gain=2.0)
    path = clip.save(tmp_path / "a.wav", subtype, headroom=headroom_gain(clip.peak))
    assert soundfile.read(path)[0].max() <= 1
    again = Clip.load(path)
    assert again.gain == 2.0
    assert (again.samples - clip.samples).abs().max() <= (0 if subtype == "FLOAT" else 2.0**-21)


def test_the_noted_gain_may_be_any_kind_of_number(tmp_path):
    clip = Clip(torch.from_numpy(tone()), RATE, gain=np.float64(0.1))
    assert Clip.load(clip.save(tmp_path / "a.wav")).gain == 0.1


def noted(gain: str, headroom: str) -> str:
    """With the digest of the samples that `encoded("wav 16")` holds."""
    stored = soundfile.read(io.BytesIO(encoded("wav 16")), dtype="float32")[0] + np.float32(0)
    digest = hashlib.sha256(stored.tobytes()).hexdigest()[:16]
    return f"robustaudio gain={gain} headroom={headroom} sha256={digest}"


def with_comment(path: Path, comment: str) -> Path:
    content = comment.encode("utf-8", "surrogateescape") + b"\0"
    content += b"\0" * (len(content) % 2)
    chunk = b"INFOICMT" + struct.pack("<I", len(content)) + content
    chunk = b"LIST" + struct.pack("<I", len(chunk)) + chunk
    wav = bytearray(encoded("wav 16"))
    wav[36:36] = chunk
    wav[4:8] = struct.pack("<I", len(wav) - 8)
    path.write_bytes(wav)
    return path


def test_the_note_of_these_tests_would_be_believed(tmp_path):
    clip = Clip.load(with_comment(tmp_path / "a.wav", noted("2", "0.5")))
    assert clip.gain == 2.0 and clip.peak == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(
    "comment",
    [
        "recorded in May",
        "gain=2",
        "robustaudio gain=2",
        *(noted(value, "1.0") for value in ("nan", "inf", "-inf", "1e999", "0", "-1", "x", "1; 2")),
        *(noted("1.0", value) for value in ("nan", "inf", "0", "-1", "2", "1e-300", "x", "")),
        noted("__import__('os').abort()", "1.0"),
        "my " + noted("2", "1.0"),
        "\udcff\udcfe" * 10,
        noted("9" * 400, "1.0"),
    ],
)
def test_foreign_and_hostile_comments_are_ignored(comment, tmp_path):
    path = with_comment(tmp_path / "sound.wav", comment)
    with soundfile.SoundFile(path) as file:
        assert file.comment
    clip = Clip.load(path)
    assert clip.gain is None and len(clip.samples) == RATE


@pytest.mark.parametrize(
    "samples, subtype, sentence",
    [
        (tone(peak=1.5), "PCM_16", "the peak is 1.500 and PCM_16 ends at 1"),
        (tone(peak=1.5), "PCM_24", "the peak is 1.500 and PCM_24 ends at 1"),
        (tone(), "MP3", "no WAV subtype 'MP3'; choose from"),
        (np.array([math.nan, 1], np.float32), "FLOAT", "NaN or infinite cannot be written"),
        (np.array([math.nan, 1], np.float32), "PCM_16", "NaN or infinite cannot be written"),
    ],
)
def test_what_a_file_cannot_hold_is_not_written(samples, subtype, sentence, tmp_path):
    with pytest.raises(ValueError, match=sentence):
        Clip(torch.from_numpy(samples), RATE).save(tmp_path / "a.wav", subtype)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["no/such/folder/a.wav", "a\0.wav", "x" * 5_000, ""])
def test_a_path_that_cannot_be_written(name, tmp_path):
    with pytest.raises(ValueError, match=r"^cannot write "):
        Clip(torch.from_numpy(tone()), RATE).save(tmp_path / name)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_clip_on_a_gpu_resamples_and_saves(tmp_path):
    clip = Clip(torch.from_numpy(tone()), RATE).to("cuda")
    assert clip.resampled(16_000).samples.is_cuda
    assert torch.equal(Clip.load(clip.save(tmp_path / "a.wav")).samples, clip.samples.cpu())
