"""A recording block by block: what is kept of it, at which rate."""

from itertools import pairwise

import numpy as np
import pytest
import soundfile
import soxr

from robustaudio.audio import recording
from robustaudio.audio.clip import Clip
from robustaudio.audio.recording import Digest, Recording


@pytest.mark.parametrize("rate, target", [(44_100, 8_000), (8_000, 44_100), (16_000, 16_000)])
def test_samples_come_block_by_block_as_soxr_gives_them_in_one_go(rate, target, monkeypatch):
    monkeypatch.setattr(recording, "CHUNK", 1_000)
    monkeypatch.setattr(recording, "HELD", 100)
    rng = np.random.default_rng(0)
    samples = rng.standard_normal(30_000).astype(np.float32)
    cuts = [0, *sorted(rng.integers(0, len(samples), 40)), len(samples)]
    kept = Recording(target)
    kept.digest = Digest()
    for start, end in pairwise(cuts):
        kept.add(samples[start:end], rate)
    assert np.array_equal(kept.samples(), soxr.resample(samples, rate, target, "VHQ"))
    whole = Digest()
    whole.add(samples)
    assert str(kept.digest) == str(whole) and kept.sample_rate == rate
    assert (kept.facts.count, kept.facts.peak) == (len(samples), float(np.abs(samples).max()))
    assert kept.facts.total == pytest.approx(samples.sum(dtype=np.float64))


def test_what_is_dropped_is_neither_kept_nor_counted(monkeypatch):
    monkeypatch.setattr(recording, "CHUNK", 50)
    samples = np.linspace(-1, 1, 10_000, dtype=np.float32)
    kept = Recording(None)
    for block in np.split(samples, 100):
        kept.add(block, 8_000)
    kept.drop(recording.HELD)
    assert np.array_equal(kept.samples(), samples[: -recording.HELD])
    assert kept.facts.count == 10_000 - recording.HELD


def test_only_a_recording_of_too_many_samples_comes_at_another_rate(tmp_path):
    noise = np.random.default_rng(0).integers(-9_000, 9_000, 31 * 192_000).astype(np.int16)
    for seconds, rate in ((30, 192_000), (31, 48_000)):
        soundfile.write(tmp_path / "a.wav", noise[: seconds * 192_000], 192_000, "PCM_16")
        clip = Clip.load(tmp_path / "a.wav")
        assert clip.sample_rate == rate and clip.duration_s == seconds
    right = soxr.resample((noise / 32768).astype(np.float32), 192_000, 48_000, "VHQ")
    assert np.array_equal(clip.samples.numpy(), right)
