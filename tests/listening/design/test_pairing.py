"""What listeners compare differs by the perturbation: never by gain, sign, time, rate or length."""

import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import soxr
import torch

from robustaudio.audio.clip import Clip
from robustaudio.audio.datasets import BUNDLED
from robustaudio.cli import main
from robustaudio.listening.design.pairing import misfit, paired
from robustaudio.listening.design.stimulus import Perturbation, stimulus_of
from robustaudio.listening.design.study_file import StudyError, load_study, parse

STUDY = """
title: Attack output beside its clip
clips:
  - {name: seven, sound: CLEAN, perturbed: {pgd: perturbed.wav}}
families: [pgd, white]
procedure: {kind: abx, trials: 4, levels_db: [-32], practice: 0, catch_every: 0}
screening: none
"""


@pytest.fixture(scope="module")
def clip() -> Clip:
    """A spoken seven, of peak 0.44, called by its file."""
    return replace(Clip.load(BUNDLED / "seven-slt.wav"), name="seven.wav")


def given(clip: Clip, perturbed: Clip) -> Perturbation:
    """The perturbation that a study makes of two files."""
    clean, (other,) = paired(clip, [perturbed])
    return stimulus_of(clean, "pgd", {"pgd": other}, [0]).perturbation


def with_noise(clip: Clip, level_db: float = -32.0, seed: int = 0) -> Clip:
    rng = torch.Generator().manual_seed(seed)
    noise = torch.randn(len(clip.samples), generator=rng)
    noise *= clip.samples.norm() / noise.norm() * 10 ** (level_db / 20)
    return replace(clip, samples=clip.samples + noise, name="seven-pgd.wav")


def times(clip: Clip, factor: float) -> Clip:
    return replace(clip, samples=clip.samples * factor)


def later(clip: Clip, samples: float) -> Clip:
    """Moved in time, by fractions of a sample too; what leaves the clip is lost."""
    size = 2 * len(clip.samples)
    turns = np.exp(-2j * np.pi * np.fft.rfftfreq(size) * samples)
    moved = np.fft.irfft(np.fft.rfft(clip.samples.double().numpy(), size) * turns, size)
    return replace(clip, samples=torch.from_numpy(moved[: len(clip.samples)]).float())


def level_db(clean: Clip, perturbed: Clip) -> float:
    difference = (perturbed.samples - clean.samples).double()
    return 20 * float((difference.norm() / clean.samples.double().norm()).log10())


def correlation(clean: Clip, perturbed: Clip) -> float:
    difference = (perturbed.samples - clean.samples).double()
    return float(torch.cosine_similarity(difference, clean.samples.double(), dim=0))


@pytest.mark.parametrize("noise_db", [-60.0, -32.0, -10.0, 10.0])
def test_a_perturbation_passes_at_any_level(clip, noise_db):
    clean, (perturbed,) = paired(clip, [with_noise(clip, noise_db)])
    assert level_db(clean, perturbed) == pytest.approx(noise_db, abs=0.01)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda p: times(p, 10 ** (7.1 / 20)), "7.1 dB louder than its clean clip seven.wav"),
        (lambda p: times(p, 10 ** (-26 / 20)), "26.0 dB softer than its clean clip seven.wav"),
        (lambda p: times(p, 10 ** (0.5 / 20)), "0.5 dB louder than its clean clip"),
        (lambda p: times(p, -1), "upside down (of inverted polarity) beside its clean clip"),
        (lambda p: times(p, -2), "polarity) beside and 6.0 dB louder than its clean clip"),
        (lambda p: later(p, 24), "24 samples (3 ms) later than its clean clip"),
        (lambda p: later(p, -1), "1 sample (0.125 ms) earlier than its clean clip"),
        (lambda p: later(p, 0.5), "0.5 samples (0.062"),
        (lambda p: later(p, 1105), "1105 samples (138 ms) later than its clean clip"),
        (lambda p: times(later(p, 8), 0.5), "later than and 6.0 dB softer than its clean clip"),
    ],
)  # fmt: skip
def test_what_is_mostly_gain_sign_or_time_is_refused_with_its_size(clip, change, told):
    with pytest.raises(ValueError, match=r"seven-pgd\.wav is ") as error:
        paired(clip, [change(with_noise(clip))])
    assert told in str(error.value)
    assert "`python -m robustaudio noise CLIP --sigma 0 --output clean.wav`" in str(error.value)
    with pytest.raises(ValueError, match="what listeners would hear"):
        given(clip, change(with_noise(clip)))


def test_a_gain_alone_is_no_perturbation_however_small(clip):
    with pytest.raises(ValueError, match=r"is 0\.01 dB louder"):
        paired(clip, [replace(times(clip, 10 ** (0.01 / 20)), name="pgd")])


def test_another_sound_and_the_same_sound_are_refused(clip):
    other = replace(Clip.load(BUNDLED / "three-en-us-f3.wav").fitted(len(clip.samples)), name="x")
    with pytest.raises(ValueError, match=r"x is another sound than its clean clip seven\.wav: th"):
        paired(clip, [other])
    with pytest.raises(ValueError, match="does not differ from its clean clip"):
        paired(clip, [replace(clip, name="same")])
    rounded = replace(clip, samples=(clip.samples * 2.3) / 2.3, name="rounded")
    with pytest.raises(ValueError, match="does not differ from its clean clip"):
        paired(clip, [rounded])


@pytest.mark.parametrize("gain", [0.3, 2.264860381531656])
def test_noted_gains_are_undone(clip, gain):
    """`attack --output` notes the gain; the clean clip may, and an editor may lose either."""
    attacked = with_noise(clip)
    noted = times(attacked, gain)
    for clean, perturbed in (
        (clip, replace(noted, gain=gain)),
        (replace(times(clip, gain), gain=gain), attacked),
        (times(clip, gain), replace(noted, gain=gain)),  # the note of one was lost
        (replace(times(clip, gain), gain=gain), noted),
        (replace(times(clip, 4), gain=4.0), replace(noted, gain=gain)),
    ):
        one, (other,) = paired(clean, [perturbed])
        assert one.gain == other.gain
        assert level_db(one, other) == pytest.approx(-32, abs=0.01)
        assert abs(correlation(one, other)) < 0.05
        played = given(clean, perturbed)(-20.0)
        assert np.corrcoef(played, (attacked.samples - clip.samples).numpy())[0, 1] > 0.999


def test_one_gain_is_found_for_all_of_several(clip):
    first, second = with_noise(clip), with_noise(clip, -20, seed=1)
    others = [replace(times(first, 2), gain=2.0), replace(times(second, 3), gain=3.0)]
    clean, found = paired(clip, others)
    assert [round(level_db(clean, one)) for one in found] == [-32, -20]
    assert {one.gain for one in (clean, *found)} == {2.0}


@pytest.mark.parametrize("before", [0, 700, 2280, 4560])
def test_a_clip_that_was_padded_is_found_where_it_is(clip, before):
    padding = (before, 8000 - len(clip.samples) - before)
    padded = replace(clip, samples=torch.nn.functional.pad(clip.samples, padding))
    clean, (perturbed,) = paired(clip, [with_noise(padded)])
    assert torch.equal(clean.samples, padded.samples)
    assert level_db(clean, perturbed) == pytest.approx(-32, abs=0.01)


def test_a_clip_that_was_cut_is_cut_alike(clip):
    cut = with_noise(replace(clip, samples=clip.samples[500:2500]))
    clean, (perturbed,) = paired(clip, [cut])
    assert torch.equal(clean.samples, clip.samples[500:2500])
    assert level_db(clean, perturbed) == pytest.approx(-32, abs=0.01)


def test_lengths_and_rates_that_nothing_explains_are_refused(clip):
    rng = torch.Generator().manual_seed(3)
    noise = Clip(torch.randn(8000, generator=rng), 8000, "noise.wav")
    with pytest.raises(
        ValueError,
        match=r"noise\.wav has 8000 samples at 8000 Hz; its clean clip "
        r"seven\.wav has 3440 samples at 8000 Hz, and neither is found inside",
    ):
        paired(clip, [noise])  # fmt: skip
    fast = with_noise(clip.resampled(16_000))
    with pytest.raises(
        ValueError,
        match=r"6880 samples at 16000 Hz; its clean clip seven.wav has "
        r"3440 samples at 8000 Hz\. Both need one rate; `python -m robustaudio",
    ):
        paired(clip, [fast])  # fmt: skip
    with pytest.raises(ValueError, match="of a clip need one rate and length; list the clip twice"):
        paired(clip, [with_noise(clip), with_noise(clip.fitted(8000))])


@pytest.mark.parametrize("subtype", ["FLOAT", "PCM_16"])
@pytest.mark.parametrize("rate", [8_000, 44_100])
@pytest.mark.parametrize("seconds", [None, 3.0])
def test_the_documented_study_of_an_own_clip(tmp_path, monkeypatch, subtype, rate, seconds):
    """`attack CLIP --output perturbed.wav` beside CLIP: short or long, stereo, at any rate."""
    monkeypatch.chdir(tmp_path)
    sound, own_rate = soundfile.read(BUNDLED / "seven-slt.wav")
    sound = soxr.resample(sound, own_rate, rate)
    if seconds:
        sound = np.pad(sound, (round(0.4 * rate), round(seconds * rate) - len(sound)))
    soundfile.write("clean.wav", np.stack([sound, sound], 1), rate)
    made = ["attack", "clean.wav", "--norm", "l2", "--level-db", "-32", "--subtype", subtype]
    assert main([*made, "--output", "perturbed.wav"]) == 0
    (tmp_path / "study.yaml").write_text(STUDY.replace("CLEAN", "clean.wav"))
    study = load_study(tmp_path / "study.yaml")
    clean, perturbed = study.clips[0].clip, study.clips[0].perturbed["pgd"]
    assert len(clean.samples) == len(perturbed.samples) == 8000
    assert level_db(clean, perturbed) == pytest.approx(-32, abs=0.2)
    assert abs(correlation(clean, perturbed)) < 0.1
    assert main(["noise", "clean.wav", "--sigma", "0", "--output", "partner.wav"]) == 0
    partner = Clip.load("partner.wav")
    assert torch.allclose(clean.samples, partner.samples, atol=1e-6)
    again = parse(json.dumps(study.record()), None)
    assert again.digest == study.digest
    (tmp_path / "study.yaml").write_text(STUDY.replace("CLEAN", "partner.wav"))
    beside = load_study(tmp_path / "study.yaml").clips[0]
    assert torch.allclose(beside.clip.samples, clean.samples, atol=1e-6)


def test_a_study_names_its_files(tmp_path, clip):
    clip.save(tmp_path / "clean.wav")
    times(with_noise(clip), 2).save(tmp_path / "perturbed.wav")
    (tmp_path / "study.yaml").write_text(STUDY.replace("CLEAN", "clean.wav"))
    with pytest.raises(StudyError) as error:
        load_study(tmp_path / "study.yaml")
    (problem,) = error.value.problems
    assert problem.startswith(
        "clips[0]: perturbed.wav is 6.0 dB louder than its clean clip clean.wav, and that is what"
    )
    assert problem in str(error.value)  # not cut


def test_a_long_clip_that_nothing_has_cut_is_refused(tmp_path, clip):
    clip.fitted(13 * 8000).save(tmp_path / "clean.wav")
    with_noise(clip.fitted(13 * 8000)).save(tmp_path / "perturbed.wav")
    (tmp_path / "study.yaml").write_text(STUDY.replace("CLEAN", "clean.wav"))
    with pytest.raises(StudyError, match=r"clean\.wav lasts 13\.0 s; up to 12 s, please"):
        load_study(tmp_path / "study.yaml")


def test_a_pair_that_fits_has_no_misfit(clip):
    assert misfit(clip, with_noise(clip)) is None
    assert misfit(clip, with_noise(clip, -90)) is None
