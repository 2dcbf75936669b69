"""The exhibits: known answers for the shift, the same L2 for the noise, honest words for each."""

import pytest
import torch

from robustaudio.audio.clip import Clip
from robustaudio.audio.datasets import open_dataset
from robustaudio.classifiers.checkpoints import load_classifier
from robustaudio.evaluation.comparison import compare
from robustaudio.evaluation.exhibits import exhibits, shifted, uniform_noise


@pytest.fixture(scope="module")
def classifier():
    return load_classifier("digits-cnn")


@pytest.fixture(scope="module")
def clean(classifier):
    return classifier.prepare(
        Clip.load(open_dataset("bundled-digits").folder / "seven-slt.wav")
    ).samples


def test_a_shift_is_zeros_in_front_and_the_end_cut_off():
    ramp = torch.arange(1.0, 8.0)
    assert shifted(ramp, 5).tolist() == [0, 0, 0, 0, 0, 1, 2]
    assert shifted(ramp, 0).tolist() == ramp.tolist()
    with pytest.raises(ValueError, match="a shift of 8 samples must lie between 0 and 7"):
        shifted(ramp, 8)


def test_the_shift_of_a_sine_has_the_l2_that_trigonometry_gives(classifier):
    """sin(wt) - sin(w(t - 5)) has amplitude 2 sin(5w / 2): -2.3 dB of the sine at this w."""
    n = torch.arange(8_000, dtype=torch.float64)
    w = 2 * torch.pi / 40  # 5 samples are an eighth of the period
    sine = (0.5 * torch.sin(w * n)).float()
    given, _, shift = exhibits(classifier, sine, sine * 1.01, seed=0)
    ratio = 2 * torch.sin(torch.tensor(2.5 * w))
    assert shift.snr_db == pytest.approx(-20 * float(ratio.log10()), abs=0.01)
    assert given.snr_db == pytest.approx(40, abs=1e-3)


def test_the_noise_has_the_l2_of_the_perturbation_and_is_uniform(classifier, clean):
    perturbed = clean + 1e-3 * torch.sin(torch.arange(len(clean)))
    given, noise, _ = exhibits(classifier, clean, perturbed, seed=3)
    assert noise.l2 == pytest.approx(given.l2, rel=1e-4)
    assert noise.snr_db == pytest.approx(given.snr_db, abs=1e-3)
    samples = uniform_noise(clean, 1.0, 3)
    peak = (3 / len(clean)) ** 0.5  # of uniform samples with this L2: rms times sqrt 3
    assert samples.norm() == pytest.approx(1.0, rel=1e-5)
    assert samples.abs().max() == pytest.approx(peak, rel=0.05)
    assert samples.abs().median() == pytest.approx(peak / 2, rel=0.05)  # flat, not a bell
    assert torch.equal(samples, uniform_noise(clean, 1.0, 3))
    assert not torch.equal(samples, uniform_noise(clean, 1.0, 4))


def test_an_exhibit_says_what_a_comparison_of_the_same_clips_says(classifier, clean):
    perturbed = clean + 0.02 * torch.sin(torch.arange(len(clean)) * 0.7)
    for shown in exhibits(classifier, clean, perturbed, seed=0):
        (known,) = compare(classifier, clean[None], shown.perturbed[None])
        for key in ("l2", "snr_db", "noise_to_mask_db"):
            assert getattr(shown, key) == pytest.approx(getattr(known.difference, key), rel=1e-4), (
                shown.kind
            )
        assert shown.prediction == known.prediction


def test_no_perturbation_gives_no_noise(classifier, clean):
    given, noise, shift = exhibits(classifier, clean, clean, seed=0)
    assert given.l2 == noise.l2 == 0 and noise.snr_db is None
    assert shift.l2 > 0
