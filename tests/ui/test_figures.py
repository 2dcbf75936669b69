"""The figures show the numbers that were computed: levels, thresholds, what reaches above."""

import numpy as np
import pytest
import torch
from ui.results import verified

from robustaudio.attacks import Population
from robustaudio.audio.clip import Clip
from robustaudio.audio.datasets import open_dataset
from robustaudio.classifiers.checkpoints import load_classifier
from robustaudio.evaluation.batch import load_clips
from robustaudio.perception.audibility import noise_to_mask_ratio, total_noise_to_mask_db
from robustaudio.perception.masking import masking_framing, masking_threshold
from robustaudio.threats.norms import MASKING
from robustaudio.ui import figures

RATE = 8_000


@pytest.fixture(scope="module")
def clean():
    samples = Clip.load(open_dataset("bundled-digits").folder / "seven-slt.wav").samples[:RATE]
    return torch.nn.functional.pad(samples, (0, RATE - len(samples)))


def white(seed: int = 0) -> torch.Tensor:
    return 0.01 * torch.randn(RATE, generator=torch.Generator().manual_seed(seed))


def test_a_louder_perturbation_lies_higher_by_as_many_decibels(clean):
    quiet = figures.audibility(clean, white(), RATE)
    loud = figures.audibility(clean, 10 * white(), RATE)
    assert loud.total_db - quiet.total_db == pytest.approx(20, abs=1e-3)
    assert (loud.perturbation_db - quiet.perturbation_db).median().item() == pytest.approx(20)
    assert torch.equal(loud.threshold.threshold, quiet.threshold.threshold)


def test_the_clip_as_its_own_perturbation_has_its_own_spectrum(clean):
    heard = figures.audibility(clean, clean, RATE)
    figure = figures.masking_spectrum(heard)
    lines = {trace.name: np.array(trace.y) for trace in figure.data}
    assert set(lines) == {"clip", "masking threshold", "perturbation"}
    assert np.allclose(lines["clip"], lines["perturbation"], atol=0.11)
    loudest = 10 * heard.threshold.spectrum.max().log10()
    assert float(loudest) == pytest.approx(96, abs=1e-3)  # the assumed level


def test_the_lines_of_a_frame_are_threshold_and_excess_of_the_masking_set(clean):
    """Perturbation above threshold, in dB, is what the masking norm calls its size."""
    heard = figures.audibility(clean, white(), RATE)
    at = 40
    lines = {t.name: np.array(t.y) for t in figures.masking_spectrum(heard, at).data}
    hz = np.array(figures.masking_spectrum(heard, at).data[0].x) * 1000
    assert hz[-1] == pytest.approx(RATE / 2, abs=1)
    threshold = 10 * heard.threshold.threshold[0, :, at].log10()
    shown = threshold.clamp_min(figures.QUIETEST_SPL_DB).numpy()
    assert np.allclose(lines["masking threshold"], shown, atol=0.06)
    excess = (heard.perturbation_db - 10 * heard.threshold.threshold[0].log10()).max()
    size = MASKING.at(heard.threshold).measure(white()[None])
    assert float(excess) == pytest.approx(20 * float(size.log10()), abs=1e-3)


def test_noise_under_the_threshold_is_nowhere_red(clean):
    threshold = masking_threshold(clean[None], masking_framing(RATE), RATE)
    norm, rng = MASKING.at(threshold), torch.Generator().manual_seed(0)
    hidden = norm.sample(clean[None], torch.full((1, 1), 0.5), rng)[0]
    heard = figures.audibility(clean, hidden, RATE)
    assert heard.share_above == 0 and heard.total_db < -6
    assert figures.noise_to_mask(heard).data[0].z.max() < 0
    audible = figures.audibility(clean, 100 * hidden, RATE)
    assert audible.share_above > 0.4  # while the clip sounds
    assert figures.noise_to_mask(audible).data[0].z.max() > 0


def test_the_heatmap_is_the_ratio_per_band_with_zero_in_the_middle(clean):
    heard = figures.audibility(clean, white(), RATE)
    heatmap = figures.noise_to_mask(heard).data[0]
    assert heatmap.zmin == -heatmap.zmax
    threshold = masking_threshold(clean[None], masking_framing(RATE), RATE)
    ratio = noise_to_mask_ratio(white()[None], threshold)[0]
    assert heatmap.z.shape == ratio.shape
    assert np.allclose(heatmap.z, ratio.clamp(-30, 30).numpy(), atol=0.06)
    assert heatmap.y[0] == 0.5  # the middle of the band from 0 to 1 Bark
    step = masking_framing(RATE).hop_length / RATE
    assert heatmap.x[1] - heatmap.x[0] == pytest.approx(step, abs=1e-3)
    assert heard.total_db == float(total_noise_to_mask_db(ratio[None]))


def test_the_worst_frame_is_where_the_perturbation_is_while_the_clip_sounds(clean):
    burst = torch.zeros(RATE)
    burst[2_000:2_256] = white()[:256] * 20
    heard = figures.audibility(clean, burst, RATE)
    assert heard.time_s(heard.worst_frame) == pytest.approx(2_128 / RATE, abs=0.02)
    assert f"{heard.time_s(heard.worst_frame):.2f} s" in figures.masking_spectrum(
        heard
    ).layout.title.text  # fmt: skip
    in_silence = figures.audibility(clean, white(), RATE)
    loudest = in_silence.threshold.spectrum[0, :, in_silence.worst_frame].max().log10() * 10
    assert loudest >= figures.SOUNDING_SPL_DB


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_no_perturbation_is_drawn_as_none_and_figures_stay_small(rate):
    tone = torch.sin(2 * torch.pi * 440 * torch.arange(rate) / rate)
    heard = figures.audibility(tone, torch.zeros(rate), rate)
    assert heard.share_above == 0 and heard.total_db <= -100
    figure = figures.noise_to_mask(heard)
    assert len(figure.to_json()) < 300_000
    spectrum = figures.masking_spectrum(heard)
    assert all(len(trace.x) <= figures.MAX_POINTS for trace in spectrum.data)
    for drawn in (figure, spectrum):
        assert drawn.layout.paper_bgcolor == drawn.layout.plot_bgcolor == "rgba(0,0,0,0)"


def test_red_are_the_labels_that_reach_above_the_predictions_lower_bound():
    result = verified(
        prediction="b",
        logits_lower={"a": -3.0, "b": 1.0, "c": -1.0},
        logits_upper={"a": 0.5, "b": 4.0, "c": 2.0},
    )
    assert figures.rivals_in_reach(result) == ["c"]
    figure = figures.logit_intervals(result)
    bars = figure.data[0]
    assert list(bars.marker.color) == [figures.INK, figures.CLEAN, figures.REACHES]
    assert list(bars.base) == [-3.0, 1.0, -1.0] and list(bars.y) == [3.5, 3.0, 3.0]
    (line,) = figure.layout.shapes
    assert line.y0 == line.y1 == 1.0


def test_a_time_leads_back_to_its_frame_and_the_line_of_the_map_stands_there(clean):
    heard = figures.audibility(clean, white(), RATE)
    frames = heard.ratio_db.shape[1]
    assert [heard.frame_at(heard.time_s(frame)) for frame in range(frames)] == list(range(frames))
    assert heard.frame_at(-1.0) == 0 and heard.frame_at(99.0) == frames - 1
    for frame in (heard.worst_frame, 7):
        (line,) = figures.noise_to_mask(heard, frame).layout.shapes
        assert line.x0 == line.x1 == heard.time_s(frame)
    (worst,) = figures.noise_to_mask(heard).layout.shapes
    assert worst.x0 == heard.time_s(heard.worst_frame)


@pytest.mark.parametrize("steps", [1, 2, 299, 300, 301, 650, 40_000])
def test_a_search_is_drawn_with_few_points_and_its_last_step(steps):
    losses = [float(step) for step in range(steps)]
    levels = [None, *(-60.0 - step for step in range(1, steps))]
    loss, level = figures.search(losses, levels).data
    assert 0 < len(loss.x) <= figures.MAX_STEPS and loss.x[-1] == steps - 1
    assert len(loss.x) >= min(steps, figures.MAX_STEPS // 2)
    gaps = set(np.diff(loss.x).tolist())
    assert len(gaps) <= 1  # evenly spaced
    assert loss.y[-1] == pytest.approx(steps - 1, rel=1e-3)
    assert (loss.yaxis, level.yaxis) == ("y", "y2")
    if steps > 1:
        assert level.y[-1] == pytest.approx(-60 - (steps - 1), rel=1e-3)


def test_a_population_is_drawn_with_its_diversity_against_the_other_axis():
    generations = [Population(-1.0 / n, -2.0 / n, 0.1 * n, queries=n) for n in range(1, 5)]
    best, mean, diversity = figures.evolution(generations).data
    assert [line.yaxis for line in (best, mean, diversity)] == ["y", "y", "y2"]
    assert list(best.x) == [0, 1, 2, 3] and best.y[-1] == -0.25 and mean.y[-1] == -0.5
    assert (best.line.dash, mean.line.dash) == ("solid", "dot")  # one colour, told apart


def test_a_search_that_never_moved_has_no_level():
    figure = figures.search([0.5], [None])
    assert figure.data[1].y == (None,)
    assert len(figures.search([], []).data[0].x) == 0


@pytest.fixture(scope="module")
def clips():
    return load_clips(load_classifier("digits-cnn"), open_dataset("bundled-digits"))


def test_figures_share_one_scale_and_stay_small():
    digits = load_classifier("digits-cnn")
    clean = load_clips(digits, open_dataset("bundled-digits")).waveforms[0]
    quiet = figures.spectrogram(0.01 * clean, clean, 8_000, title="quiet")
    loud = figures.spectrogram(clean, clean, 8_000, title="loud")
    assert loud.data[0].z.max() == pytest.approx(0, abs=0.1)
    assert quiet.data[0].z.max() == pytest.approx(-40, abs=0.2)
    assert quiet.data[0].zmin == loud.data[0].zmin and quiet.data[0].zmax == loud.data[0].zmax
    wave = figures.waveforms(clean, clean, 8_000)
    assert all(len(trace.x) <= figures.MAX_POINTS for trace in wave.data)
    assert max(wave.data[0].y) == pytest.approx(float(clean.max()))
