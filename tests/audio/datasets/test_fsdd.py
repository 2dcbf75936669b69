"""The official release: its layout, and a download that fetches nothing else."""

import zipfile
from collections import Counter
from dataclasses import replace
from operator import attrgetter
from pathlib import Path

import pytest
from audio.datasets.made import at_hand, files_below

from robustaudio.audio.datasets import Row, download, read_official_fsdd


def test_a_download_holds_the_recordings_and_nothing_else(archive, tmp_path):
    target = tmp_path / "deep" / "below" / "fsdd"
    before = files_below(tmp_path)
    dataset = download("fsdd", url=archive.as_uri(), into=target)
    assert (dataset.folder, len(dataset)) == (target, 40)
    names = {row.file for row in dataset.rows}
    assert len(names) == 40 and {Path(name).suffix for name in names} == {".wav"}
    assert files_below(target) == sorted([*names, "metadata.csv"])
    assert len(files_below(tmp_path)) == len(before) + 41  # no evil.wav anywhere, no scratch
    clips = list(dataset.clips())
    assert [clip.label for clip in clips[:5]] == ["0", "0", "0", "0", "1"]
    assert {(clip.sample_rate, len(clip.samples)) for clip in clips} == {(8_000, 800)}


def test_the_layout_and_the_table_give_the_same_rows(archive, tmp_path):
    dataset = download("fsdd", url=archive.as_uri(), into=tmp_path / "fsdd")
    assert read_official_fsdd(tmp_path / "fsdd").rows == dataset.rows
    assert dataset.rows[1] == Row(
        file="recordings/0_jackson_5.wav",
        label="0",
        speaker_or_source="jackson",
        group="0_jackson_5",
        split="train",
        licence="CC-BY-SA-4.0",
    )


def test_a_second_download_deletes_nothing(archive, tmp_path):
    first = download("fsdd", url=archive.as_uri(), into=tmp_path / "fsdd")
    assert download("fsdd", url="file:///no/such.zip", into=tmp_path / "fsdd").rows == first.rows
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match=r"cannot read .*home/metadata\.csv"):
        download("fsdd", url=archive.as_uri(), into=home)
    assert files_below(home) == ["thesis.tex"]


def damaged(archive, kind):
    """The URL of an archive that is broken in some way."""
    path = archive.with_name("broken.zip")
    content = bytearray(archive.read_bytes())
    if kind == "no zip":
        content = b"<html>rate limited</html>"
    elif kind == "cut short":
        content = content[: len(content) // 2]
    elif kind == "a changed byte":
        content[200] ^= 0xFF  # within the first recording: its checksum fails
    elif kind == "encrypted":
        at = content.find(b"PK\x01\x02")  # the first entry of the directory says so
        content[at + 8] |= 1
        content[6] |= 1
    path.write_bytes(content)
    if kind == "nothing in it":
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("x/recordings/readme.txt", "none")
    return path.as_uri() if kind != "missing" else "file:///no/such/release.zip"


@pytest.mark.parametrize(
    "kind", ["no zip", "cut short", "a changed byte", "encrypted", "nothing in it", "missing"]
)
def test_a_download_that_fails_is_one_sentence_and_leaves_nothing(kind, archive, tmp_path):
    url = damaged(archive, kind)
    with pytest.raises(ValueError, match=f"^cannot download {url}: ."):
        download("fsdd", url=url, into=tmp_path / "cache" / "fsdd")
    assert not list((tmp_path / "cache").iterdir())


def test_only_what_has_a_release_is_downloaded(nothing_at_hand):
    with pytest.raises(ValueError, match=r"no download for 'speakers'; choose from fsdd\."):
        download("speakers")
    assert not nothing_at_hand.exists()


@pytest.mark.corpus
def test_fsdd_is_split_as_its_authors_say():
    """The first 10 % of each speaker's takes, indices 0 to 4, are the test. The rest is 5 to 49 in
    the release, and 5 to 44 in the corpus that this project trains on."""
    dataset = at_hand("fsdd")
    counts = Counter(row.split for row in dataset.rows)
    assert counts == {"test": 300, "train": 2700 if len(dataset) == 3000 else 2400}


@pytest.mark.corpus
def test_no_recording_is_in_two_splits_and_the_layout_agrees_with_the_table():
    dataset = at_hand("fsdd")
    of = {split: {row.group for row in dataset.select(split).rows} for split in dataset.splits}
    assert not of["train"] & of["test"]
    layout = read_official_fsdd(dataset.folder).rows
    table = [replace(row, more={}) for row in dataset.rows]
    assert sorted(layout, key=attrgetter("file")) == sorted(table, key=attrgetter("file"))
