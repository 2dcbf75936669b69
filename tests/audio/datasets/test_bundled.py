"""The clips that ship: every label of a task, each with its source."""

import pytest

from robustaudio.audio.datasets import BUNDLED, open_dataset

INSTRUMENTS = {
    "acoustic_guitar", "cello", "clarinet", "electric_guitar", "flute", "organ", "piano",
    "saxophone", "trumpet", "violin", "voice",
}  # fmt: skip


@pytest.mark.parametrize(
    "task, labels, sample_rate",
    [("digits", {*"0123456789"}, 8_000), ("instruments", INSTRUMENTS, 22_050)],
)
def test_the_bundled_clips_hold_every_label_of_their_task(task, labels, sample_rate):
    dataset = open_dataset(f"bundled-{task}")
    assert {row.label for row in dataset.rows} == labels
    assert dataset.splits == ("bundled",)
    clips = list(dataset.clips())
    assert {clip.sample_rate for clip in clips} == {sample_rate}
    assert all(clip.gain is None and clip.peak <= 1 for clip in clips)


def test_every_bundled_file_says_where_it_is_from():
    rows = [*open_dataset("bundled-digits").rows, *open_dataset("bundled-instruments").rows]
    assert {path.name for path in BUNDLED.glob("*.wav")} == {row.file for row in rows}
    assert {row.licence for row in rows} == {"CC0-1.0"}
    attribution = (BUNDLED / "ATTRIBUTION.md").read_text()
    assert all(f"| `{row.file}` | `{row.more['origin']}` |" in attribution for row in rows)


def test_a_task_without_bundled_clips():
    with pytest.raises(ValueError, match=r"choose from bundled-digits, bundled-instruments\."):
        open_dataset("bundled-speakers")
