"""The classifier and the bundled clips that many tests use."""

import pytest

from robustaudio.audio.datasets import open_dataset
from robustaudio.classifiers import checkpoints
from robustaudio.evaluation.batch import load_clips


@pytest.fixture(scope="session")
def classifier():
    return checkpoints.load_classifier("digits-cnn")


@pytest.fixture(scope="session")
def clips(classifier):
    return load_clips(classifier, open_dataset("bundled-digits"))
