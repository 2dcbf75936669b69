"""More like itself: starts, levels relative to full scale, and a search that does not stop."""

import pytest
import torch

from robustaudio.attacks import Genetic
from robustaudio.classifiers.checkpoints import load_classifier
from robustaudio.evaluation.engine import measure_clip
from robustaudio.evaluation.maximise import STARTS, Maximising, maximise, start_from

QUICK = Genetic(queries=60)


@pytest.fixture(scope="module")
def classifier():
    return load_classifier("digits-cnn")


def clip(classifier) -> torch.Tensor:
    tone = torch.sin(2 * torch.pi * 500 * torch.arange(classifier.length) / 8_000)
    return tone / tone.abs().max()


@pytest.mark.parametrize("start", STARTS)
def test_it_becomes_surer_within_its_level(classifier, start):
    x = start_from(start, clip(classifier), seed=0)
    told = []
    made = measure_clip(
        maximise,
        classifier,
        x,
        Maximising(QUICK, "3", -20.0),
        progress=lambda share, step=None: told.append(step),
    )
    assert made.probability > made.probability_before
    assert made.queries == QUICK.queries  # being heard as the label does not end it
    assert made.perturbation.abs().max() <= 0.1 * (1 + 1e-5)
    assert told[-1].sound().shape == x.shape and made.course[-1].population.best


def test_what_is_already_the_label_becomes_more_so(classifier):
    x = start_from("noise", clip(classifier), seed=1) * 0.1
    label = classifier.labels[int(classifier(x[None]).argmax())]
    result = measure_clip(maximise, classifier, x, Maximising(QUICK, label, -20.0))
    assert result.probability > result.probability_before


def test_a_start_that_is_none_and_a_label_that_is_none(classifier):
    assert start_from("noise", clip(classifier), 0).abs().max() == pytest.approx(1)
    with pytest.raises(ValueError, match="no start 'tone'; choose from clip, noise, silence"):
        start_from("tone", clip(classifier), 0)
    with pytest.raises(ValueError, match="no label 'violin'"):
        measure_clip(maximise, classifier, clip(classifier), Maximising(QUICK, "violin", -20.0))
