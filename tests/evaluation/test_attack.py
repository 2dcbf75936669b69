"""Attacks on batches: levels, shares, rounding, representations, and what progress says."""

from dataclasses import dataclass

import pytest
import torch

from robustaudio.attacks import PGD, AttackResult, CarliniWagnerAudio, Psychoacoustic
from robustaudio.audio.sixteen_bit import rounded_to_16_bit
from robustaudio.evaluation.attack import Attacking, AttackLevels, Plan, attack, attack_levels
from robustaudio.evaluation.batch import LabelledBatch
from robustaudio.evaluation.engine import measure_clip, run
from robustaudio.evaluation.results import to_json
from robustaudio.evaluation.smallest import SmallestLevels, attack_smallest
from robustaudio.threats.norms import L2, LINF, MASKING

SEVEN = 7  # a clip that digits-cnn gets right


def wave(clips):
    return clips.waveforms[SEVEN]


@pytest.mark.parametrize("norm, key, sign", [(LINF, "level_db", 1), (L2, "snr_db", -1)])
@pytest.mark.parametrize("level_db", [-60.0, -20.0])
def test_an_attack_stays_at_its_level_in_its_own_decibels(
    classifier, clips, norm, key, sign, level_db
):
    result = measure_clip(
        attack, classifier, clips.waveforms[0], Attacking(Plan(PGD(), norm), level_db)
    )
    assert sign * getattr(result.difference, key) <= level_db + 1e-3


@pytest.mark.parametrize("smallest", [False, True])
def test_a_run_over_a_data_set_goes_on_where_it_was_killed(classifier, clips, tmp_path, smallest):
    path, plan = tmp_path / "rows.jsonl", Plan(PGD(steps=3, random_start=False))
    kind, measure = (SmallestLevels, attack_smallest) if smallest else (AttackLevels, attack_levels)
    asked = kind(plan, (-60.0, -30.0))
    whole = asked.summary(run(measure, classifier, clips, asked, rows=path))
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:5]) + "\n" + lines[5][:9])
    again = asked.summary(run(measure, classifier, clips, asked, rows=path))
    assert again.levels == whole.levels
    with pytest.raises(ValueError, match="holds another run"):
        other = kind(Plan(PGD(steps=4)), (-60.0, -30.0))
        run(measure, classifier, clips, other, rows=path)


def test_what_survives_rounding_by_request_does_so_where_the_plain_attack_fails(classifier, clips):
    quiet = (rounded_to_16_bit(wave(clips)[None] / 64) * 64)[0]  # only 512 steps high
    plan = Plan(CarliniWagnerAudio(steps=60), survive_rounding=True)
    result = measure_clip(attack, classifier, quiet, Attacking(plan, -48.0))
    assert result.success and result.success_after_rounding
    assert result.survive_rounding is True


@pytest.mark.parametrize("representation", ["magnitude", "mel"])
def test_an_attack_at_a_representation_is_heard_by_its_inversion(classifier, clips, representation):
    plan = Plan(PGD(steps=5), representation=representation)
    result = measure_clip(attack, classifier, wave(clips), Attacking(plan, -20))
    assert result.representation == representation
    assert result.perturbed.shape == result.clean.shape
    assert result.difference.l2 > 0
    for plan in (
        Plan(PGD(), representation=representation, survive_rounding=True),
        Plan(Psychoacoustic(), representation=representation),
    ):
        with pytest.raises(ValueError, match="are of a waveform, not of"):
            measure_clip(attack, classifier, wave(clips), Attacking(plan, -20))


def test_an_attack_beyond_every_sound_is_refused(classifier, clips):
    plan = Plan(PGD(steps=1), representation=classifier.representations[-1])
    with pytest.raises(ValueError, match="cannot be brought back to sound"):
        measure_clip(attack, classifier, wave(clips), Attacking(plan, -20))
    with pytest.raises(ValueError, match="the masking set is one of waveforms"):
        plan = Plan(PGD(), MASKING, "mel")
        measure_clip(attack, classifier, wave(clips), Attacking(plan, 0))


def test_progress_tells_loss_and_level(classifier, clips):
    told = []
    plan = Plan(PGD(steps=5, random_start=False))
    result = measure_clip(
        attack,
        classifier,
        wave(clips),
        Attacking(plan, -90),
        progress=lambda share, step=None: told.append((share, step)),
    )
    assert [step.loss for _, step in told] == [step.loss for step in result.course]
    levels = [step.level_db for _, step in told]
    assert levels == [step.level_db for step in result.course]
    # five steps of a tenth of epsilon: half of it, 6.02 dB less
    assert levels[0] is None and max(levels[1:]) == pytest.approx(-96.02, abs=0.01)


def test_the_psychoacoustic_attack_hides_better_than_noise_of_its_energy(classifier, clips):
    plan = Plan(Psychoacoustic(steps=60, hiding_steps=120))
    result = measure_clip(attack, classifier, wave(clips), Attacking(plan, 0))
    loud = measure_clip(attack, classifier, wave(clips), Attacking(Plan(PGD()), -40)).difference
    assert result.success
    hidden = result.difference
    assert hidden.max_noise_to_mask_db < loud.max_noise_to_mask_db - 15
    assert hidden.snr_db < loud.snr_db  # although it is louder


class Reader(torch.nn.Module):
    """Says which sample of the clip is the largest."""

    name, labels, sha256, sample_rate = "reader", ("a", "b", "c"), "", 8_000

    def split(self, representation):
        return torch.nn.Sequential(), self

    def forward(self, x):
        return x


@dataclass(frozen=True)
class Scripted:
    """An attack whose outcome is known; without a script it reaches every target."""

    needs_threshold = False

    after: tuple[int, ...] = ()

    def __call__(self, model, x, criterion, threat, *, generator, progress=None):
        after = torch.tensor(self.after) if self.after else criterion.target
        nothing = torch.zeros(len(x))
        reached = torch.eye(3)[after]
        return AttackResult(x, reached, nothing > 0, nothing, nothing.long(), ())


def scripted(says: list[int], labels: list[int], attack: Scripted, *, targeted: bool):
    batch = LabelledBatch(
        dataset="made", split="test", waveforms=torch.eye(3)[torch.tensor(says)],
        labels=torch.tensor(labels), names=tuple(map(str, range(len(labels)))),
    )  # fmt: skip
    asked = AttackLevels(Plan(attack), (-20.0,), targeted)
    return asked.summary(run(attack_levels, Reader(), batch, asked))


def test_shares_of_an_attack_by_hand():
    """Clean a b c a, labels a b b c, attacked a a b c: one right, one broken, and two that were
    wrong before and are right now: they count for nobody."""
    attack = Scripted((0, 0, 1, 2))
    summary = scripted([0, 1, 2, 0], [0, 1, 1, 2], attack, targeted=False)
    assert summary.clean_accuracy == 0.5
    shares = {"level_db": -20.0, "success_rate": 0.5, "robust_accuracy": 0.25}
    shares |= {"success_of_sound": 0.5, "success_after_rounding": 0.5}
    assert [to_json(level) for level in summary.levels] == [shares]


def test_a_clip_that_is_at_its_target_already_is_not_a_success():
    says, labels = [1, 2] * 20, [0] * 40
    summary = scripted(says, labels, Scripted(), targeted=True)
    assert summary.levels[0].success_rate == 1.0
    summary = scripted(says, labels, Scripted(tuple(says)), targeted=True)
    assert summary.levels[0].success_rate == 0.0
