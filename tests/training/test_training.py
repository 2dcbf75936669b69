"""Training: bounds are minimised, seeds repeat, augmentation keeps the gain policy."""

import pytest
import torch

from robustaudio.certification.verify import Verifier
from robustaudio.classifiers.architecture import Architecture
from robustaudio.classifiers.networks import Network
from robustaudio.classifiers.stages import LogMelStages
from robustaudio.evaluation.batch import predictions
from robustaudio.representations.spectral import Framing, MelScale
from robustaudio.threats.norms import LINF
from robustaudio.training.loop import Schedule, augmented, train
from robustaudio.training.objectives import Plain, UnderNoise, WorstCase
from robustaudio.training.recipes import RECIPES, run

TONES = (500, 1_500, 3_000)  # Hz


def architecture(network: str = "cnn") -> Architecture:
    return Architecture(
        tuple("abc"), 8_000, 4_000,
        LogMelStages(Framing(n_fft=128, hop_length=80, unitary=True), MelScale(n_mels=8)),
        Network.of_kind(network)(width=12),
    )  # fmt: skip


def tones(count: int = 48, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """A task that a small network learns in seconds: which of three tones."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(count) % 3
    time_s = torch.arange(4_000) / 8_000
    phase = torch.rand(count, 1, generator=generator) * 6.28
    x = torch.sin(2 * torch.pi * torch.tensor(TONES)[y][:, None] * time_s + phase)
    return x / x.abs().amax(1, keepdim=True), y


def trained(objective, network="cnn", epochs=12, seed=0):
    torch.manual_seed(seed)
    x, y = tones()
    schedule = Schedule(epochs=epochs, batch=16, learning_rate=5e-3, max_shift_s=0.02)
    classifier = architecture(network).build()
    generator = torch.Generator().manual_seed(seed)
    return train(classifier, x, y, objective, schedule, generator=generator)


@pytest.mark.parametrize("network", ["cnn", "deep_cnn", "lstm"])
def test_every_network_learns_a_simple_task(network):
    x, y = tones(seed=1)
    assert (predictions(trained(Plain(), network, epochs=20), x) == y).float().mean() > 0.9


def test_worst_case_training_proves_what_plain_training_does_not():
    x, y = tones(seed=1)
    shares = []
    for objective in (Plain(), WorstCase(-40.0, ramp="epsilon")):
        verifier = Verifier(trained(objective, epochs=30))
        level = torch.full((len(y),), -45.0)
        shares.append(verifier.verified_at(x, y, level, LINF).float().mean())
    assert shares[1] > 0.9 > shares[0]


def test_noise_training_hears_through_noise():
    x, y = tones(seed=1)
    noisy = x + 1.0 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    plain, hardened = (
        (predictions(trained(objective, epochs=20), noisy) == y).float().mean()
        for objective in (Plain(), UnderNoise(1.0))
    )
    assert hardened > 0.9 and hardened > plain


def test_equal_seeds_give_equal_weights():
    first, second, third = (trained(Plain(), epochs=1, seed=seed) for seed in (1, 1, 2))
    weights = [c.network[0].weight for c in (first, second, third)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


def test_the_level_rises_in_decibels_or_in_epsilon():
    in_db = WorstCase(-60.0, start_db=-200.0, ramp_from=0.0, ramp_until=0.5)
    assert in_db.epsilon(0.25) == pytest.approx(10 ** (-130 / 20))
    assert in_db.epsilon(1.0) == pytest.approx(10 ** (-60 / 20))
    linear = WorstCase(-60.0, ramp="epsilon", ramp_from=0.0, ramp_until=0.5)
    assert linear.epsilon(0.25) == pytest.approx(0.5 * 10 ** (-60 / 20))


def test_augmented_clips_keep_a_peak_of_one_and_move():
    x, _ = tones(8)
    schedule = Schedule(max_shift_s=0.1, max_tempo=0.1)
    moved = augmented(x, 8_000, schedule, torch.Generator().manual_seed(0))
    assert moved.shape == x.shape and not torch.allclose(moved, x)
    assert torch.allclose(moved.abs().amax(1), torch.ones(8), atol=1e-5)
    still = augmented(x, 8_000, Schedule(max_shift_s=0.0), torch.Generator().manual_seed(0))
    assert torch.allclose(still, x, atol=1e-6)


def test_a_recipe_without_its_data_says_which_command_brings_it(monkeypatch, tmp_path):
    monkeypatch.setenv("ROBUSTAUDIO_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(ValueError, match="python -m robustaudio download fsdd"):
        run(RECIPES["digits-cnn"], tmp_path)
