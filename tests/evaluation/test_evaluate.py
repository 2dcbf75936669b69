"""Records: levels mean what they say, the smallest level is one, the ruler is in order."""

import math

import pytest
import torch

from robustaudio.attacks import PGD
from robustaudio.audio.datasets import open_dataset
from robustaudio.certification.smoothing import Smoothing
from robustaudio.classifiers import checkpoints
from robustaudio.evaluation import evaluate, figures
from robustaudio.evaluation.ruler import measure_ruler
from robustaudio.perception import metrics


@pytest.fixture(scope="module")
def classifier():
    return checkpoints.load_classifier("digits-cnn")


@pytest.fixture(scope="module")
def clips(classifier):
    return evaluate.load_clips(classifier, open_dataset("bundled"))


@pytest.mark.parametrize("norm, key, sign", [("linf", "level_db", 1), ("l2", "snr_db", -1)])
@pytest.mark.parametrize("level_db", [-60.0, -20.0])
def test_an_attack_stays_at_its_level_in_its_own_decibels(
    classifier, clips, norm, key, sign, level_db
):
    result = evaluate.attack_clip(
        classifier, clips.waveforms[0], PGD(), norm=norm, level_db=level_db, target=None, seed=0
    )
    assert sign * result.record[key] <= level_db + 1e-3


def test_levels_by_hand():
    clean = torch.tensor([[0.5, -0.25, 0.0]])
    delta = torch.tensor([[0.05, 0.0, 0.0]])
    assert metrics.level_db(delta, clean).item() == pytest.approx(-20, abs=1e-4)
    assert metrics.snr_db(delta, clean).item() == pytest.approx(
        10 * math.log10((0.25 + 0.0625) / 0.0025), abs=1e-4
    )
    assert metrics.snr_db(3 * delta, 3 * clean) == pytest.approx(metrics.snr_db(delta, clean))
    assert metrics.floor_16_bit_db(torch.tensor([1.0])) == pytest.approx(-90.309, abs=1e-3)
    for norm in ("linf", "l2"):
        epsilon = metrics.epsilon_at(-37.0, clean, norm)
        assert metrics.level_of(float(epsilon), clean[0], norm) == pytest.approx(-37, abs=1e-4)


def test_the_smallest_level_breaks_and_a_little_less_was_not_found_to(classifier, clips):
    waveform = clips.waveforms[7]
    level = evaluate.smallest_level(classifier, waveform, PGD(), norm="linf", seed=0)
    assert -80 < level < -20
    at = evaluate.attack_clip(
        classifier, waveform, PGD(restarts=4), norm="linf", level_db=level + 1, target=None, seed=1
    )
    assert at.record["success"]


def test_an_attack_that_never_succeeds_has_no_smallest_level(clips):
    class Certain(torch.nn.Module):
        def forward(self, x):
            return torch.eye(3)[0] + 0 * x[:, :3]

    level = evaluate.smallest_level(Certain(), clips.waveforms[0], PGD(steps=2), norm="l2", seed=0)
    assert level == math.inf


def test_rounding_to_16_bit_is_what_a_16_bit_file_does(tmp_path, clips):
    from robustaudio.audio.clip import Clip

    waveform = clips.waveforms[0] * 0.999
    Clip(waveform, 8_000).save(tmp_path / "a.wav", "PCM_16")
    read = Clip.load(tmp_path / "a.wav").samples
    assert (read - evaluate.rounded_to_16_bit(waveform)).abs().max() <= metrics.STEP_16_BIT


def test_a_perturbation_below_half_a_step_does_not_survive_rounding(classifier, clips):
    waveform = evaluate.rounded_to_16_bit(clips.waveforms[0] * 0.9)
    tiny = waveform + 0.3 * metrics.STEP_16_BIT * torch.ones_like(waveform)
    assert torch.equal(evaluate.rounded_to_16_bit(tiny), waveform)


@pytest.mark.parametrize("name", checkpoints.names())
def test_the_ruler_is_in_order_for_every_classifier(name):
    classifier = checkpoints.load_classifier(name)
    waveform = evaluate.load_clips(classifier, open_dataset("bundled")).waveforms[7]
    shares = []
    record = measure_ruler(
        classifier, waveform, smoothing=Smoothing(n=200), seed=0, progress=shares.append
    )
    ruler = record["ruler"]
    assert ruler["attacked_db"] is not None
    assert ruler["verified_db"] is None or ruler["verified_db"] < ruler["attacked_db"]
    assert shares == sorted(shares) and shares[-1] <= 1


def test_noise_of_sigma_zero_changes_nothing(classifier, clips):
    for representation in ("waveform", "magnitude", "mel"):
        result = evaluate.noise_clip(
            classifier, clips.waveforms[0], representation=representation, sigma=0.0, seed=0
        )
        assert result.perturbation.abs().max() < 1e-5
        assert result.record["clean_prediction"] == result.record["prediction"]


def test_noise_has_the_size_that_sigma_says(classifier, clips):
    result = evaluate.noise_clip(
        classifier, clips.waveforms[0], representation="waveform", sigma=0.1, seed=0
    )
    assert result.perturbation.std().item() == pytest.approx(0.1, rel=0.05)


def test_certified_accuracy_falls_with_the_radius(clips):
    classifier = checkpoints.load_classifier("digits-cnn-noise")
    some = evaluate.load_clips(classifier, open_dataset("bundled").select("bundled", 4))
    record = evaluate.certify_dataset(
        classifier, some, Smoothing(n=300), representation="waveform",
        radii=(0.0, 0.1, 0.3, 9.0), seed=0,
    )  # fmt: skip
    shares = [radius["certified_accuracy"] for radius in record["radii"]]
    assert shares == sorted(shares, reverse=True) and shares[-1] == 0 < shares[0]


def test_figures_share_one_scale_and_stay_small(clips):
    clean = clips.waveforms[0]
    quiet = figures.spectrogram(0.01 * clean, clean, 8_000, title="quiet")
    loud = figures.spectrogram(clean, clean, 8_000, title="loud")
    assert loud.data[0].z.max() == pytest.approx(0, abs=0.1)
    assert quiet.data[0].z.max() == pytest.approx(-40, abs=0.2)
    assert quiet.data[0].zmin == loud.data[0].zmin and quiet.data[0].zmax == loud.data[0].zmax
    wave = figures.waveforms(clean, clean, 8_000)
    assert all(len(trace.x) <= figures.MAX_POINTS for trace in wave.data)
    assert max(wave.data[0].y) == pytest.approx(float(clean.max()))
