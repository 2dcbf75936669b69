"""The edge of the page: sources that may be read, words that say what happened."""

import shlex
from pathlib import Path

import pytest

from robustaudio.attacks import PGD
from robustaudio.certification.smoothing import Smoothing
from robustaudio.cli import parser
from robustaudio.evaluation.attack import attack_clip
from robustaudio.evaluation.noise import noise_clip
from robustaudio.evaluation.ruler import measure_ruler
from robustaudio.ui import convert
from robustaudio.ui.convert import Source
from robustaudio.ui.explore import NORMS, Wish
from robustaudio.ui.launch import load_services
from robustaudio.ui.ruler import ruler_html


@pytest.fixture(scope="module")
def services():
    return load_services()


@pytest.fixture(scope="module")
def source(services):
    name = "7 · flite slt"
    return Source(name, services.clips[name])


def wish(**changes) -> Wish:
    values = {
        "method": "PGD",
        "norm": next(iter(NORMS)),
        "level_db": -45,
        "target": convert.ANY_OTHER,
        "representation": "waveform",
        "sigma": 0.1,
        "seed": 0,
        "options": {"steps": 40, "restarts": 1, "step_size": 0.1, "random_start": True},
    }
    return Wish(**{**values, **changes})


def test_an_upload_outside_the_upload_folder_is_not_read(services, source):
    stolen = Source("mine", Path("/etc/passwd"), uploaded=True)
    with pytest.raises(ValueError, match="outside the folders that the app may read"):
        convert.open_source(services, stolen, "digits-cnn")
    bundled = Source("mine", source.path, uploaded=True)
    with pytest.raises(ValueError, match="outside the folders that the app may read"):
        convert.open_source(services, bundled, "digits-cnn")


def test_a_classifier_is_chosen_from_those_that_were_loaded(services, source):
    with pytest.raises(ValueError, match=r"no classifier '\.\./x'; choose from digits-cnn"):
        convert.open_source(services, source, "../x")


@pytest.mark.parametrize(
    "wanted", [wish(), wish(method="FGSM", target="3"), wish(method="Gaussian noise")]
)
def test_the_command_of_a_wish_parses_to_the_same_settings(services, source, wanted):
    command = wanted.command(source, "digits-cnn")
    arguments = parser().parse_args(shlex.split(shlex.join(command))[3:])
    assert arguments.classifier == "digits-cnn" and arguments.seed == 0
    assert Path(arguments.clip).name == "seven-slt.wav"
    if wanted.kind == "noise":
        assert arguments.sigma == [0.1]
    else:
        assert arguments.attack == wanted.kind and arguments.level_db == [-45]


def test_words_say_what_changed_and_what_rounding_leaves(services, source):
    classifier, clip = convert.open_source(services, source, "digits-cnn")
    result = attack_clip(
        classifier, clip.samples, PGD(), norm="linf", level_db=-45, target=None, seed=0
    )
    words = convert.perturbation_words(result.record)
    assert "<strong>7</strong> → <strong>3</strong>" in words and "−45.0 dB" in words
    assert "survives rounding to 16 bit" in words
    lost = {**result.record, "success_after_rounding": False}
    assert "does NOT survive rounding" in convert.perturbation_words(lost)
    assert "PGD in L∞ on digits-cnn" in words


def test_words_name_the_norm_that_was_asked_for(services, source):
    classifier, clip = convert.open_source(services, source, "digits-cnn")
    result = attack_clip(
        classifier, clip.samples, PGD(), norm="l2", level_db=-30, target=None, seed=0
    )
    assert "L2 level −30.0 dB of the clip's energy" in convert.perturbation_words(result.record)


def test_no_noise_is_no_perturbation(services, source):
    classifier, clip = convert.open_source(services, source, "digits-cnn")
    result = noise_clip(classifier, clip.samples, representation="mel", sigma=0.0, seed=0)
    words = convert.perturbation_words(result.record)
    assert "no perturbation at all" in words and "inversion" not in words


def test_the_tracks_share_one_gain_and_the_difference_says_its_own(services, source):
    classifier, clip = convert.open_source(services, source, "digits-cnn")
    result = noise_clip(classifier, clip.samples, representation="waveform", sigma=0.01, seed=0)
    value = convert.player_tracks(result, clip.sample_rate)
    gains = {track["key"]: track["gain_db"] for track in value["tracks"]}
    assert gains["A"] == gains["B"] == 0 and gains["D"] > 0
    assert value["common_gain_db"] <= 0


@pytest.mark.parametrize(
    "name, smoothed", [("digits-cnn", "not trained"), ("digits-cnn-noise", "R / √T")]
)
def test_the_ruler_tells_whose_mark_is_whose(services, source, name, smoothed):
    classifier, clip = convert.open_source(services, source, name)
    record = measure_ruler(classifier, clip.samples, smoothing=Smoothing(n=200))
    picture = ruler_html(record)
    assert smoothed in picture and "the attack needs" in picture
    assert "-" not in "".join(part.split("</b>")[0] for part in picture.split("<b>")[1:])


def test_a_smoothed_class_that_differs_is_said_so():
    record = {
        "prediction": "5", "clean_prediction": "0", "radius": 0.6, "representation": "waveform",
        "sigma": 0.25, "n": 1000, "alpha": 0.001, "p_lower": 0.99, "confidence": 0.999,
        "seconds": 0.1,
        "level_l2_db": -27.0, "level_linf_db": -43.0,
    }  # fmt: skip
    assert "the classifier itself hears 0" in convert.smoothing_words(record)


def test_silence_has_no_level():
    assert convert.decibel(None) == "−∞ dB"
    assert convert.decibel(-12.34) == "−12.3 dB"
    assert convert.decibel(-0.01) == "0.0 dB"
