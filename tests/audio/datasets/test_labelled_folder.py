"""A folder of sounds per label, with and without splits."""

import pytest
from audio.datasets.made import sounds

from robustaudio.audio import datasets
from robustaudio.audio.datasets import open_dataset


def test_a_folder_per_label_is_a_data_set(tmp_path, nothing_at_hand):
    sounds(tmp_path, "my/7/1.wav", "my/7/deep/2.WAV", "my/2/1.wav", "my/.trash/9.wav",
           "my/__MACOSX/7/._1.wav", "my/7/._1.wav")  # fmt: skip
    for junk in (".DS_Store", "7/.DS_Store", "7/Thumbs.db", "notes.txt", "2/desktop.ini"):
        (tmp_path / "my" / junk).write_text("junk")
    (tmp_path / "my" / "empty").mkdir()
    dataset = open_dataset(str(tmp_path / "my"))
    assert (dataset.name, dataset.splits) == ("my", ("test",))
    files = [(row.file, row.label, row.group) for row in dataset.rows]
    assert files == [("2/1.wav", "2", "1"), ("7/1.wav", "7", "1"), ("7/deep/2.WAV", "7", "2")]
    assert [clip.label for clip in dataset.clips()] == ["2", "7", "7"]


def test_folders_of_labels_below_splits(tmp_path):
    sounds(tmp_path, "Training/yes/a.wav", "valid/no/b.wav", "test/yes/c.wav", "test/no/d.wav")
    rows = datasets.read_labelled_folders(tmp_path, "mine").rows
    assert {(row.split, row.label, row.file) for row in rows} == {
        ("train", "yes", "Training/yes/a.wav"), ("val", "no", "valid/no/b.wav"),
        ("test", "yes", "test/yes/c.wav"), ("test", "no", "test/no/d.wav"),
    }  # fmt: skip


def test_test_may_be_a_label(tmp_path):
    sounds(tmp_path, "test/a.wav", "train/b.wav")
    rows = datasets.read_labelled_folders(tmp_path, "mine").rows
    assert {(row.split, row.label) for row in rows} == {("test", "test"), ("test", "train")}


@pytest.mark.parametrize(
    "files, sentence",
    [
        ((), "is no data set: a data set is a folder with a metadata.csv .* per label"),
        (("7/notes.txt",), "is no data set: "),
        (("7/a.wav", "b.wav"), "1 sound files that lie in no label's folder, b.wav the first"),
        (("train/7/a.wav", "7/b.wav"), r"holds splits \(train\) beside other folders \(7\)"),
    ],
)
def test_a_folder_that_is_no_data_set_says_what_one_is(files, sentence, tmp_path):
    sounds(tmp_path, *(f"my/{name}" for name in files))
    (tmp_path / "my").mkdir(exist_ok=True)
    with pytest.raises(ValueError, match=sentence):
        open_dataset(str(tmp_path / "my"))
