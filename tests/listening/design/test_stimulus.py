"""Levels are what they say, families differ in what is heard, and files tell nothing else."""

import numpy as np
import pytest
import torch

from robustaudio.audio.clip import Clip
from robustaudio.audio.datasets import open_dataset
from robustaudio.listening.design.stimulus import RATE, Stimuli, stimulus_of

FAMILIES = ("white", "shaped", "shift")


@pytest.fixture(scope="module")
def clip() -> Clip:
    return Clip.load(open_dataset("bundled-digits").folder / "seven-slt.wav")


@pytest.fixture(scope="module")
def stimuli(clip) -> Stimuli:
    return Stimuli({f: stimulus_of(clip, f, {}, [0, n]) for n, f in enumerate(FAMILIES)}, -10)


def level_db(perturbation: np.ndarray, clean: np.ndarray) -> float:
    return 20 * np.log10(np.linalg.norm(perturbation) / np.linalg.norm(clean))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("level", [-70.0, -40.5, -10.0])
def test_the_level_is_that_of_the_l2_norm(stimuli, family, level):
    stimulus = stimuli.conditions[family]
    assert level_db(stimulus.at(level) - stimulus.clean, stimulus.clean) == pytest.approx(level)
    facts = stimuli.facts(family, level)
    assert facts["snr_db"] == pytest.approx(-level, abs=1e-6)
    assert facts["sigma"] == pytest.approx(facts["l2"] / len(stimulus.clean) ** 0.5)


def test_shaped_noise_hides_where_white_noise_of_its_energy_does_not(stimuli):
    ratios = {f: stimuli.facts(f, -35.0)["noise_to_mask_db"] for f in ("white", "shaped")}
    assert ratios["white"] > 10 and ratios["shaped"] < -10


def test_the_same_seed_makes_the_same_sound(clip):
    twice = [Stimuli({"c": stimulus_of(clip, "white", {}, [7])}, -10) for _ in range(2)]
    other = Stimuli({"c": stimulus_of(clip, "white", {}, [8])}, -10)
    assert (twice[0].render("c", -40.0) == twice[1].render("c", -40.0)).all()
    assert (other.render("c", -40.0) != twice[0].render("c", -40.0)).any()


def test_one_length_one_gain_and_soft_ends_for_all(stimuli):
    sounds = [stimuli.render(f, level) for f in FAMILIES for level in (None, -60.0, -10.0)]
    assert {len(sound) for sound in sounds} == {int(1.2 * RATE)}
    assert all(sound[0] == 0 and np.abs(sound).max() < 1 for sound in sounds)
    clean = [stimuli.render(family, None) for family in FAMILIES]
    assert (clean[0] == clean[1]).all() and (clean[0] == clean[2]).all()


def test_the_gain_leaves_room_for_the_loudest_perturbation(clip):
    loud = Stimuli({"c": stimulus_of(clip, "white", {}, [0])}, 10.0)
    assert loud.gain <= 0.25
    assert 0.1 < np.abs(loud.render("c", 10.0)).max() <= 1


def test_a_given_perturbation_is_scaled_and_keeps_its_shape(clip):
    ramp = torch.linspace(0, 0.01, len(clip.samples))
    perturbed = Clip(clip.samples + ramp, clip.sample_rate, "pgd")
    stimulus = stimulus_of(clip, "pgd", {"pgd": perturbed}, [0])
    delta = stimulus.at(-30.0) - stimulus.clean
    assert level_db(delta, stimulus.clean) == pytest.approx(-30)
    assert np.corrcoef(delta, ramp.numpy())[0, 1] > 0.9999


def test_what_cannot_be_is_refused(clip):
    short = Clip(clip.samples[:-1], clip.sample_rate, "short")
    with pytest.raises(ValueError, match="its clean clip seven-slt has"):
        stimulus_of(clip, "pgd", {"pgd": short}, [0])
    with pytest.raises(ValueError, match="does not differ"):
        stimulus_of(clip, "pgd", {"pgd": clip}, [0])
    with pytest.raises(ValueError, match="no family 'pink' of seven-slt; choose from white, shap"):
        stimulus_of(clip, "pink", {}, [0])
    with pytest.raises(ValueError, match="no shift of up to 5 ms reaches 6 dB"):
        stimulus_of(clip, "shift", {}, [0]).at(6.0)
