"""The masking threshold against a plain reference, by hand, and in what it must never do."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from robustaudio.audio.datasets import open_dataset
from robustaudio.classifiers.checkpoints import load_classifier
from robustaudio.perception import masking
from robustaudio.perception.audibility import noise_to_mask_ratio
from robustaudio.perception.masking import (
    LOWEST_HZ,
    bark,
    individual_threshold,
    masking_framing,
    masking_threshold,
    padded_magnitude,
    strongest,
    threshold_in_quiet,
)
from robustaudio.representations.spectral import Framing
from robustaudio.threats.norms import MASKING
from robustaudio.threats.threat_model import UNBOUNDED, threat_at

QIN = Framing(n_fft=2048, hop_length=512)
FRAMINGS = {  # and the rate at which each is tried
    "qin": (QIN, 16_000),
    "default": (masking_framing(8_000), 8_000),
    "cnn": (Framing(unitary=True), 8_000),
    "lstm": (Framing(window="hamming", pre_emphasis=0.97, unitary=True), 8_000),
}
CLIPS = list(open_dataset("bundled-digits").clips())


def voiced(sample_rate: int, duration_s: float = 0.4) -> torch.Tensor:
    """Harmonics of a gliding 120 Hz voice and soft hiss that die away until nothing is heard."""
    t = torch.arange(int(sample_rate * duration_s), dtype=torch.float64) / sample_rate
    phase = 2 * math.pi * (120 * t + 40 * t.square())
    sound = sum(
        (k * phase).sin() / (1 + ((120 * k - 700) / 300) ** 2)
        for k in range(1, int(0.4 * sample_rate / 160))
    )
    hiss = torch.randn(len(t), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return ((sound + 0.003 * hiss) * (10 ** (-2 * (t / duration_s - 0.3).clamp_min(0) * 5)))[None]


def signals(sample_rate: int) -> list[torch.Tensor]:
    spoken = [c.resampled(sample_rate).samples.double()[None] for c in (CLIPS[0], CLIPS[7])]
    return [*spoken, voiced(sample_rate)]


def clip(index: int = 7) -> torch.Tensor:
    return CLIPS[index].samples.double()[None]


def db(power: torch.Tensor) -> torch.Tensor:
    return 10 * power.log10()


# --- a plain reference ---------------------------------------------------------------------------


def reference_bark(f):
    return 13 * np.arctan(0.00076 * f) + 3.5 * np.arctan((f / 7500) ** 2)


def reference_quiet(f):
    """In dB SPL, held below 100 Hz: the only thing we do otherwise than Qin et al."""
    khz = max(f, 100) / 1000
    return 3.64 * khz**-0.8 - 6.5 * np.exp(-0.6 * (khz - 3.3) ** 2) + 1e-3 * khz**4 - 12


def reference_threshold(x, framing, sample_rate):
    """Steps 1 to 6 of Qin et al. 2019 in loops: power of the threshold per bin and frame."""
    n, hop = framing.n_fft, framing.hop_length
    a, b = {"hann": (0.5, 0.5), "hamming": (0.54, 0.46)}[framing.window]
    window = a - b * np.cos(2 * np.pi * np.arange(n) / n)
    p, hz = framing.pre_emphasis, np.arange(n // 2 + 1) * sample_rate / n
    filtered = np.append(x[0], x[1:] - p * x[:-1])
    gain = np.abs(1 - p * np.exp(-2j * np.pi * hz / sample_rate))
    starts = range(0, len(x) - n + 1, hop)
    z = [np.abs(np.fft.rfft(filtered[s : s + n] * window)) * (8 / 3) ** 0.5 / n for s in starts]
    z = np.array(z) / gain
    level = 96 - 10 * np.log10((z**2).max()) + 10 * np.log10(z**2 + 1e-30)
    barks, quiet = reference_bark(hz), np.array([reference_quiet(f) for f in hz])
    return np.array([reference_frame(frame, barks, quiet) for frame in level]).T


def reference_frame(level, barks, quiet):
    power = 10 ** (level / 10)
    maskers = []
    for k in range(1, len(level) - 1):
        if level[k] > level[k - 1] and level[k] > level[k + 1]:
            together = 10 * np.log10(power[k - 1] + power[k] + power[k + 1])
            if together >= quiet[k]:
                maskers.append((barks[k], together))
    at = 0
    while at + 1 < len(maskers):
        if maskers[at + 1][0] - maskers[at][0] >= 0.5:
            at += 1
        elif maskers[at][1] < maskers[at + 1][1]:
            del maskers[at]
        else:
            del maskers[at + 1]
    total = 10 ** (quiet / 10)
    for z, masker in maskers:
        for k, here in enumerate(barks):
            distance = here - z
            slope = 27 if distance <= 0 else -27 + 0.37 * max(masker - 40, 0)
            total[k] += 10 ** ((masker - 6.025 - 0.275 * z + slope * distance) / 10)
    return total


@pytest.mark.parametrize("name", FRAMINGS)
def test_the_threshold_is_that_of_a_plain_reference(name):
    framing, sample_rate = FRAMINGS[name]
    for x in signals(sample_rate):
        ours = masking_threshold(x, framing, sample_rate).threshold[0]
        theirs = reference_threshold(x[0].numpy(), framing, sample_rate)
        assert ours.shape == theirs.shape
        difference = db(ours) - db(torch.from_numpy(theirs))
        assert difference.abs().max() < 1e-3  # of the window, which is float32


@given(seed=st.integers(0, 10_000), share=st.floats(0.05, 1), ties=st.booleans())
def test_of_two_close_maskers_the_stronger_survives(seed, share, ties):
    """The vectorised rule against the while loop, on any powers (also equal ones)."""
    rng = np.random.default_rng(seed)
    z = np.sort(rng.uniform(0, 6, 40))
    power = rng.integers(1, 4, 40).astype(float) if ties else rng.uniform(0.01, 1, 40)
    power *= rng.random(40) < share
    maskers = [(k, power[k]) for k in range(40) if power[k] > 0]
    at = 0
    while at + 1 < len(maskers):
        if z[maskers[at + 1][0]] - z[maskers[at][0]] >= 0.5:
            at += 1
        else:
            del maskers[at if maskers[at][1] < maskers[at + 1][1] else at + 1]
    kept = strongest(torch.from_numpy(power)[None, :, None], torch.from_numpy(z))
    assert kept[0, :, 0].nonzero().flatten().tolist() == [k for k, _ in maskers]


# --- what two published implementations got wrong ------------------------------------------------


@pytest.mark.parametrize("name", FRAMINGS)
@pytest.mark.parametrize("gain_db", [-30, 0, 6])
def test_a_scaled_clip_measures_its_gain_against_the_clip(name, gain_db):
    """Two published implementations analyse the perturbation 4.26 dB louder than the clip."""
    framing, sample_rate = FRAMINGS[name]
    x = signals(sample_rate)[2]
    found = masking_threshold(x, framing, sample_rate)
    noise = padded_magnitude(10 ** (gain_db / 20) * x, framing)
    measured = db((noise / found.amplitude).square() * found.threshold) - db(found.spectrum)
    heard = found.spectrum > 1  # not what only the guard against log(0) gives
    assert (measured - gain_db)[heard].abs().max() < 1e-5


def test_the_masking_index_is_that_of_the_maskers_own_bark():
    """One tone at 2 kHz (13.1 Bark): with the index of bin 0 it would hide 3.6 dB more."""
    n, k = 256, 64
    x = torch.cos(2 * math.pi * k * torch.arange(n, dtype=torch.float64) / n)[None]
    found = masking_threshold(x, Framing(), 8_000)
    masker = 96 + 10 * math.log10(1 + 2 * 0.25)  # a Hann window's neighbours are 6 dB below
    z = 13 * math.atan(0.00076 * 2_000) + 3.5 * math.atan((2_000 / 7_500) ** 2)
    khz = 2.0
    quiet = 3.64 * khz**-0.8 - 6.5 * math.exp(-0.6 * (khz - 3.3) ** 2) + 1e-3 * khz**4 - 12
    by_hand = 10 * math.log10(10 ** ((masker - 6.025 - 0.275 * z) / 10) + 10 ** (quiet / 10))
    assert db(found.threshold[0, k, 0]).item() == pytest.approx(by_hand, abs=1e-3)
    wrong = masker - 6.025 - 0.275 * 0
    assert wrong - by_hand > 3.5


# --- numbers by hand -----------------------------------------------------------------------------


def test_numbers_by_hand():
    hz = torch.tensor([100.0, 1_000.0, 3_300.0, 4_000.0, 10_000.0], dtype=torch.float64)
    # Terhardt's curve, less the 12 dB of Lin & Abdulla that Qin et al. took over
    terhardt = [22.953, 3.369, -4.981, -3.388, 10.577]
    assert threshold_in_quiet(hz)[1:].tolist() == pytest.approx(
        [level - 12 for level in terhardt[1:]], abs=1e-3
    )
    z = 13 * math.atan(0.76) + 3.5 * math.atan((1 / 7.5) ** 2)
    assert bark(hz)[1].item() == pytest.approx(z) == pytest.approx(8.5105, abs=1e-3)
    low = torch.tensor([0.0, 50.0, LOWEST_HZ], dtype=torch.float64)
    assert threshold_in_quiet(low).tolist() == pytest.approx([terhardt[0] - 12] * 3, abs=1e-3)


@pytest.mark.parametrize("level, upwards", [(30.0, -27.0), (40.0, -27.0), (80.0, -12.2)])
def test_slopes_by_hand(level, upwards):
    """At 80 dB: -27 + 0.37 * 40 = -12.2 dB per Bark above the masker."""
    z = torch.tensor([8.0, 9.0, 10.0, 11.0, 12.0], dtype=torch.float64)
    at = torch.tensor([10.0], dtype=torch.float64)
    hidden = db(individual_threshold(torch.tensor([level], dtype=torch.float64), at, z))[0]
    peak = level - 6.025 - 2.75
    by_hand = [peak - 54, peak - 27, peak, peak + upwards, peak + 2 * upwards]
    assert hidden.tolist() == pytest.approx(by_hand)


def test_a_frame_is_about_32_ms():
    sizes = [masking_framing(rate).n_fft for rate in (8_000, 16_000, 44_100, 48_000)]
    assert sizes == [256, 512, 1024, 2048]
    assert masking_framing(16_000).hop_length == 128


# --- what must always hold -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["default", "lstm"])
@given(gain_db=st.floats(-40, 60))
def test_a_gain_changes_nothing_but_the_units(name, gain_db):
    framing, sample_rate = FRAMINGS[name]
    x, gain = clip(), 10 ** (gain_db / 20)
    plain, scaled = (masking_threshold(y, framing, sample_rate) for y in (x, x * gain))
    assert torch.allclose(plain.threshold, scaled.threshold, rtol=1e-3)
    assert torch.allclose(plain.amplitude * gain, scaled.amplitude, rtol=1e-3)


@pytest.mark.parametrize("name", ["default", "lstm"])
def test_a_batch_is_its_clips_one_by_one(name):
    framing, sample_rate = FRAMINGS[name]
    x = torch.stack([c.fitted(4_000).samples for c in CLIPS]) * torch.logspace(-3, 0, 12)[:, None]
    together = masking_threshold(x, framing, sample_rate)
    for i in range(len(x)):
        alone = masking_threshold(x[i : i + 1], framing, sample_rate)
        picked = together[torch.tensor([i])]
        assert (picked.framing, picked.sample_rate) == (framing, sample_rate)
        for part in ("spectrum", "threshold", "amplitude"):
            assert torch.allclose(getattr(alone, part), getattr(picked, part), rtol=1e-4), part


def test_more_maskers_than_are_spread_at_a_time(monkeypatch):
    whole = masking_threshold(clip(), QIN, 16_000).threshold
    monkeypatch.setattr(masking, "ROWS", 7)
    assert torch.allclose(masking_threshold(clip(), QIN, 16_000).threshold, whole)


@pytest.mark.parametrize("name", FRAMINGS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_silence_hides_only_what_is_below_the_threshold_in_quiet(name, dtype):
    framing, sample_rate = FRAMINGS[name]
    found = masking_threshold(torch.zeros(2, 3_000, dtype=dtype), framing, sample_rate)
    hz = torch.arange(framing.n_fft // 2 + 1, dtype=torch.float64) * sample_rate / framing.n_fft
    assert found.amplitude.isfinite().all() and found.amplitude.amax() < 1e-8
    difference = db(found.threshold.double()) - threshold_in_quiet(hz)[:, None]
    assert difference.abs().max() < 1e-3
    ratio = noise_to_mask_ratio(torch.zeros(2, 3_000, dtype=dtype), found)
    assert ratio.isfinite().all()


def test_a_clip_shorter_than_a_frame_is_padded():
    x = clip()[:, 1_000:1_100]
    short = masking_threshold(x, Framing(), 8_000)
    padded = masking_threshold(torch.nn.functional.pad(x, (0, 156)), Framing(), 8_000)
    assert short.threshold.shape == (1, 129, 1)
    assert torch.equal(short.threshold, padded.threshold)
    assert noise_to_mask_ratio(x, short).shape[2] == 1


def test_played_softer_a_clip_hides_more_of_what_is_near_the_threshold_in_quiet():
    x = torch.nn.functional.pad(clip(), (0, 256))
    loud = masking_threshold(x, Framing(), 8_000)
    soft = masking_threshold(x, Framing(), 8_000, assumed_peak_spl_db=70.0)
    higher = 20 * (soft.amplitude / loud.amplitude).log10()[0, 4:]
    assert higher.max().item() == pytest.approx(26, abs=0.5)  # where nothing but quiet counts
    assert soft.spectrum.max().item() == pytest.approx(1e7)


@pytest.mark.parametrize("name", FRAMINGS)
def test_float32_is_float64(name):
    framing, sample_rate = FRAMINGS[name]
    for x in signals(sample_rate):
        short, long = (masking_threshold(y, framing, sample_rate) for y in (x.float(), x))
        assert short.threshold.dtype == short.amplitude.dtype == torch.float32
        off = (db(short.threshold) - db(long.threshold)).abs().flatten()
        assert off.quantile(0.99) < 0.01  # a tie between two maskers may fall otherwise
        assert off.max() < 0.5


def test_a_pre_emphasis_is_undone_bin_by_bin():
    plain = Framing(window="hamming")
    emphasised = Framing(window="hamming", pre_emphasis=0.97)
    angle = torch.arange(129, dtype=torch.float64) * 2 * math.pi / 256
    response = (1 - 0.97 * torch.polar(torch.ones_like(angle), -angle)).abs()[:, None]
    for index in (0, 7):
        one, two = (masking_threshold(clip(index), f, 8_000) for f in (plain, emphasised))
        heard = one.spectrum > 1e3
        assert (db(one.threshold) - db(two.threshold))[heard].abs().median() < 1
        off = 20 * (two.amplitude / response / one.amplitude).log10()[heard]
        assert off.abs().median() < 1  # the window moves, the gain of 0.03 at 0 Hz is undone


# --- noise to mask -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["default", "cnn", "lstm"])
def test_noise_with_the_thresholds_energy_has_a_ratio_of_0_db(name):
    framing, sample_rate = FRAMINGS[name]
    x = clip()[:, 1_500 : 1_500 + framing.n_fft]  # one frame: no other can disagree
    found = masking_threshold(x, framing, sample_rate)
    ratio = noise_to_mask_ratio(x, found)
    bands = bark((torch.arange(129) * 8_000 / 256).double()).long()
    assert ratio.shape == (1, 18, 1) and int(bands.max()) == 17
    for band in (3, 8, 17):
        rows = bands == band
        energy = padded_magnitude(x, framing)[0, rows].square().sum()
        by_hand = db(energy / found.amplitude[0, rows].square().sum()).item()
        assert ratio[0, band, 0].item() == pytest.approx(by_hand)
    exact = masking.MaskingThreshold(
        framing, sample_rate, found.spectrum, found.threshold, padded_magnitude(x, framing)
    )
    assert noise_to_mask_ratio(x, exact).abs().max() < 1e-6
    assert (noise_to_mask_ratio(x / 10, exact) + 20).abs().max() < 1e-6


def test_shaped_noise_is_tens_of_db_below_white_noise_of_the_same_energy():
    """Why energy is the wrong unit."""
    classifier = load_classifier("digits-cnn")
    x = classifier.prepare(CLIPS[7]).samples.double()[None]
    threat = threat_at(classifier, x, 0.0, MASKING, UNBOUNDED)
    generator = torch.Generator().manual_seed(0)
    shaped = threat.sample(x, generator) - x
    white = torch.randn(x.shape, generator=generator, dtype=torch.float64)
    white = white * shaped.norm() / white.norm()
    ratios = [noise_to_mask_ratio(noise, threat.threshold) for noise in (shaped, white)]
    total = [10 * (10 ** (r / 10)).mean().log10() for r in ratios]
    assert total[0] <= 0 and ratios[0].max() <= 1e-6
    assert total[1] - total[0] > 30
