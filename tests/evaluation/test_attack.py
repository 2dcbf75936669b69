"""Attacks over clips: the smallest level is the true one, runs resume, rounding and inversion."""

import json
import math
from dataclasses import dataclass

import pytest
import torch

from robustaudio.attacks import (
    APGD,
    PGD,
    AttackResult,
    CarliniWagnerAudio,
    DeepFool,
    Psychoacoustic,
)
from robustaudio.attacks.rounding import rounded_to_16_bit
from robustaudio.audio.datasets import open_dataset
from robustaudio.certification.verify import Verifier
from robustaudio.classifiers import checkpoints
from robustaudio.evaluation import attacked_digits as page
from robustaudio.evaluation.attack import Plan, attack_clip, attack_dataset, smallest_levels
from robustaudio.evaluation.clips import generator, load_clips, predictions
from robustaudio.evaluation.svg import curves_svg
from robustaudio.threats.criterion import Misclassification
from robustaudio.threats.norms import L2, LINF, MASKING

SEVEN = 7  # a clip that digits-cnn gets right


@pytest.fixture(scope="module")
def classifier():
    return checkpoints.load_classifier("digits-cnn")


@pytest.fixture(scope="module")
def clips(classifier):
    return load_clips(classifier, open_dataset("bundled-digits"))


def wave(clips):
    return clips.waveforms[SEVEN]


@pytest.mark.parametrize("norm", [LINF, L2])
@pytest.mark.parametrize("attack", [PGD(steps=10), DeepFool(), CarliniWagnerAudio(steps=40)])
def test_the_smallest_levels_of_many_clips_break_them_and_lie_above_the_proof(
    classifier, clips, norm, attack
):
    x = clips.waveforms[:6]
    label = predictions(classifier, x)
    found = smallest_levels(
        classifier, x, Misclassification(label), Plan(attack, norm), rng=generator(0)
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
    found = smallest_levels(classifier, x, Misclassification(label), plan, rng=generator(0))
    assert found.is_adversarial.double().mean() > 0.8
    proven = Verifier(classifier, method="crown").largest_level(x, label, MASKING)
    assert (found.level_db > proven).all()


@dataclass(frozen=True)
class FailsWhenLoud:
    """Succeeds between -60 and -20 dB of a clip whose peak is 1, and nowhere else."""

    needs_threshold = False

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
    found = smallest_levels(classifier, x, criterion, Plan(FailsWhenLoud()), rng=generator(0))
    assert (found.level_db + 60).abs().max() < 0.07


def test_twelve_sections_of_one_clip_find_no_louder_level_than_bisection_of_many(classifier, clips):
    x = clips.waveforms[:4]
    label, plan = predictions(classifier, x), Plan(PGD(steps=20, random_start=False))
    together = smallest_levels(classifier, x, Misclassification(label), plan, rng=generator(0))
    for i in range(4):
        alone = smallest_levels(
            classifier, x[i : i + 1], Misclassification(label[i : i + 1]), plan, rng=generator(0)
        )
        assert -80 < float(alone.level_db) < float(together.level_db[i]) + 0.5


@pytest.mark.parametrize("smallest", [False, True])
def test_a_run_over_a_data_set_goes_on_where_it_was_killed(classifier, clips, tmp_path, smallest):
    path, plan = tmp_path / "rows.jsonl", Plan(PGD(steps=3, random_start=False))
    options = {"levels_db": [-60.0, -30.0], "targeted": False, "seed": 0, "smallest": smallest}
    whole = attack_dataset(classifier, clips, plan, path=path, **options)
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:5]) + "\n" + lines[5][:9])
    again = attack_dataset(classifier, clips, plan, path=path, **options)
    assert json.dumps(again["levels"]) == json.dumps(whole["levels"])
    with pytest.raises(ValueError, match="holds another run"):
        attack_dataset(classifier, clips, Plan(PGD(steps=4)), path=path, **options)


def test_the_curve_of_the_smallest_levels_rises_and_its_median_is_that_of_the_clips(
    classifier, clips
):
    record = attack_dataset(
        classifier, clips, Plan(PGD(steps=10)),
        levels_db=[-80.0, -50.0, -30.0, 0.0], targeted=False, seed=0, smallest=True,
    )  # fmt: skip
    rates = [level["success_rate"] for level in record["levels"]]
    assert rates == sorted(rates) and rates[0] == 0 and rates[-1] == record["success_rate"] == 1
    assert -60 < record["median_smallest_db"] < -20
    assert record["median_level_db"] == pytest.approx(record["median_smallest_db"], abs=0.01)


def test_what_survives_rounding_by_request_does_so_where_the_plain_attack_fails(classifier, clips):
    quiet = (rounded_to_16_bit(wave(clips)[None] / 64) * 64)[0]  # only 512 steps high
    options = {"level_db": -48.0, "target": None, "seed": 0}
    plan = Plan(CarliniWagnerAudio(steps=60), survive_rounding=True)
    result = attack_clip(classifier, quiet, plan, **options)
    assert result.success and result.success_after_rounding
    assert result.survive_rounding is True


@pytest.mark.parametrize("representation", ["magnitude", "mel"])
def test_an_attack_at_a_representation_is_heard_by_its_inversion(classifier, clips, representation):
    plan = Plan(PGD(steps=5), representation=representation)
    result = attack_clip(classifier, wave(clips), plan, level_db=-20, target=None, seed=0)
    assert result.representation == representation
    assert result.perturbed.shape == result.clean.shape
    assert result.difference.l2 > 0
    for plan in (
        Plan(PGD(), representation=representation, survive_rounding=True),
        Plan(Psychoacoustic(), representation=representation),
    ):
        with pytest.raises(ValueError, match="are of a waveform, not of"):
            attack_clip(classifier, wave(clips), plan, level_db=-20, target=None, seed=0)


def test_an_attack_beyond_every_sound_is_refused(classifier, clips):
    plan = Plan(PGD(steps=1), representation=classifier.representations[-1])
    with pytest.raises(ValueError, match="cannot be brought back to sound"):
        attack_clip(classifier, wave(clips), plan, level_db=-20, target=None, seed=0)
    with pytest.raises(ValueError, match="the masking set is one of waveforms"):
        plan = Plan(PGD(), MASKING, "mel")
        attack_clip(classifier, wave(clips), plan, level_db=0, target=None, seed=0)


def test_progress_tells_loss_and_level(classifier, clips):
    told = []
    plan = Plan(PGD(steps=5, random_start=False))
    result = attack_clip(
        classifier, wave(clips), plan, level_db=-90, target=None, seed=0,
        progress=lambda share, step=None: told.append((share, step)),
    )  # fmt: skip
    assert [step.loss for _, step in told] == [step.loss for step in result.course]
    levels = [step.level_db for _, step in told]
    assert levels == [step.level_db for step in result.course]
    # five steps of a tenth of epsilon: half of it, 6.02 dB less
    assert levels[0] is None and max(levels[1:]) == pytest.approx(-96.02, abs=0.01)


def test_the_psychoacoustic_attack_hides_better_than_noise_of_its_energy(classifier, clips):
    plan = Plan(Psychoacoustic(steps=60, hiding_steps=120))
    result = attack_clip(classifier, wave(clips), plan, level_db=0, target=None, seed=0)
    loud = attack_clip(
        classifier, wave(clips), Plan(PGD()), level_db=-40, target=None, seed=0
    ).difference
    assert result.success
    hidden = result.difference
    assert hidden.max_noise_to_mask_db < loud.max_noise_to_mask_db - 15
    assert hidden.snr_db < loud.snr_db  # although it is louder


def test_curves_go_where_their_numbers_are():
    drawing = curves_svg({"a & b": [(-80.0, 0.0), (0.0, 100.0)]}, "x", "y")
    assert "a &amp; b" in drawing and drawing.count("<polyline") == 1


def test_the_page_of_a_small_run(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "KEPT", tmp_path / "kept")
    monkeypatch.setattr(page, "CLASSIFIERS", ("digits-lstm",))
    monkeypatch.setattr(page, "TARGETED", ("digits-lstm",))
    plans = {
        "PGD, linf": Plan(PGD(steps=5)),
        "APGD (CE), linf": Plan(APGD(steps=5)),
        "DeepFool, l2": Plan(DeepFool(), L2),
    }
    monkeypatch.setattr(page, "PLANS", plans)
    monkeypatch.setattr(page, "TARGETED_PLANS", {"PGD, linf": plans["PGD, linf"]})
    bundled = open_dataset("bundled-digits")
    monkeypatch.setattr(page, "open_dataset", lambda name: Test(bundled))
    record = page.attacked_digits(tmp_path / "attacks.md", limit=3, log=lambda line: None)
    text = (tmp_path / "attacks.md").read_text()
    for part in (
        "## digits-lstm",
        "| PGD, linf |",
        "Towards a random target",
        "APGD against PGD",
        "contradicted",
    ):
        assert part in text
    gap = record["sandwich"]["digits-lstm"]["linf"]
    assert gap["contradicted"] == 0 and 0 < gap["smallest_gap_db"] <= gap["median_gap_db"]
    assert not math.isnan(record["untargeted"]["digits-lstm"]["PGD, linf"]["median_snr_db"])
    kept = sorted((tmp_path / "kept").rglob("*.json"))
    times = [path.stat().st_mtime_ns for path in kept]
    page.attacked_digits(tmp_path / "attacks.md", limit=3, log=lambda line: None)
    assert len(kept) == 4 and times == [path.stat().st_mtime_ns for path in kept]


class Test:
    """The bundled clips as a test split."""

    __test__ = False

    def __init__(self, dataset):
        self.dataset = dataset

    def select(self, split, limit):
        return self.dataset.select("bundled", limit)
