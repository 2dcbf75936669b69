"""Verification of clips and of a data set, and the noise that lies under the threshold."""

import math
from dataclasses import replace

import pytest

from robustaudio.audio.datasets import open_dataset
from robustaudio.classifiers import checkpoints
from robustaudio.evaluation.batch import LabelledBatch, load_clips
from robustaudio.evaluation.engine import measure_clip, run
from robustaudio.evaluation.results import to_json
from robustaudio.evaluation.verify import (
    Verifying,
    VerifyLevels,
    noise_under_threshold,
    verify,
    verify_levels,
)
from robustaudio.threats.norms import LINF, MASKING


def one_label_wrong(classifier) -> LabelledBatch:
    some = load_clips(classifier, open_dataset("bundled-digits").select("bundled", 4))
    labels = some.labels.clone()
    labels[0] = (labels[0] + 1) % 10
    return replace(some, labels=labels)


def test_the_two_noises_have_one_energy_and_only_one_is_in_the_set(clips):
    classifier = checkpoints.load_classifier("digits-lstm-ibp")
    x = clips.waveforms[7]
    noise = noise_under_threshold(classifier, x, level_db=-6, seed=0)
    assert noise.shaped.norm() == pytest.approx(float(noise.white.norm()), rel=1e-5)
    above = noise.exceeds_threshold_db
    assert -6.5 < above.shaped <= -6 + 1e-3 < 0 < above.white
    ratio = noise.noise_to_mask_db
    assert ratio.shaped < above.shaped and ratio.white > 0
    assert noise.snr_db == pytest.approx(
        20 * math.log10(float(x.norm() / noise.shaped.norm())), abs=1e-3
    )


def test_a_verdict_names_what_the_masking_set_supposes(clips):
    classifier = checkpoints.load_classifier("digits-lstm-ibp")
    x = clips.waveforms[7]
    assert measure_clip(verify, classifier, x, Verifying(LINF, -60.0)).masking is None
    result = measure_clip(verify, classifier, x, Verifying(MASKING, -60.0, "crown"))
    framing = classifier.stages["magnitude"].framing
    assert result.duration_s == 1.0 and result.method == "crown"
    assert to_json(result.masking) == {
        "assumed_peak_spl_db": 96.0, "frame_ms": framing.n_fft / 8,
        "hop_ms": framing.hop_length / 8, "pre_emphasis": framing.pre_emphasis,
    }  # fmt: skip


def test_provability_is_of_the_correct_clips_and_verified_accuracy_of_all():
    classifier = checkpoints.load_classifier("digits-cnn-ibp")
    batch, asked = one_label_wrong(classifier), VerifyLevels(LINF, (-140.0,))
    summary = asked.summary(run(verify_levels, classifier, batch, asked))
    assert summary.clean_accuracy == 0.75
    (level,) = summary.levels
    assert (level.verified_accuracy, level.provability) == (0.75, 1.0)


def test_worst_logits_are_negative_where_something_is_proven(clips):
    classifier = checkpoints.load_classifier("digits-cnn-ibp")
    result = measure_clip(verify, classifier, clips.waveforms[7], Verifying(LINF, -80))
    rivals = {k: v for k, v in result.worst_logits.items() if k != result.prediction}
    assert result.verified and max(rivals.values()) < 0
