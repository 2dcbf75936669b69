"""IRMAS as it is unpacked: labels by folder, and one split for each recording."""

from collections import Counter

import numpy as np
import pytest
import soundfile

from robustaudio.audio.datasets import open_dataset, read_official_irmas


@pytest.fixture
def irmas(tmp_path, monkeypatch):
    """IRMAS in small: both kinds of file name, and files that are none of its own."""
    for name in (
        "flu/008__[flu][nod][cla]0393__1.wav",
        "flu/008__[flu][nod][cla]0393__2.wav",
        "tru/[tru][cla]1954__3.wav",
        "cla/[cla][cla]0011__1.wav",
        "gac/[gac][pop_roc]0558__1.wav",
        "flu/[tru][cla]1954__3.wav",
        "dru/[dru][cla]0001__1.wav",
        "flu/mine.wav",
    ):
        path = tmp_path / "irmas" / "IRMAS-TrainingData" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        left = 0.3 * np.random.default_rng(0).standard_normal((4_410, 1))
        soundfile.write(path, np.hstack([left, 0 * left]), 44_100, "PCM_16")
    monkeypatch.setenv("ROBUSTAUDIO_DATA", str(tmp_path))
    return tmp_path / "irmas"


def test_irmas_is_read_as_it_is_unpacked(irmas):
    dataset = open_dataset("irmas")
    labels = [(row.label, row.group) for row in dataset.rows]
    assert labels == [
        ("clarinet", "cla0011"),
        ("flute", "flu0393"),
        ("flute", "flu0393"),
        ("acoustic_guitar", "gac0558"),
        ("trumpet", "tru1954"),
    ]
    assert {row.licence for row in dataset.rows} == {"CC-BY-NC-SA-3.0"}
    clips = list(dataset.clips())
    assert [clip.label for clip in clips] == [label for label, _ in labels]
    samples, rate = soundfile.read(dataset.folder / dataset.rows[0].file, dtype="float32")
    assert clips[0].sample_rate == rate == 44_100
    assert np.array_equal(clips[0].samples.numpy(), samples[:, 0] / 2)  # the mean of the channels


def test_a_recording_of_irmas_lies_in_one_split(irmas):
    (irmas / "IRMAS-TrainingData" / "vio").mkdir()
    for number in range(2_000):
        name = f"[vio][cla]{number // 2:04d}__{1 + number % 2}.wav"
        (irmas / "IRMAS-TrainingData" / "vio" / name).touch()
    rows = [row for row in read_official_irmas(irmas).rows if row.label == "violin"]
    assert len({(row.group, row.split) for row in rows}) == 1_000
    counts = Counter(row.split for row in rows)
    assert {split: round(count / 2_000, 1) for split, count in counts.items()} == {
        "train": 0.7,
        "val": 0.1,
        "test": 0.2,
    }


def test_a_folder_that_only_calls_itself_irmas(tmp_path):
    (tmp_path / "IRMAS-TrainingData").mkdir()
    with pytest.raises(ValueError, match=r"holds no <code>/\[<code>\]"):
        read_official_irmas(tmp_path)
