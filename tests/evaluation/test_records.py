"""Records: levels mean what they say, the smallest level is one, the ruler is in order."""

import math
from dataclasses import dataclass, replace

import pytest
import torch
from rosetta import rosetta

from robustaudio.attacks import PGD, AttackResult
from robustaudio.attacks.rounding import rounded_to_16_bit
from robustaudio.audio.clip import Clip
from robustaudio.audio.datasets import open_dataset
from robustaudio.certification.smoothing import Smoothing
from robustaudio.classifiers import checkpoints
from robustaudio.evaluation import figures
from robustaudio.evaluation.attack import Plan, attack_clip, attack_dataset, smallest_level
from robustaudio.evaluation.certify import certify_clip, certify_dataset
from robustaudio.evaluation.clips import LabelledClips, load_clips
from robustaudio.evaluation.comparison import compare
from robustaudio.evaluation.noise import noise_clip
from robustaudio.evaluation.report import save_perturbed
from robustaudio.evaluation.results import to_json
from robustaudio.evaluation.ruler import measure_ruler
from robustaudio.evaluation.verify import (
    noise_under_threshold,
    verify_clip,
    verify_dataset,
)
from robustaudio.perception import levels
from robustaudio.threats.norms import L2, LINF, MASKING


@pytest.fixture(scope="module")
def classifier():
    return checkpoints.load_classifier("digits-cnn")


@pytest.fixture(scope="module")
def clips(classifier):
    return load_clips(classifier, open_dataset("bundled-digits"))


@pytest.mark.parametrize("norm, key, sign", [(LINF, "level_db", 1), (L2, "snr_db", -1)])
@pytest.mark.parametrize("level_db", [-60.0, -20.0])
def test_an_attack_stays_at_its_level_in_its_own_decibels(
    classifier, clips, norm, key, sign, level_db
):
    result = attack_clip(
        classifier, clips.waveforms[0], Plan(PGD(), norm), level_db=level_db, target=None, seed=0
    )
    assert sign * getattr(result.difference, key) <= level_db + 1e-3


def test_levels_by_hand():
    clean = torch.tensor([[0.5, -0.25, 0.0]])
    delta = torch.tensor([[0.05, 0.0, 0.0]])
    assert levels.level_db(delta, clean).item() == pytest.approx(-20, abs=1e-4)
    assert levels.snr_db(delta, clean).item() == pytest.approx(
        10 * math.log10((0.25 + 0.0625) / 0.0025), abs=1e-4
    )
    assert levels.snr_db(3 * delta, 3 * clean) == pytest.approx(levels.snr_db(delta, clean))
    assert levels.floor_16_bit_db(torch.tensor([1.0])) == pytest.approx(-90.309, abs=1e-3)
    for norm in (LINF, L2):
        epsilon = norm.epsilon(-37.0, clean)
        assert norm.level_db(float(epsilon), clean[0]) == pytest.approx(-37, abs=1e-4)


def test_the_smallest_level_breaks_and_a_little_less_was_not_found_to(classifier, clips):
    waveform = clips.waveforms[7]
    level = smallest_level(classifier, waveform, Plan(PGD()), seed=0)
    assert -80 < level < -20
    at = attack_clip(
        classifier, waveform, Plan(PGD(restarts=4)), level_db=level + 1, target=None, seed=1
    )
    assert at.success


def test_an_attack_that_never_succeeds_has_no_smallest_level(clips):
    class Certain(torch.nn.Module):
        def split(self, representation):
            return torch.nn.Sequential(), self

        def forward(self, x):
            return torch.eye(3)[0] + 0 * x[:, :3]

    level = smallest_level(Certain(), clips.waveforms[0], Plan(PGD(steps=2), L2), seed=0)
    assert level == math.inf


def test_rounding_to_16_bit_is_what_a_16_bit_file_does(tmp_path, clips):
    waveform = clips.waveforms[0] * 0.999
    Clip(waveform, 8_000).save(tmp_path / "a.wav", "PCM_16")
    read = Clip.load(tmp_path / "a.wav").samples
    assert (read - rounded_to_16_bit(waveform[None])[0]).abs().max() <= levels.STEP_16_BIT


def test_a_perturbation_below_half_a_step_does_not_survive_rounding(classifier, clips):
    waveform = rounded_to_16_bit(clips.waveforms[:1] * 0.9)[0]
    tiny = waveform + 0.3 * levels.STEP_16_BIT * torch.ones_like(waveform)
    assert torch.equal(rounded_to_16_bit(tiny[None])[0], waveform)


@pytest.mark.parametrize("name", checkpoints.names(task="digits"))
def test_the_ruler_is_in_order_for_every_classifier(name):
    classifier = checkpoints.load_classifier(name)
    waveform = load_clips(classifier, open_dataset("bundled-digits")).waveforms[7]
    shares = []
    ruler = measure_ruler(
        classifier,
        waveform,
        smoothing=Smoothing(n=200),
        seed=0,
        progress=lambda share, step=None: shares.append(share),
    )
    verified_db, attacked_db = ruler.level_db("verified"), ruler.level_db("attacked")
    assert attacked_db is not None
    assert verified_db is None or verified_db < attacked_db
    for norm in (L2, MASKING):
        level_db = ruler.level_db("verified", norm)
        at = verify_clip(classifier, waveform, norm=norm, level_db=level_db, method=ruler.method)
        assert at.verified and at.largest_level_db == level_db
    assert shares == sorted(shares) and shares[-1] <= 1


def test_a_classifier_without_a_magnitude_has_no_masking_mark():
    case = rosetta(0)
    ruler = measure_ruler(case.classifier, case.x[0], smoothing=Smoothing(n=50, n0=10))
    assert ruler.norms == (LINF, L2)
    assert ruler.level_db("verified", MASKING) is None
    for norm in (LINF, L2):
        true_db = norm.level_db(float(case.radius(norm)[0]), case.x[0])
        assert true_db - 0.1 < ruler.level_db("verified", norm) <= true_db


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
    at = {"level_db": -60.0}
    assert verify_clip(classifier, clips.waveforms[7], norm=LINF, **at).masking is None
    result = verify_clip(classifier, clips.waveforms[7], norm=MASKING, method="crown", **at)
    framing = classifier.stages["magnitude"].framing
    assert result.duration_s == 1.0 and result.method == "crown"
    assert to_json(result.masking) == {
        "assumed_peak_spl_db": 96.0, "frame_ms": framing.n_fft / 8,
        "hop_ms": framing.hop_length / 8, "pre_emphasis": framing.pre_emphasis,
    }  # fmt: skip


def test_noise_of_sigma_zero_changes_nothing(classifier, clips):
    for representation in ("waveform", "magnitude", "mel"):
        result = noise_clip(
            classifier, clips.waveforms[0], representation=representation, sigma=0.0, seed=0
        )
        assert result.perturbation.abs().max() < 1e-5
        assert result.clean_prediction == result.prediction


def test_noise_has_the_size_that_sigma_says(classifier, clips):
    result = noise_clip(
        classifier, clips.waveforms[0], representation="waveform", sigma=0.1, seed=0
    )
    assert result.perturbation.std().item() == pytest.approx(0.1, rel=0.05)


def test_certified_accuracy_falls_with_the_radius(clips):
    classifier = checkpoints.load_classifier("digits-cnn-noise")
    some = load_clips(classifier, open_dataset("bundled-digits").select("bundled", 4))
    record = certify_dataset(
        classifier, some, Smoothing(n=300), representation="waveform",
        radii=(0.0, 0.1, 0.3, 9.0), seed=0,
    )  # fmt: skip
    shares = [radius["certified_accuracy"] for radius in record["radii"]]
    assert shares == sorted(shares, reverse=True) and shares[-1] == 0 < shares[0]


def test_figures_share_one_scale_and_stay_small(clips):
    clean = clips.waveforms[0]
    quiet = figures.spectrogram(0.01 * clean, clean, 8_000, title="quiet")
    loud = figures.spectrogram(clean, clean, 8_000, title="loud")
    assert loud.data[0].z.max() == pytest.approx(0, abs=0.1)
    assert quiet.data[0].z.max() == pytest.approx(-40, abs=0.2)
    assert quiet.data[0].zmin == loud.data[0].zmin and quiet.data[0].zmax == loud.data[0].zmax
    wave = figures.waveforms(clean, clean, 8_000)
    assert all(len(trace.x) <= figures.MAX_POINTS for trace in wave.data)
    assert max(wave.data[0].y) == pytest.approx(float(clean.max()))


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


def scripted(says: list[int], labels: list[int], attack: Scripted, *, targeted: bool) -> dict:
    waveforms = torch.eye(3)[torch.tensor(says)]
    data = LabelledClips(
        "made", "test", waveforms, torch.tensor(labels), tuple(map(str, range(len(labels))))
    )
    options = {"levels_db": [-20.0], "targeted": targeted, "seed": 0}
    return attack_dataset(Reader(), data, Plan(attack), **options)


def test_shares_of_an_attack_by_hand():
    """Clean a b c a, labels a b b c, attacked a a b c: one right, one broken, and two that were
    wrong before and are right now: they count for nobody."""
    attack = Scripted((0, 0, 1, 2))
    record = scripted([0, 1, 2, 0], [0, 1, 1, 2], attack, targeted=False)
    assert record["clean_accuracy"] == 0.5
    shares = {"level_db": -20.0, "success_rate": 0.5, "robust_accuracy": 0.25}
    shares |= {"success_of_sound": 0.5, "success_after_rounding": 0.5}
    assert record["levels"] == [shares]


def test_a_clip_that_is_at_its_target_already_is_not_a_success():
    says, labels = [1, 2] * 20, [0] * 40
    record = scripted(says, labels, Scripted(), targeted=True)
    assert record["levels"][0]["success_rate"] == 1.0
    record = scripted(says, labels, Scripted(tuple(says)), targeted=True)
    assert record["levels"][0]["success_rate"] == 0.0


def one_label_wrong(classifier) -> LabelledClips:
    some = load_clips(classifier, open_dataset("bundled-digits").select("bundled", 4))
    labels = some.labels.clone()
    labels[0] = (labels[0] + 1) % 10
    return replace(some, labels=labels)


def test_provability_is_of_the_correct_clips_and_verified_accuracy_of_all():
    classifier = checkpoints.load_classifier("digits-cnn-ibp")
    record = verify_dataset(classifier, one_label_wrong(classifier), norm=LINF, levels_db=[-140.0])
    assert record["clean_accuracy"] == 0.75
    (level,) = record["levels"]
    assert (level["verified_accuracy"], level["provability"]) == (0.75, 1.0)


def test_a_certificate_of_the_wrong_label_counts_for_nothing():
    classifier = checkpoints.load_classifier("digits-cnn-noise")
    record = certify_dataset(
        classifier, one_label_wrong(classifier), Smoothing(n=200),
        representation="waveform", radii=(0.0,), seed=0,
    )  # fmt: skip
    assert record["abstained"] == 0
    assert record["radii"] == [{"radius": 0.0, "certified_accuracy": 0.75}]
    with pytest.raises(ValueError, match="must be 0 or more"):
        certify_dataset(
            classifier, one_label_wrong(classifier), Smoothing(n=20),
            representation="waveform", radii=(-1.0,), seed=0,
        )  # fmt: skip


def test_the_levels_of_a_radius_by_hand(clips):
    classifier, x = checkpoints.load_classifier("digits-cnn-noise"), clips.waveforms[0]
    result = certify_clip(classifier, x, Smoothing(n=100), representation="waveform", seed=0)
    radius, peak, size = result.radius, float(x.abs().max()), float(x.norm())
    assert result.level_l2_db == pytest.approx(20 * math.log10(radius / size), abs=1e-4)
    inscribed = radius / math.sqrt(8_000)
    assert result.level_linf_db == pytest.approx(20 * math.log10(inscribed / peak), abs=1e-4)


class Fine(torch.nn.Module):
    """Tells apart what a 16-bit file cannot hold."""

    name, labels, sample_rate = "fine", ("a", "b"), 8_000

    def forward(self, x):
        return torch.stack([0 * x[:, 1], x[:, 1] - 0.2 * levels.STEP_16_BIT], 1)

    def probabilities(self, x):
        return self(x).softmax(-1)


@pytest.mark.parametrize("steps, survives", [(0.3, False), (1.0, True)])
def test_success_after_rounding_is_that_of_the_rounded_clip(steps, survives):
    perturbed = torch.tensor([0.5, steps * levels.STEP_16_BIT])
    result = compare(Fine(), torch.tensor([0.5, 0.0]), perturbed)
    assert result.prediction == "b"
    assert result.success_after_rounding is survives
    assert result.prediction_after_rounding == ("b" if survives else "a")


def test_worst_logits_are_negative_where_something_is_proven(clips):
    classifier = checkpoints.load_classifier("digits-cnn-ibp")
    result = verify_clip(classifier, clips.waveforms[7], norm=LINF, level_db=-80)
    rivals = {k: v for k, v in result.worst_logits.items() if k != result.prediction}
    assert result.verified and max(rivals.values()) < 0


@pytest.mark.parametrize("subtype", ["FLOAT", "PCM_24"])
def test_the_file_of_a_loud_noise_is_what_was_classified(clips, classifier, tmp_path, subtype):
    clip = Clip(clips.waveforms[3], 8_000, "three", gain=1.0)
    for seed in range(3):
        result = noise_clip(
            classifier, clip.samples, representation="waveform", sigma=0.3, seed=seed
        )
        path = tmp_path / "loud.wav"
        saved = save_perturbed(classifier, clip, result, path, subtype)
        assert saved["headroom_gain_db"] < 0
        again = classifier.prepare(Clip.load(path)).samples
        assert (again - result.perturbed).abs().max() <= (0 if subtype == "FLOAT" else 2.0**-21)
        assert saved["prediction_of_file"] == result.prediction
