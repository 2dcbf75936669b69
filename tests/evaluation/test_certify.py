"""Smoothing of clips and of a data set: radii, levels, and what counts for nothing."""

import math
from dataclasses import replace

import pytest

from robustaudio.audio.datasets import open_dataset
from robustaudio.certification.smoothing import Smoothing
from robustaudio.classifiers import checkpoints
from robustaudio.evaluation.batch import LabelledBatch, load_clips
from robustaudio.evaluation.certify import Certifying, CertifyRadii, certify, certify_radii
from robustaudio.evaluation.engine import measure_clip, run
from robustaudio.evaluation.results import to_json


def one_label_wrong(classifier) -> LabelledBatch:
    some = load_clips(classifier, open_dataset("bundled-digits").select("bundled", 4))
    labels = some.labels.clone()
    labels[0] = (labels[0] + 1) % 10
    return replace(some, labels=labels)


def test_certified_accuracy_falls_with_the_radius(clips):
    classifier = checkpoints.load_classifier("digits-cnn-noise")
    some = load_clips(classifier, open_dataset("bundled-digits").select("bundled", 4))
    asked = CertifyRadii(Smoothing(n=300), (0.0, 0.1, 0.3, 9.0))
    summary = asked.summary(run(certify_radii, classifier, some, asked))
    shares = [radius.certified_accuracy for radius in summary.radii]
    assert shares == sorted(shares, reverse=True) and shares[-1] == 0 < shares[0]


def test_a_certificate_of_the_wrong_label_counts_for_nothing():
    classifier = checkpoints.load_classifier("digits-cnn-noise")
    batch, asked = one_label_wrong(classifier), CertifyRadii(Smoothing(n=200), (0.0,))
    summary = asked.summary(run(certify_radii, classifier, batch, asked))
    assert summary.abstained == 0
    assert [to_json(each) for each in summary.radii] == [
        {"radius": 0.0, "certified_accuracy": 0.75}
    ]
    with pytest.raises(ValueError, match="must be 0 or more"):
        CertifyRadii(Smoothing(n=20), (-1.0,))


def test_the_levels_of_a_radius_by_hand(clips):
    classifier, x = checkpoints.load_classifier("digits-cnn-noise"), clips.waveforms[0]
    result = measure_clip(certify, classifier, x, Certifying(Smoothing(n=100)))
    radius, peak, size = result.radius, float(x.abs().max()), float(x.norm())
    assert result.level_l2_db == pytest.approx(20 * math.log10(radius / size), abs=1e-4)
    inscribed = radius / math.sqrt(8_000)
    assert result.level_linf_db == pytest.approx(20 * math.log10(inscribed / peak), abs=1e-4)
