"""A classifier can be split anywhere, and prepares a clip once."""

import json

import pytest
import torch

from robustaudio.audio.clip import Clip
from robustaudio.classifiers import checkpoints
from robustaudio.classifiers.architecture import Architecture
from robustaudio.classifiers.networks import Cnn, soft_thresholds

NAMES = checkpoints.names()


@pytest.fixture(scope="module", params=NAMES)
def classifier(request):
    return checkpoints.load_classifier(request.param)


def test_split_recomposes_to_forward_at_every_representation(classifier):
    x = torch.rand(3, classifier.length, generator=torch.Generator().manual_seed(0)) * 2 - 1
    logits = classifier(x)
    assert logits.shape == (3, len(classifier.labels))
    for representation in classifier.representations:
        front, back = classifier.split(representation)
        assert torch.equal(back(front(x)), logits)


def test_a_batch_equals_its_clips_one_by_one(classifier):
    x = torch.rand(4, classifier.length, generator=torch.Generator().manual_seed(1)) * 2 - 1
    alone = torch.cat([classifier(clip[None]) for clip in x])
    assert torch.allclose(classifier(x), alone, atol=1e-4)


def test_the_gradient_at_digital_silence_is_finite(classifier):
    x = torch.zeros(1, classifier.length, requires_grad=True)
    classifier(x)[0, 0].backward()
    assert x.grad.isfinite().all()


def test_an_unknown_representation_or_label_names_what_there_is(classifier):
    known = ", ".join(classifier.representations)
    with pytest.raises(ValueError, match=f"no representation 'cepstrum'; choose from {known}"):
        classifier.split("cepstrum")
    first = classifier.labels[0]
    with pytest.raises(ValueError, match=f"no label 'ten'; choose from {first}, "):
        classifier.label_index("ten")


def test_preparing_resamples_fits_and_scales_once(classifier):
    samples = 0.25 * torch.sin(torch.arange(44_100) * 0.05)
    clip = classifier.prepare(Clip(samples, 44_100, "tone"))
    assert clip.sample_rate == classifier.sample_rate
    assert len(clip.samples) == classifier.length
    assert clip.peak == pytest.approx(1, abs=1e-6)
    again = classifier.prepare(Clip(clip.samples * 0.5, clip.sample_rate, gain=1.0))
    assert torch.equal(again.samples, clip.samples * 0.5)  # it carries its gain: not scaled again


def test_soft_thresholds_ask_every_band_at_its_own_levels():
    """At log E = c a sigmoid says one half; far above 1, far below 0, whatever the other bands."""
    layer, squash = soft_thresholds(bands=2, levels=3)
    level = torch.tensor([[[-7.0], [50.0]]])  # the lowest threshold, and far above all
    asked = squash(layer(level))[0, :, 0].detach()
    assert asked[0] == pytest.approx(0.5)
    assert (asked[1:3] < 0.05).all() and (asked[3:] > 0.999).all()
    assert asked[1] > asked[2]


def test_an_architecture_survives_its_card():
    a = Architecture(
        ("x", "y"), 8_000, 8_000, network=Cnn(convolutions=((9, 4), (3, 2)), thresholds=2)
    )
    assert Architecture.from_json(json.loads(json.dumps(a.to_json()))) == a
    older = {k: v for k, v in a.to_json().items() if k not in ("convolutions", "thresholds")}
    assert Architecture.from_json(older).network.convolutions == ((5, 2), (5, 2), (3, 2))
    logits = a.build().eval()(torch.rand(2, 8_000))
    assert logits.shape == (2, 2)
