"""Sounds of studies: kept in 24 bits bit for bit, in one budget, read no further than it goes."""

import base64
import io
import json
import time

import numpy as np
import pytest
import soundfile
import torch
from limited import run_limited
from listening.small_study import TEXT, small_study

from robustaudio.audio.clip import Clip
from robustaudio.listening.design import study_file, study_sound
from robustaudio.listening.design.study_file import StudyError, parse
from robustaudio.listening.design.study_sound import FLAC, WAV, as_kept, decoded, sound_text
from robustaudio.listening.run.host import Host
from robustaudio.listening.run.json_lines import JsonLinesStore

RATE = 192_000


def as_flac(samples: np.ndarray, rate: int = RATE) -> str:
    stream = io.BytesIO()
    soundfile.write(stream, samples, rate, subtype="PCM_16", format="FLAC")
    return WAV + base64.b64encode(stream.getvalue()).decode()


def short_text(seconds: float, start: int = 0) -> str:
    """A few thousand characters that stand for a long sound."""
    samples = np.zeros(round(seconds * RATE))
    samples[start : start + 4_000] = 0.4 * np.sin(0.03 * np.arange(4_000))
    return as_flac(samples)


def without_length(text: str) -> str:
    """A FLAC that does not say how many samples it has, as one from a pipe."""
    content = bytearray(base64.b64decode(text.removeprefix(WAV)))
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    return WAV + base64.b64encode(content).decode()


def study_text(clips: int, sound: str, perturbed: dict[str, str], family: str) -> str:
    told = [{"name": f"c{n}", "sound": sound, "perturbed": perturbed} for n in range(clips)]
    return json.dumps({"title": "t", "clips": told, "families": [family],
                       "procedure": {"kind": "quest", "audible_db": 0}})  # fmt: skip


@pytest.mark.parametrize("gain", [None, 2.5])
@pytest.mark.parametrize("peak", [1e-6, 0.01, 0.37, 1.0, 5.0, 1e6])
def test_24_bits_of_the_peak_come_back_bit_for_bit(peak, gain):
    noise = np.random.default_rng(0).uniform(-1, 1, 8000)
    noise[:4] = 1, -1, 1e-9, -1e-9  # rounded to 0, never to -0
    clip = Clip(torch.from_numpy((peak * noise).astype(np.float32)), 8000, "n", gain=gain)
    kept = as_kept(clip)
    assert float((kept.samples - clip.samples).abs().max()) <= 1.2e-7 * 2 * peak
    text = sound_text(kept)
    assert text.startswith("data:audio/flac;exponent=")
    again = decoded(text, "n")
    assert (again.sample_rate, again.gain) == (8000, gain)
    assert again.samples.numpy().tobytes() == kept.samples.numpy().tobytes()
    assert as_kept(again).samples.numpy().tobytes() == kept.samples.numpy().tobytes()


def test_16_bits_stay_as_they_are_and_floats_that_were_never_kept_too():
    steps = np.random.default_rng(0).integers(-(2**15), 2**15, 8000)
    steps[0] = -(2**15)
    clip = Clip(torch.from_numpy((steps / 2**15).astype(np.float32)), 8000)
    assert torch.equal(as_kept(clip).samples, clip.samples)
    floats = Clip(torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, 8000)).float(), 8000)
    assert sound_text(floats).startswith(WAV)
    assert torch.equal(decoded(sound_text(floats), "n").samples, floats.samples)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (FLAC.format(40) + "AAAA", "exponent 40"),
        ("data:audio/flac;exponent=1e9;base64,AAAA", "neither data:audio/wav nor"),
        ("data:text/plain;base64,AAAA", "neither data:audio/wav nor"),
        (WAV + "AA", "not base64"),
        (WAV + "\u00e4", "not base64"),
        (WAV + "A" * study_sound.LONGEST_TEXT, "has 12 MB, too much for 12 s"),
    ],
)
def test_what_is_no_sound_is_one_sentence(text, sentence):
    with pytest.raises(ValueError, match=sentence):
        decoded(text, "n")


def test_an_exponent_that_makes_no_recording_is_refused():
    text = sound_text(as_kept(Clip(1e-6 * torch.sin(torch.arange(4000.0)), 8000)))
    assert text.startswith(FLAC.format(-19))
    with pytest.raises(ValueError, match="peaks at"):
        decoded(text.replace("exponent=-19", "exponent=-31"), "n")


def test_a_long_sound_is_refused_before_it_is_decoded(monkeypatch):
    monkeypatch.setattr(Clip, "load", None)
    with pytest.raises(ValueError, match=r"it lasts 120\.0 s; up to 12 s"):
        decoded(short_text(120), "n")


@pytest.mark.parametrize("family", ["white", "p0"])
def test_a_study_has_one_budget_that_is_looked_at_before_anything_is_decoded(monkeypatch, family):
    monkeypatch.setattr(Clip, "load", None)
    perturbed = {f"p{k}": short_text(12, k + 1) for k in range(4)}
    text = study_text(24, short_text(12), perturbed, family)
    assert len(text) < 2_000_000
    with pytest.raises(StudyError, match="sounds are too long together: 250 s at 48 kHz"):
        parse(text, None)


def test_a_header_that_hides_the_length_is_found_out_as_it_is_read(monkeypatch):
    monkeypatch.setattr(study_sound, "MOST_SAMPLES", 100_000)
    text = study_text(3, without_length(short_text(1)), {}, "white")
    with pytest.raises(StudyError, match=r"clips\[2\]\.c2: its sounds are too long together"):
        parse(text, None)


def test_one_sound_inside_that_cannot_be_read_ends_the_reading(monkeypatch):
    loads, load = [], Clip.load
    monkeypatch.setattr(Clip, "load", lambda path: loads.append(path) or load(path))
    with pytest.raises(StudyError, match=r"clips\[0\]\.c0: .* silent"):
        parse(study_text(24, as_flac(np.zeros(RATE)), {}, "white"), None)
    assert len(loads) == 1


def test_what_nobody_is_asked_about_is_neither_decoded_nor_kept():
    sound = sound_text(small_study().clips[0].clip)
    broken = dict.fromkeys(["a", "b"], WAV + "AAAA")
    text = study_text(1, sound, broken, "white")
    assert parse(text, None).clips[0].perturbed == {}
    with pytest.raises(StudyError, match=r"clips\[0\]\.a: sound\.wav is not a sound file"):
        parse(study_text(1, sound, broken, "a"), None)


def test_sounds_above_48_khz_are_brought_there():
    samples = 0.3 * np.sin(0.05 * np.arange(RATE)) * np.linspace(0, 1, RATE)
    (of,) = parse(study_text(1, as_flac(samples), {}, "white"), None).clips
    assert (of.clip.sample_rate, len(of.clip.samples)) == (48_000, 48_000)


def test_a_study_that_was_stored_with_floats_is_read_as_it_was():
    """Older versions kept WAV files of floats, and all perturbed versions, asked about or not."""
    floats = 0.3 * torch.rand(8000, generator=torch.Generator().manual_seed(0)) - 0.15
    record, old = small_study().record(), sound_text(Clip(floats, 8000))
    assert old.startswith(WAV)
    record["clips"][0] |= {"sound": old, "perturbed": {"unasked": old}}
    again = study_file.study_in(record)
    assert torch.equal(again.clips[0].clip.samples, floats)
    assert again.digest == study_file.study_in(again.record()).digest
    assert list(again.clips[0].perturbed) == ["unasked"]


def test_a_failed_opening_leaves_nothing(tmp_path, monkeypatch):
    rooms = Host(JsonLinesStore(tmp_path / "answers"))
    monkeypatch.setattr(study_file, "LONGEST", 1_000)
    with pytest.raises(ValueError, match=r"its sounds last [01] s in all, which makes"):
        rooms.open(small_study())
    assert not (tmp_path / "answers").exists()


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (("A short test", '"\\ud800"'), "holds half a character"),
        (("trials: 6", f"trials: 0x{'f' * 5000}"), "trials"),
        (("seed: 0", f"seed: 0x{'f' * 5000}"), "seed a number of many digits must be"),
        (("[-20]", json.dumps([float(n) / 100 for n in range(1_000)])), "has 1000 numbers; 400"),
        (("[white]", "[white, [white]]"), "families"),
        (("seed: 0", f"{'q' * 900}: 0"), "unknown key"),
        (("abx, levels_db: [-20], trials: 6", "staircase, max_trials: 1000000000"),
         "max_trials 1000000000 must be at most 400"),
    ],
)  # fmt: skip
def test_texts_and_numbers_of_any_size_are_sentences(changed, sentence):
    started = time.monotonic()
    with pytest.raises(StudyError) as error:
        parse((TEXT + "seed: 0\n").replace(*changed), None)
    assert sentence in str(error.value) and len(str(error.value)) < 2_000
    assert time.monotonic() - started < 20


def test_half_a_character_in_json_is_refused_wherever_it_stands():
    for place in ("title", "texts", "model"):
        record = small_study().record()
        record[place] = "\ud800" if place == "title" else {"about": "\ud800", "name": "\ud800"}
        with pytest.raises(StudyError, match="holds half a character"):
            parse(json.dumps(record), None)


def test_a_pair_of_surrogates_is_one_character():
    record = small_study().record() | {"title": "\U0001f3b5"}
    assert parse(json.dumps(record), None).title == "\U0001f3b5"


TEACHERS = """
import sys, tempfile
from pathlib import Path
import numpy as np, soundfile
from robustaudio.listening.run.host import Host
from robustaudio.listening.run.json_lines import JsonLinesStore
from robustaudio.listening.design.study_file import load_study, parse
from robustaudio.listening.design.trial import Condition
import json
folder, rng, lines = Path(tempfile.mkdtemp()), np.random.default_rng(0), []
time = np.arange(12 * 44100) / 44100
for n in range(7):
    clean = 0.3 * np.sin(2 * np.pi * (200 + 50 * n) * time) + 0.01 * rng.standard_normal(len(time))
    for name in ("c", "a", "b"):
        noise = 0.003 * rng.standard_normal(len(time)) * (name != "c")
        soundfile.write(folder / f"{name}{n}.wav", clean + noise, 44100, subtype="PCM_16")
    lines.append(f"- {{name: c{n}, sound: c{n}.wav, perturbed: {{a: a{n}.wav, b: b{n}.wav}}}}")
(folder / "s.yaml").write_text("title: T\\nclips:\\n" + "\\n".join(lines) + "\\nfamilies: [a, b]\\n"
    "procedure: {kind: quest, audible_db: -10, trials: 20, practice: 0, catch_every: 0}\\n")
study = load_study(folder / "s.yaml")
room, key = Host(JsonLinesStore(folder / "answers")).open(study)
code = room.begin(True)["code"]
assert Host(JsonLinesStore(folder / "answers")).find(room.token).study.digest == study.digest
assert len(json.dumps(study.record(), indent=1)) < 50_000_000
assert room.study.stimuli.render(Condition("c0", "a"), -20.0).size == 12 * 48000
print("opened")
"""


def test_a_teachers_study_inside_the_documented_limits_opens():
    """7 clips of 12 s at 44.1 kHz, each perturbed twice; under 1 GB beside what torch takes."""
    assert "opened" in run_limited(TEACHERS, seconds=300, megabytes=1_000)
