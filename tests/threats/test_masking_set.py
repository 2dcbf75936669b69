"""The masking set: what is projected or sampled lies in it, also within the bounds."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rosetta import rosetta

from robustaudio.attacks import PGD
from robustaudio.audio.datasets import open_dataset
from robustaudio.classifiers.checkpoints import load_classifier
from robustaudio.perception.masking import masking_threshold
from robustaudio.representations.spectral import Framing, Magnitude
from robustaudio.threats.criterion import Misclassification
from robustaudio.threats.norms import MASKING, NORMS, norm_named
from robustaudio.threats.threat_model import UNBOUNDED, ThreatModel, threat_at

CNN = load_classifier("digits-cnn")
X, LABELS = CNN.prepare_dataset(open_dataset("bundled-digits"))
INSIDE = 1 + 1e-5
# the transform's rounding is relative to a frame's loudest bin, 100 dB above the decisive one
ROUNDED = {torch.float32: 1 + 1e-3, torch.float64: INSIDE}
FRAMINGS = {
    "cnn": Framing(unitary=True),
    "lstm": Framing(window="hamming", pre_emphasis=0.97, unitary=True),
    "overlapping": Framing(n_fft=256, hop_length=64),
}


def threat(name: str, dtype: torch.dtype, bounds=UNBOUNDED, count: int = 3) -> ThreatModel:
    x = X[:count].to(dtype)
    epsilon = torch.tensor([0.1, 1.0, 10.0, 0.5])[:count].to(dtype)
    threshold = masking_threshold(x, FRAMINGS[name], 8_000)
    return ThreatModel(MASKING, epsilon, "waveform", bounds, threshold)


def perturbations(x: torch.Tensor, kind: str, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(x.shape, generator=generator, dtype=x.dtype)
    if kind == "gradient":  # of the loss, which lies where the clip does
        z = x.float().clone().requires_grad_()
        loss = torch.nn.functional.cross_entropy(CNN(z), LABELS[: len(x)], reduction="sum")
        return 1e-2 * torch.autograd.grad(loss, z)[0].to(x)
    if kind == "click":
        return noise * (torch.arange(x.shape[1]) == 4_000 + seed % 100)
    return noise * {"tiny": 1e-9, "random": 1e-2, "huge": 1e6}[kind]


@pytest.mark.parametrize("name", FRAMINGS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@settings(max_examples=8)
@given(
    kind=st.sampled_from(["tiny", "random", "huge", "gradient", "click"]), seed=st.integers(0, 99)
)
def test_a_projection_lies_in_the_set_and_stays(name, dtype, kind, seed):
    ball = threat(name, dtype)
    norm, radius = MASKING.at(ball.threshold), ball.epsilon[:, None]
    projected = norm.project(perturbations(X[:3].to(dtype), kind, seed), radius)
    assert projected.dtype == dtype
    assert (ball.distance(projected) <= ball.epsilon * ROUNDED[dtype]).all()
    inside = projected * 0.9
    assert torch.equal(norm.project(inside, radius), inside)
    again = norm.project(projected, radius)
    assert (again - projected).norm() < 1e-2 * projected.norm() + 1e-12


@pytest.mark.parametrize("name", FRAMINGS)
@settings(max_examples=5)
@given(seed=st.integers(0, 99))
def test_a_sample_lies_in_the_set_and_touches_its_boundary(name, seed):
    ball = threat(name, torch.float64)
    generator = torch.Generator().manual_seed(seed)
    sample = ball.sample(X[:3].double(), generator) - X[:3].double()
    relative = ball.distance(sample) / ball.epsilon
    assert (relative <= INSIDE).all() and (relative > 0.99).all()


def test_a_sample_comes_near_the_threshold_where_the_clip_is_loud():
    ball = threat_at(CNN, X.double(), 0.0, MASKING, UNBOUNDED)
    sample = ball.sample(X.double(), torch.Generator().manual_seed(0)) - X.double()
    magnitude = Magnitude(ball.threshold.framing).double()(sample)
    below_db = 20 * (magnitude / ball.threshold.amplitude).log10()
    for i in range(len(X)):
        loud = ball.threshold.spectrum[i] > 1e3
        assert below_db[i][loud].median() > -15
    energy = (sample.norm(dim=1) / X.norm(dim=1)).log10() * 20
    assert energy.min() > -15  # 6 to 12 dB below the clip, and not to be heard


@pytest.mark.parametrize("name", FRAMINGS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", ["random", "huge", "gradient"])
def test_within_the_bounds_a_point_stays_in_the_set(name, dtype, kind):
    """A prepared clip peaks at 1, and clamping alone would be a click: 30 dB too much."""
    x = X[:3].to(dtype)
    ball = threat(name, dtype, bounds=(-1.0, 1.0))
    generator = torch.Generator().manual_seed(0)
    far = x + perturbations(x, kind, 0)
    for moved in (ball.project(far, x), ball.sample(x, generator)):
        assert moved.abs().max() <= 1
        # float32 samples near 1 are 6e-8 apart, the lowest bins' threshold at -20 dB is less
        slack = {torch.float32: 0.2, torch.float64: 1e-5}[dtype]
        assert (ball.distance(moved - x) <= ball.epsilon * (1 + slack)).all()
        if kind != "gradient":  # which may be small
            assert (ball.distance(moved - x) > 0.5 * ball.epsilon).all()


def test_the_steepest_step_rises_more_than_samples_of_the_set_do():
    ball = threat("cnn", torch.float64)
    x = X[:3].double()
    gradient = perturbations(x, "gradient", 0)
    steepest = ball.project(x + ball.steepest(gradient), x) - x
    rise = (gradient * steepest).sum(1)
    assert (rise > 0).all()
    for seed in range(10):
        sample = ball.sample(x, torch.Generator().manual_seed(seed)) - x
        assert (rise > 2 * (gradient * sample).sum(1)).all()


def test_every_clip_has_its_own_threshold():
    ball = threat("cnn", torch.float64, count=4)
    picked = ball[torch.tensor([2, 0])]
    assert picked.epsilon.tolist() == pytest.approx([10.0, 0.1])
    noise = perturbations(X[:4].double(), "random", 0)
    assert torch.equal(picked.distance(noise[[2, 0]]), ball.distance(noise)[[2, 0]])
    alone = threat_at(CNN, X[2:3].double(), 20.0, MASKING)
    assert torch.allclose(alone.distance(noise[2:3]), ball.distance(noise)[2:3])
    together = ball.project(X[:4].double() + noise, X[:4].double())
    apart = [
        ball[torch.tensor([i])].project(X[i : i + 1].double() + noise[i], X[i : i + 1].double())
        for i in range(4)
    ]
    assert torch.allclose(together, torch.cat(apart), atol=1e-3)


def test_levels_are_relative_to_the_threshold():
    levels = torch.tensor([-20.0, 0.0, 6.0])
    ball = threat_at(CNN, X[:3], levels, MASKING)
    assert ball.epsilon.tolist() == pytest.approx([0.1, 1.0, 1.9953], rel=1e-4)
    assert ball.threshold.framing == CNN.stages["magnitude"].framing
    doubled = ball.scaled(2.0)
    assert torch.allclose(doubled.epsilon, 2 * ball.epsilon)
    assert doubled.threshold is ball.threshold
    one = Magnitude(ball.threshold.framing)(X[:3]) / ball.threshold.amplitude
    assert torch.allclose(ball.distance(X[:3]), one.flatten(1).amax(1), rtol=1e-4)


def test_impossible_sets_are_refused():
    with pytest.raises(ValueError, match="needs the masking threshold of the clips"):
        ThreatModel(MASKING, torch.ones(1)).distance(X[:1])
    with pytest.raises(ValueError, match="of a classifier that starts with a magnitude"):
        dense = rosetta(0)
        threat_at(dense.classifier, dense.x, 0.0, MASKING)
    with pytest.raises(ValueError, match=f"no norm 'l7'; choose from {', '.join(NORMS)}"):
        norm_named("l7")
    for level in (float("nan"), 301.0):
        with pytest.raises(ValueError, match=r"must lie within \+-300 dB"):
            threat_at(CNN, X, level, MASKING)


@pytest.mark.parametrize("level_db, at_least", [(0.0, 6), (10.0, 11)])
def test_pgd_stays_in_the_set_and_fools(level_db, at_least):
    ball = threat_at(CNN, X, level_db, MASKING)
    attack, generator = PGD(steps=20), torch.Generator().manual_seed(0)
    result = attack(CNN, X, Misclassification(LABELS), ball, generator=generator)
    assert (result.distance <= ball.epsilon * (1 + 1e-2)).all()
    assert result.adversarial.abs().max() <= 1
    assert torch.equal(result.is_adversarial, CNN(result.adversarial).argmax(1) != LABELS)
    assert int(result.is_adversarial.sum()) >= at_least
