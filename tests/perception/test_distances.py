"""Distances on cases with a known answer, and on what is short, silent or unchanged."""

import math
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from robustaudio.audio.datasets import open_dataset
from robustaudio.perception import levels
from robustaudio.perception.distances import (
    Distances,
    distances,
    log_spectral_distance_db,
    perceptual_distance,
    si_sdr_db,
)

RATE = 8_000
TWICE_DB = 20 * math.log10(2)
KEYS = [
    "l2", "linf", "level_db", "snr_db", "si_sdr_db", "log_spectral_distance_db",
    "noise_to_mask_db", "max_noise_to_mask_db", "disturbed_frames",
]  # fmt: skip


def noise(length: int, seed: int = 0, batch: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(batch, length, generator=generator, dtype=torch.float64)


def every(found: Distances) -> list[torch.Tensor]:
    return [getattr(found, key) for key in KEYS]


def tones(length: int = 800) -> tuple[torch.Tensor, torch.Tensor]:
    """Sine and cosine of ten periods: orthogonal, of one energy."""
    phase = 2 * math.pi * 10 * torch.arange(length, dtype=torch.float64)[None] / length
    return phase.sin(), phase.cos()


def impulse(length: int, at: int = 128) -> torch.Tensor:
    """In the middle of the first frame, where the window is highest: every bin has one power."""
    x = torch.zeros(1, length, dtype=torch.float64)
    x[0, at] = 1
    return x


def spoken(duration_s: float = 0.2) -> torch.Tensor:
    """From where two digits sound, in float32 as the app has them."""
    clips = list(open_dataset("bundled-digits").clips())
    starts = [c.samples.abs().argmax() - 400 for c in (clips[0], clips[7])]
    length = int(duration_s * RATE)
    parts = zip((clips[0], clips[7]), starts, strict=True)
    return torch.stack([c.samples[start : start + length] for c, start in parts])


# --- levels and ratios of energies ---------------------------------------------------------------


def test_si_sdr_of_an_orthogonal_distortion_by_hand():
    clean, other = tones()
    assert si_sdr_db(clean + other / 10, clean).item() == pytest.approx(20)
    assert si_sdr_db(clean + other, clean).item() == pytest.approx(0, abs=1e-9)
    # a part of the distortion along the clip is no distortion, to the SNR it is one
    estimate = 1.5 * clean + 0.15 * other
    assert si_sdr_db(estimate, clean).item() == pytest.approx(20)
    snr = levels.snr_db(estimate - clean, clean).item()
    assert snr == pytest.approx(-10 * math.log10(0.5**2 + 0.15**2))


def test_si_sdr_removes_no_mean():
    """a = 1/2, target (1/2, 1/2), distortion (-1/2, 1/2): 0 dB. With no mean left, no clip."""
    assert si_sdr_db(torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 1.0]])).item() == 0


@given(
    gain_db=st.floats(-60, 60), sign=st.sampled_from([-1, 1]), seed=st.integers(0, 99),
    below_db=st.floats(-60, 10),
)  # fmt: skip
def test_si_sdr_does_not_hear_a_gain_of_the_estimate_or_of_the_clip(gain_db, sign, seed, below_db):
    clean = noise(300, seed)
    estimate = clean + 10 ** (below_db / 20) * noise(300, seed + 100)
    gain = sign * 10 ** (gain_db / 20)
    plain = si_sdr_db(estimate, clean).item()
    assert si_sdr_db(gain * estimate, clean).item() == pytest.approx(plain, abs=1e-6)
    assert si_sdr_db(estimate, gain * clean).item() == pytest.approx(plain, abs=1e-6)


@pytest.mark.parametrize("dtype, at_least", [(torch.float32, 120), (torch.float64, 280)])
def test_si_sdr_of_the_clip_of_a_gain_and_of_silence(dtype, at_least):
    clean = noise(1_600).to(dtype)
    silence = torch.zeros_like(clean)
    assert si_sdr_db(clean, clean).item() == math.inf
    assert si_sdr_db(0.3 * clean, clean).item() > at_least
    assert si_sdr_db(silence, silence).item() == math.inf
    assert si_sdr_db(clean, silence).item() == -math.inf
    assert si_sdr_db(silence, clean).item() == -math.inf


# --- log-spectral distance -----------------------------------------------------------------------


def test_the_log_spectral_distance_of_twice_the_clip_is_6_db():
    clean = noise(4_000)
    twice = log_spectral_distance_db(2 * clean, clean, RATE).item()
    assert twice == pytest.approx(TWICE_DB, abs=1e-3)  # a bin or two lie below the floor
    assert log_spectral_distance_db(-clean, clean, RATE).item() == pytest.approx(0, abs=1e-9)
    assert log_spectral_distance_db(clean, clean, RATE).item() == 0


def test_the_log_spectral_distance_is_a_root_mean_square_over_bins():
    """An echo 64 samples earlier, at half the window: |1 + 0.4 i^k|^2 at the bins k = 0 to 128."""
    clean, perturbed = impulse(256), impulse(256) + 0.8 * impulse(256, at=64)
    bins_db = {0: 20 * math.log10(1.4), 1: 10 * math.log10(1.16), 2: 20 * math.log10(0.6)}
    squares = 33 * bins_db[0] ** 2 + 64 * bins_db[1] ** 2 + 32 * bins_db[2] ** 2
    found = log_spectral_distance_db(perturbed, clean, RATE).item()
    assert found == pytest.approx(math.sqrt(squares / 129), rel=1e-5)


def test_the_log_spectral_distance_is_a_mean_over_frames_and_padding_counts_as_0():
    """Two of 17 frames hold the impulse: at the window's maximum, and 6 dB below it."""
    clean = impulse(1_280)
    found = log_spectral_distance_db(2 * clean, clean, RATE).item()
    assert found == pytest.approx(TWICE_DB * 2 / 17)
    gone = log_spectral_distance_db(0 * clean, clean, RATE).item()
    assert gone == pytest.approx((60 + 60 - TWICE_DB) / 17)  # down to the floor


def test_the_log_spectral_distance_hears_nothing_60_db_below_the_loudest_bin():
    clean = impulse(1_280)
    for level_db, heard in ((-66, False), (-54, True)):
        perturbed = clean + 10 ** (level_db / 20) * impulse(1_280, at=128 + 512)
        found = log_spectral_distance_db(perturbed, clean, RATE).item()
        assert found == pytest.approx(6 / 17 if heard else 0, abs=1e-5)


@given(seed=st.integers(0, 99), level_db=st.floats(-100, 20))
def test_the_log_spectral_distance_is_symmetric_and_at_most_60_db(seed, level_db):
    clean = noise(700, seed)
    perturbed = clean + 10 ** (level_db / 20) * noise(700, seed + 100)
    there = log_spectral_distance_db(perturbed, clean, RATE).item()
    assert there == pytest.approx(log_spectral_distance_db(clean, perturbed, RATE).item())
    assert 0 < there <= 60


# --- noise to mask -------------------------------------------------------------------------------


def test_a_perturbation_of_one_half_of_the_clip_disturbs_half_of_the_frames():
    clean, half = noise(RATE), noise(RATE, seed=1)
    half[:, RATE // 2 :] = 0
    found = distances(clean + half, clean, RATE).disturbed_frames.item()
    assert found == pytest.approx(0.5, abs=0.03)
    whole = distances(clean + noise(RATE, seed=1), clean, RATE)
    assert whole.disturbed_frames.item() == 1


@given(level_db=st.floats(-60, 20), seed=st.integers(0, 99))
def test_twice_the_perturbation_is_6_db_more_of_it(level_db, seed):
    clean = spoken().double()
    delta = 10 ** (level_db / 20) * noise(clean.shape[1], seed, batch=2)
    once, twice = (distances(clean + k * delta, clean, RATE) for k in (1, 2))
    higher = {key: getattr(twice, key) - getattr(once, key) for key in KEYS}
    for key, sign in (
        ("level_db", 1), ("snr_db", -1), ("noise_to_mask_db", 1), ("max_noise_to_mask_db", 1),
    ):  # fmt: skip
        assert torch.allclose(higher[key], torch.full_like(higher[key], sign * TWICE_DB)), key
    assert torch.allclose(twice.l2, 2 * delta.norm(dim=1))
    assert torch.allclose(twice.linf, 2 * delta.abs().amax(1))
    assert (higher["disturbed_frames"] >= 0).all()
    assert (higher["si_sdr_db"] < 0).all() and (higher["log_spectral_distance_db"] > 0).all()


# --- all of them ---------------------------------------------------------------------------------


def test_a_batch_is_its_clips_one_by_one():
    clean = spoken(0.3)
    clean = torch.cat([clean, 0.01 * clean, torch.zeros_like(clean[:1])])
    perturbed = clean + 0.003 * noise(clean.shape[1], batch=5).float()
    together = distances(perturbed, clean, RATE)
    assert [*vars(together)] == [*KEYS, "perceptual_distance"]
    for i in range(5):
        alone = distances(perturbed[i : i + 1], clean[i : i + 1], RATE)
        for key in KEYS:
            assert getattr(together, key).shape == (5,) and getattr(alone, key).shape == (1,)
            assert torch.allclose(
                getattr(together, key)[i], getattr(alone, key)[0], rtol=1e-4, atol=1e-4
            ), key


@pytest.mark.parametrize("rate, duration_s", [(RATE, 0.2), (44_100, 0.2), (RATE, 0.012)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_short_clips_have_finite_distances(rate, duration_s, dtype):
    length = int(duration_s * rate)
    clean = noise(length, batch=2).to(dtype)
    found = distances(clean + 0.01 * noise(length, seed=1, batch=2).to(dtype), clean, rate)
    assert all(
        value.isfinite().all() and value.dtype == dtype
        for value in (getattr(found, key) for key in KEYS)
    )
    assert found.snr_db.tolist() == pytest.approx([40, 40], abs=3)
    assert found.si_sdr_db.tolist() == pytest.approx([40, 40], abs=3)
    assert (found.log_spectral_distance_db < 2).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_perturbation_is_no_distance_of_silence_too(dtype):
    clean = noise(1_600, batch=2).to(dtype)
    clean[1] = 0
    found = distances(clean, clean, RATE)
    infinite = {"snr_db": math.inf, "si_sdr_db": math.inf, "level_db": -math.inf}
    least = {"noise_to_mask_db": -200, "max_noise_to_mask_db": -200}
    for key in KEYS:
        expected = {**infinite, **least}.get(key, 0)
        assert getattr(found, key).tolist() == pytest.approx([expected] * 2, abs=1e-4), key


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_silence_hides_nothing(dtype):
    clean = torch.zeros(1, 1_600, dtype=dtype)
    found = distances(noise(1_600).to(dtype), clean, RATE)
    infinite = {"snr_db": -math.inf, "si_sdr_db": -math.inf, "level_db": math.inf}
    for key, value in zip(KEYS, every(found), strict=True):
        assert value.item() == infinite[key] if key in infinite else value.isfinite().all(), key
    assert found.disturbed_frames.item() == 1 and found.noise_to_mask_db.item() > 100
    assert 40 < found.log_spectral_distance_db.item() <= 60


def test_gradients_are_finite_where_a_clip_is_padded():
    clean = torch.nn.functional.pad(spoken(), (400, 400))
    perturbed = (clean + 0.001 * noise(clean.shape[1]).float() * (clean != 0)).requires_grad_()
    found = distances(perturbed, clean, RATE)
    for key, value in zip(KEYS, every(found), strict=True):
        if key != "disturbed_frames":  # a count
            (gradient,) = torch.autograd.grad(value.sum(), perturbed, retain_graph=True)
            assert gradient.isfinite().all() and gradient.abs().max() > 0, key
    unchanged = clean.clone().requires_grad_()
    log_spectral_distance_db(unchanged, clean, RATE).sum().backward()
    assert unchanged.grad is not None and unchanged.grad.isfinite().all()


def test_clips_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match=r"\(1, 800\) and clean ones \(2, 800\)"):
        distances(noise(800), noise(800, batch=2), RATE)


# --- Zimtohrli, where it is installed ------------------------------------------------------------


def test_without_zimtohrli_there_is_no_perceptual_distance(monkeypatch):
    monkeypatch.setitem(sys.modules, "zimtohrli", None)
    assert perceptual_distance(noise(800), noise(800), RATE) is None


@pytest.mark.parametrize("length", [1, 400, 1_600, 8_000])
def test_a_louder_perturbation_is_perceptually_farther(length):
    pytest.importorskip("zimtohrli")
    clean = noise(length, batch=2)
    # a tone, for white noise hides white noise
    clean[1] = 0.3 * (0.4 * torch.arange(length)).sin()
    near, far = (
        perceptual_distance(clean + k * noise(length, 1, 2), clean, RATE) for k in (0.03, 3)
    )
    same = perceptual_distance(clean, clean, RATE)
    assert near is not None and far is not None and same is not None
    assert near.shape == (2,) and same.abs().max() < 1e-6
    if length > 1:
        assert (far > near).all() and near[1] > 1e-4
    one = perceptual_distance(clean[1:] + 3 * noise(length, 1, 2)[1:], clean[1:], RATE)
    assert one is not None and one[0].item() == pytest.approx(far[1].item(), rel=1e-3, abs=1e-6)
