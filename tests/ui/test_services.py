"""What the page is given: clips that may be read, classifiers, tasks."""

from dataclasses import replace
from pathlib import Path

import pytest

from robustaudio.threats.noise import audible_representations
from robustaudio.ui.sources import Source


def test_an_upload_outside_the_upload_folder_is_not_read(services, source):
    stolen = Source("mine", Path("/etc/passwd"), "digits", uploaded=True)
    with pytest.raises(ValueError, match="outside the folders that the app may read"):
        services.open(stolen, "digits-cnn")
    bundled = Source("mine", source.path, "digits", uploaded=True)
    with pytest.raises(ValueError, match="outside the folders that the app may read"):
        services.open(bundled, "digits-cnn")


def test_a_classifier_is_chosen_from_those_that_were_loaded(services, source):
    with pytest.raises(ValueError, match=r"no classifier '\.\./x'; choose from digits-balanced"):
        services.open(source, "../x")


def test_the_classifier_for_a_noise_is_offered_for_that_noise_only(services):
    assert services.for_noise("digits", 0.25, "waveform") == "digits-cnn-noise"
    assert services.for_noise("digits", 0.1, "waveform") == "digits-cnn-noise"
    assert services.for_noise("digits", 0.5, "waveform") is None
    assert services.for_noise("digits", 0.25, "mel") is None
    assert services.for_noise("instruments", 0.25, "waveform") is None


def test_only_what_can_be_heard_is_offered_to_be_heard(services):
    offered = {name: audible_representations(one) for name, one in services.classifiers.items()}
    assert offered["digits-cnn"] == ("waveform", "magnitude", "mel")
    assert offered["instruments-svm"] == ("waveform",)
    for name, representations in offered.items():
        assert {"log_mel", "mfcc", "descriptors", "statistics"}.isdisjoint(representations), name


def test_a_task_has_its_own_classifiers_and_begins_with_a_clip_of_its_own(services):
    assert list(services.tasks) == ["digits", "instruments"]
    assert "instruments-svm" not in services.classifiers_of("digits")
    for task in services.tasks:
        classifier, clip = services.start(task)
        assert classifier in services.classifiers_of(task)
        assert clip.task == task and clip.path.is_file() and not clip.uploaded


def test_a_task_without_a_classifier_is_not_offered(services):
    digits = {name: card for name, card in services.cards.items() if card.task == "digits"}
    assert list(replace(services, cards=digits).tasks) == ["digits"]
