"""The smallest level that succeeds: it breaks a clip, and lies above what is proven."""

import math
from dataclasses import dataclass

import pytest
import torch

from robustaudio.attacks import PGD, AttackResult, CarliniWagnerAudio, DeepFool, Psychoacoustic
from robustaudio.audio.draws import Generators
from robustaudio.certification.verify import Verifier
from robustaudio.classifiers import checkpoints
from robustaudio.evaluation.attack import Attacking, Plan, attack
from robustaudio.evaluation.batch import generator, predictions
from robustaudio.evaluation.engine import measure_clip, run
from robustaudio.evaluation.smallest import (
    FEW_CLIPS,
    MANY_CLIPS,
    SmallestLevels,
    attack_smallest,
    changing_levels,
    smallest_levels,
)
from robustaudio.evaluation.verify import VerifyLevels, verify_levels
from robustaudio.perception.masking import masking_threshold
from robustaudio.threats import threat_model
from robustaudio.threats.criterion import Misclassification
from robustaudio.threats.norms import L2, LINF, MASKING


def sources(count: int) -> Generators:
    return Generators(tuple(generator(seed) for seed in range(count)))


def test_the_smallest_level_breaks_and_a_little_less_was_not_found_to(classifier, clips):
    waveform = clips.waveforms[7]
    level = measure_clip(changing_levels, classifier, waveform, Plan(PGD()))
    assert -80 < level < -20
    at = measure_clip(
        attack, classifier, waveform, Attacking(Plan(PGD(restarts=4)), level + 1), seed=1
    )
    assert at.success


def test_an_attack_that_never_succeeds_has_no_smallest_level(clips):
    class Certain(torch.nn.Module):
        def split(self, representation):
            return torch.nn.Sequential(), self

        def forward(self, x):
            return torch.eye(3)[0] + 0 * x[:, :3]

    level = measure_clip(changing_levels, Certain(), clips.waveforms[0], Plan(PGD(steps=2), L2))
    assert level == math.inf


@pytest.mark.parametrize("norm", [LINF, L2])
@pytest.mark.parametrize("attack", [PGD(steps=10), DeepFool(), CarliniWagnerAudio(steps=40)])
def test_the_smallest_levels_of_many_clips_break_them_and_lie_above_the_proof(
    classifier, clips, norm, attack
):
    x = clips.waveforms[:6]
    label = predictions(classifier, x)
    found = smallest_levels(
        classifier, x, Misclassification(label), Plan(attack, norm), generator=sources(len(x))
    )
    assert found.is_adversarial.any()
    changed = predictions(classifier, found.adversarial) != label
    assert torch.equal(changed, found.is_adversarial)
    proven = Verifier(classifier, method="crown").largest_level(x, label, norm)
    assert (found.level_db > proven).all()


@pytest.mark.parametrize("name", ["digits-cnn", "digits-lstm"])  # without pre-emphasis, and with
def test_the_psychoacoustic_attack_lies_above_the_proof_on_the_classifiers_own_frames(name, clips):
    classifier, x = checkpoints.load_classifier(name), clips.waveforms[:6]
    label, plan = predictions(classifier, x), Plan(Psychoacoustic(60, 60), MASKING)
    found = smallest_levels(
        classifier, x, Misclassification(label), plan, generator=sources(len(x))
    )
    assert found.is_adversarial.double().mean() > 0.8
    proven = Verifier(classifier, method="crown").largest_level(x, label, MASKING)
    assert (found.level_db > proven).all()


@dataclass(frozen=True)
class FailsWhenLoud:
    """Succeeds between -60 and -20 dB of a clip whose peak is 1, and nowhere else."""

    needs_threshold = minimises = False

    def __call__(self, model, x, criterion, threat, *, generator, progress=None):
        size = threat.epsilon.to(x)
        found = (size > 0.001) & (size < 0.1)
        return AttackResult(x, x + size[:, None], found, size, torch.ones(len(x)).long(), ())


@pytest.mark.parametrize("count", [1, 4])
def test_an_attack_that_fails_when_it_may_be_loud_is_not_taken_for_a_failure(
    classifier, clips, count
):
    x = clips.waveforms[:count]
    criterion = Misclassification(predictions(classifier, x))
    search = FEW_CLIPS if count == 1 else MANY_CLIPS
    found = smallest_levels(
        classifier, x, criterion, Plan(FailsWhenLoud()), generator=sources(count), search=search
    )
    assert (found.level_db + 60).abs().max() < 0.07


def test_twelve_sections_of_one_clip_find_no_louder_level_than_bisection_of_many(classifier, clips):
    x = clips.waveforms[:4]
    label, plan = predictions(classifier, x), Plan(PGD(steps=20, random_start=False))
    together = smallest_levels(classifier, x, Misclassification(label), plan, generator=sources(4))
    for i in range(4):
        alone = smallest_levels(
            classifier, x[i : i + 1], Misclassification(label[i : i + 1]), plan,
            generator=sources(1), search=FEW_CLIPS,
        )  # fmt: skip
        assert -80 < float(alone.level_db) < float(together.level_db[i]) + 0.5


def test_the_curve_of_the_smallest_levels_rises_and_its_median_is_that_of_the_clips(
    classifier, clips
):
    asked = SmallestLevels(Plan(PGD(steps=10)), (-80.0, -50.0, -30.0, 0.0))
    summary = asked.summary(run(attack_smallest, classifier, clips, asked))
    rates = [level.success_rate for level in summary.levels]
    assert rates == sorted(rates) and rates[0] == 0 and rates[-1] == summary.success_rate == 1
    assert -60 < summary.median_smallest_db < -20
    assert summary.median_level_db == pytest.approx(summary.median_smallest_db, abs=0.01)


def test_the_masking_threshold_is_measured_once_for_all_levels(classifier, clips, monkeypatch):
    measured = []
    monkeypatch.setattr(
        threat_model, "masking_threshold", lambda *a: measured.append(a) or masking_threshold(*a)
    )
    measure_clip(changing_levels, classifier, clips.waveforms[7], Plan(PGD(steps=2), MASKING))
    assert len(measured) == 1
    run(verify_levels, classifier, clips[[0, 1]], VerifyLevels(MASKING, (-24.0, -12.0, 0.0)))
    assert len(measured) == 2
