"""On a device without float64 (Apple's MPS, pretended here) everything answers as on the CPU."""

from collections.abc import Callable
from dataclasses import is_dataclass

import pytest
import torch
from pretended import pretended_mps
from torch import Tensor

from robustaudio.attacks import BIM, PGD
from robustaudio.certification.smoothing import Smoothing
from robustaudio.certification.verify import Verifier
from robustaudio.classifiers import checkpoints
from robustaudio.classifiers.checkpoints import load_classifier
from robustaudio.classifiers.classifier import Classifier
from robustaudio.evaluation.attack import Attacking, Plan, attack
from robustaudio.evaluation.batch import LabelledBatch
from robustaudio.evaluation.certify import CertifyRadii, certify_radii
from robustaudio.evaluation.engine import Asked, measure_clip, run
from robustaudio.evaluation.noise import AddingNoise, add_noise
from robustaudio.evaluation.predict import Predicting, predict_labels
from robustaudio.evaluation.results import to_json
from robustaudio.evaluation.ruler import Measuring, measure_ruler
from robustaudio.evaluation.smallest import SmallestLevels, attack_smallest
from robustaudio.evaluation.verify import (
    Verifying,
    VerifyLevels,
    noise_under_threshold,
    verify,
    verify_levels,
)
from robustaudio.perception.masking import masking_threshold
from robustaudio.threats.norms import LINF, MASKING
from robustaudio.threats.threat_model import ThreatModel
from robustaudio.ui.figures import audibility

PLAN = Plan(BIM(steps=3))
SMOOTHING = Smoothing(sigma=1e-6, n0=10, n=20)  # too faint to hang on what was drawn


def waveforms(device: str) -> Tensor:
    at = torch.arange(8_000) / 8_000
    tones = [torch.sin(2 * torch.pi * hz * at) * (at * (1 - at) * 4) for hz in (300, 900)]
    return torch.stack(tones).to(device)


def labelled(device: str) -> LabelledBatch:
    return LabelledBatch(
        dataset="some", split="test", waveforms=waveforms(device),
        labels=torch.tensor([0, 8]).to(device), names=(*"ab",),
    )  # fmt: skip


def summarised(measure, classifier: Classifier, batch: LabelledBatch, asked: Asked) -> dict:
    """The record of a measure over clips."""
    rows = run(measure, classifier, batch, asked)
    return asked.about(classifier, batch, 0) | to_json(asked.summary(rows))


def seen(audible) -> tuple:
    return audible.share_above, audible.worst_frame


CALLS: dict[str, Callable[[Classifier, str], object]] = {
    "verify_clip": lambda c, d: measure_clip(verify, c, waveforms(d)[0], Verifying(MASKING, -30)),
    "verify_dataset": lambda c, d: summarised(
        verify_levels, c, labelled(d), VerifyLevels(LINF, (-90.0,), "crown")
    ),
    "measure_ruler": lambda c, d: measure_clip(
        measure_ruler, c, waveforms(d)[0], Measuring(SMOOTHING, PGD(steps=3, random_start=False))
    ),
    "attack_dataset": lambda c, d: summarised(
        attack_smallest, c, labelled(d), SmallestLevels(PLAN, (-20.0,))
    ),
    "attack_clip": lambda c, d: measure_clip(
        attack, c, waveforms(d)[0], Attacking(Plan(BIM(steps=3), representation="mel"), -20.0)
    ),
    "noise_clip": lambda c, d: measure_clip(
        add_noise, c, waveforms(d)[0], AddingNoise(0.001, "mel")
    ),
    "noise_under_threshold": lambda c, d: noise_under_threshold(
        c, waveforms(d)[0], level_db=0.0, seed=0
    ),
    "predict_dataset": lambda c, d: summarised(predict_labels, c, labelled(d), Predicting()),
    "certify_dataset": lambda c, d: summarised(
        certify_radii,
        c,
        labelled(d),
        CertifyRadii(SMOOTHING, (0.0,), "log_mel"),
    ),
    "audibility": lambda c, d: seen(audibility(waveforms(d)[0], waveforms(d)[1] * 1e-3, 8_000)),
}


def near(told: object) -> object:
    """The record, its numbers to be compared up to what float32 rounds."""
    if isinstance(told, dict):
        return {key: near(value) for key, value in told.items() if key != "seconds"}
    if isinstance(told, list | tuple):
        return [near(value) for value in told]
    return pytest.approx(told, rel=1e-3, abs=1e-3) if isinstance(told, float) else told


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_an_evaluation_tells_the_same_as_on_the_cpu(call, monkeypatch):
    right = plain(call(load_classifier("digits-cnn"), "cpu"))
    with pretended_mps(monkeypatch):
        found = plain(call(load_classifier("digits-cnn", "mps"), "mps"))
    assert near_equal(found, right)


def plain(result: object) -> object:
    return to_json(result) if is_dataclass(result) else result


def near_equal(found: object, right: object) -> bool:
    if isinstance(right, dict):
        return all(near_equal(found[key], right[key]) for key in right if key != "seconds")  # type: ignore[index]
    return (list(found) if isinstance(found, tuple) else found) == near(right)  # type: ignore[arg-type]


def test_a_proof_lies_beside_its_waveform(monkeypatch):
    """Predictions and verdicts do; numbers in float64 lie on the CPU."""
    x = waveforms("cpu")
    here = Verifier(load_classifier("digits-cnn"))
    label = here.predict(x)
    right = here.verify(x, label, here.threat_at(x, -60.0, LINF))
    with pretended_mps(monkeypatch):
        classifier = load_classifier("digits-cnn", "mps")
        x, verifier = x.to("mps"), Verifier(classifier)
        assert classifier.device.type == "mps" and verifier.classifier.device.type == "cpu"
        own = verifier.predict(x)
        assert own.device.type == "mps" and own.tolist() == label.tolist()
        assert verifier.verified_at(x, own, -60.0, LINF).device.type == "mps"
        threat = ThreatModel(LINF, torch.full((2,), 0.001).to("mps"))
        found = verifier.verify(x, own, verifier.threat_at(x, -60.0, LINF))
        assert found.verified.tolist() == right.verified.tolist()
        assert found.verified.device.type == "mps" and found.margins.device.type == "cpu"
        assert torch.allclose(found.margins, right.margins, atol=1e-6)
        assert verifier.verify(x, own, threat).margins.device.type == "cpu"
        assert verifier.logits(x, threat).lower.device.type == "cpu"
        assert verifier.largest_level(x, own).device.type == "cpu"
        threshold = masking_threshold(x, classifier.stages["magnitude"].framing, 8_000)
        hidden = ThreatModel(MASKING, torch.full((2,), 0.01).to("mps"), threshold=threshold)
        assert verifier.verify(x, own, hidden).margins.isfinite().all()


def test_a_support_vector_machine_says_that_it_needs_the_cpu(monkeypatch):
    name = next(n for n in checkpoints.names() if "svm" in n)
    with pretended_mps(monkeypatch), pytest.raises(ValueError, match="float64, which mps has not"):
        load_classifier(name, "mps")
