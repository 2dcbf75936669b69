"""A folder with a metadata.csv, wherever it came from: the repository, a download, a user."""

import sys
import zipfile
from collections import Counter
from dataclasses import replace
from operator import attrgetter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from robustaudio.audio import datasets
from robustaudio.audio.datasets import (
    BUNDLED,
    COLUMNS,
    Row,
    download,
    open_dataset,
    read_folder,
    read_official_fsdd,
    read_official_irmas,
)
from robustaudio.audio.datasets.metadata_csv import write_metadata

HEADER = ",".join(COLUMNS)
ROW = "a.wav,0,rms,a,test,CC0-1.0"


def wav_bytes(folder, seed=0):
    path = folder / "made.wav"
    noise = 0.1 * np.random.default_rng(seed).standard_normal(800)
    soundfile.write(path, noise, 8_000, "PCM_16")
    return path.read_bytes()


@pytest.fixture
def archive(tmp_path):
    """The release in small: ten digits, two speakers, indices 4 (test) and 5 (train), and traps."""
    path = tmp_path / "release.zip"
    with zipfile.ZipFile(path, "w") as file:
        for digit in range(10):
            for speaker in ("jackson", "nicolas"):
                for index in (4, 5):
                    name = f"free-x-1.0/recordings/{digit}_{speaker}_{index}.wav"
                    file.writestr(name, wav_bytes(tmp_path, digit))
        for trap in (
            "../../evil.wav",
            "/abs/recordings/../../../evil_a_1.wav",
            "free-x-1.0/recordings/..\\..\\1_evil_1.wav",
            "free-x-1.0/recordings/1_a_b_1.wav",
            "free-x-1.0/recordings/1_a_x.wav",
            "free-x-1.0/recordings/readme.txt",
            "free-x-1.0/other/1_elsewhere_1.wav",
            "free-x-1.0/recordings/2_folder_1.wav/",
            "free-x-1.0/metadata.csv",
        ):
            file.writestr(trap, b"evil")
    return path


@pytest.fixture
def nothing_at_hand(tmp_path, monkeypatch):
    monkeypatch.delenv("ROBUSTAUDIO_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "robustaudio"


def files_below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# --- the official release ------------------------------------------------------------------------


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


# --- finding a data set --------------------------------------------------------------------------


def test_the_named_folder_comes_before_the_cache(archive, nothing_at_hand, tmp_path, monkeypatch):
    cached = download("fsdd", url=archive.as_uri())
    assert cached.folder == nothing_at_hand / "fsdd"
    assert open_dataset("fsdd").rows == cached.rows
    named = tmp_path / "named" / "fsdd" / "recordings"
    named.mkdir(parents=True)
    (named / "7_george_0.wav").write_bytes(wav_bytes(tmp_path))
    monkeypatch.setenv("ROBUSTAUDIO_DATA", str(tmp_path / "named"))
    (row,) = open_dataset("fsdd").rows  # the release as it is unpacked by hand, without a table
    assert (row.label, row.split) == ("7", "test")
    (named.parent / "metadata.csv").write_text(f"{HEADER}\n{ROW}\n")
    assert open_dataset("fsdd").rows[0].file == "a.wav"
    monkeypatch.setenv("ROBUSTAUDIO_DATA", str(tmp_path / "gone"))
    assert open_dataset("fsdd").rows == cached.rows


@pytest.mark.parametrize(
    "name, advice",
    [
        ("fsdd", "or run: python -m robustaudio download fsdd"),
        ("rendered", "or run: python assets/render_digits.py --training .*/rendered"),
        (
            "rendered-instruments",
            "or run: python assets/render_instruments.py --training .*/rendered-instruments",
        ),
        ("irmas", r"or unpack IRMAS-TrainingData\.zip, which https://doi\.org/.* into .*/irmas"),
        (
            "speakers",
            r"set ROBUSTAUDIO_DATA to the folder that holds it, or give the folder's path",
        ),
        ("a\0b", "no data set 'a"),
    ],
)
def test_what_is_not_at_hand_says_how_to_get_it(name, advice, nothing_at_hand):
    with pytest.raises(ValueError, match=f"{advice}") as caught:
        open_dataset(name)
    assert repr(name) in str(caught.value) and str(nothing_at_hand) in str(caught.value)


def test_an_empty_variable_is_as_good_as_none(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("ROBUSTAUDIO_DATA", "")
    assert datasets.data_folders() == [Path.home() / ".cache" / "robustaudio"]


# --- IRMAS ---------------------------------------------------------------------------------------


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


# --- reading the table ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "table, sentence",
    [
        (b"", "lacks the columns file, label"),
        (HEADER.encode(), "names no file"),
        (
            b"file,group,split,licence\na.wav,a,test,x\n",
            "lacks the column label; columns",
        ),
        (b"\xff\xfe" + HEADER.encode("utf-16-le"), "names no file"),
        (f"{HEADER}\n{ROW}\nb.wav,1\n".encode(), "has 6 columns, but not in line 3"),
        (f"{HEADER}\n{ROW},more\n".encode(), "has 6 columns, but not in line 2"),
        *(
            (f"{HEADER}\n{ROW}\n{ROW.replace('a.wav', file)}\n".encode(), "outside its folder")
            for file in ("../../etc/passwd", "/etc/passwd", "x/../../a.wav", "link/passwd", "a\0b")
        ),
    ],
)
def test_a_table_that_cannot_be_trusted_is_refused(table, sentence, tmp_path):
    (tmp_path / "link").symlink_to("/etc")
    (tmp_path / "metadata.csv").write_bytes(table)
    with pytest.raises(ValueError, match=sentence) as caught:
        read_folder(tmp_path, "mine")
    assert str(tmp_path / "metadata.csv") in str(caught.value)


def test_a_folder_without_a_table(tmp_path):
    with pytest.raises(ValueError, match=r"cannot read .*metadata\.csv"):
        read_folder(tmp_path, "mine")
    with pytest.raises(ValueError, match=r"holds no <digit>_<speaker>_<index>\.wav"):
        read_official_fsdd(tmp_path)


def test_a_table_saved_by_a_spreadsheet_is_read(tmp_path):
    (tmp_path / "metadata.csv").write_bytes(f"\ufeff{HEADER}\r\n{ROW}\r\n".encode())
    assert read_folder(tmp_path, "mine").rows[0].file == "a.wav"


def test_a_row_without_its_file_is_named_when_it_is_read(tmp_path):
    (tmp_path / "metadata.csv").write_text(f"{HEADER}\n{ROW}\n")
    with pytest.raises(ValueError, match=r"there is no file .*a\.wav"):
        list(read_folder(tmp_path, "mine").clips())


# --- splits and limits ---------------------------------------------------------------------------


@pytest.fixture
def spread(tmp_path):
    rows = [f"{i}.wav,{i // 10},s,{i},{'test' if i % 2 else 'train'},CC0-1.0" for i in range(100)]
    (tmp_path / "metadata.csv").write_text("\n".join([HEADER, *rows]))
    return read_folder(tmp_path, "mine")


def test_a_split_keeps_the_order_of_the_file(spread):
    assert spread.splits == ("train", "test")
    test = spread.select("test")
    assert [int(row.group) for row in test.rows] == list(range(1, 100, 2))
    assert (test.name, test.folder, len(spread)) == ("mine", spread.folder, 100)


@pytest.mark.parametrize("limit", [1, 7, 10, 49, 50, 51, 1000])
def test_a_limit_is_spread_evenly(limit, spread):
    rows = spread.select("test", limit).rows
    assert len(rows) == len({row.file for row in rows}) == min(limit, 50)
    counts = Counter(row.label for row in rows)
    assert len(counts) == min(limit, 10) and max(counts.values()) - min(counts.values()) <= 1


def test_a_split_that_is_not_there_and_a_limit_that_is_none(spread):
    with pytest.raises(ValueError, match=r"no split 'val'; choose from train, test"):
        spread.select("val")
    with pytest.raises(ValueError, match="limit 0 must be at least 1"):
        spread.select("test", 0)


# --- what ships, and what may be at hand ---------------------------------------------------------


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


def at_hand(name):
    try:
        return open_dataset(name)
    except ValueError as error:
        pytest.skip(str(error))


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


# --- tables as programs and spreadsheets write them ----------------------------------------------


def table(folder, content, encoding="utf-8"):
    (folder / "metadata.csv").write_bytes(content.encode(encoding))
    return read_folder(folder, "mine").rows


@pytest.mark.parametrize(
    "content, encoding",
    [
        ("file,label\na.wav,7\nb.wav,3\n", "utf-8"),
        ("file;label\na.wav;7\nb.wav;3\n", "utf-8"),
        ("file;label\r\na.wav;7\r\nb.wav;3\r\n", "utf-8-sig"),
        ("file\tlabel\na.wav\t7\nb.wav\t3\n", "utf-8"),
        ("file\tlabel\r\na.wav\t7\r\nb.wav\t3\r\n", "utf-16"),
        ("\ufefffile;label\r\na.wav;7\r\nb.wav;3", "utf-16-be"),
        ("\ufefffile,label\r\na.wav,7\r\nb.wav,3", "utf-16-le"),
        ("sep=;\r\nfile;label\r\na.wav;7\r\nb.wav;3\r\n", "utf-8"),
        (" File , LABEL \na.wav , 7\n\n b.wav,3\n,\n", "utf-8"),
        ('"file";"label"\n"a.wav";"7"\n"b.wav";"3"\n', "utf-8"),
        ("\n\nfile,label,,\na.wav,7,,\nb.wav,3,,\n", "utf-8"),
        ("label;file\n7;a.wav\n3;b.wav\n;\n;\n", "utf-8"),
        ("file,label\ra.wav,7\rb.wav,3\r", "utf-8"),
    ],
)
def test_two_columns_are_enough_however_they_are_written(content, encoding, tmp_path):
    rows = table(tmp_path, content, encoding)
    assert [(row.file, row.label) for row in rows] == [("a.wav", "7"), ("b.wav", "3")]
    assert rows[0] == Row(
        file="a.wav", label="7", speaker_or_source="", group="a", split="test", licence=""
    )


def test_what_a_table_says_beyond_the_defaults_stays(tmp_path):
    text = "file;label;split;group;mood\nx/a.wav;7;train;g1;glad\nb.wav;ü, 3;;;\n"
    first, second = table(tmp_path, text)
    assert (first.split, first.group, first.more["mood"]) == ("train", "g1", "glad")
    assert (second.split, second.group, second.label) == ("test", "b", "ü, 3")


@pytest.mark.parametrize("file", ["sub\\a.wav", ".\\sub\\a.wav", "sub\\deep\\..\\a.wav"])
def test_a_backslash_separates_folders(file, tmp_path):
    (tmp_path / "sub" / "deep").mkdir(parents=True)
    (tmp_path / "sub" / "a.wav").write_bytes(wav_bytes(tmp_path))
    (row,) = table(tmp_path, f"file,label\n{file},7\n")
    (clip,) = read_folder(tmp_path, "mine").clips()
    assert "\\" not in row.file and clip.label == "7"


@pytest.mark.skipif(sys.platform == "win32", reason="a file's name holds no backslash there")
def test_a_name_that_holds_a_backslash_is_that_file(tmp_path):
    (tmp_path / "sub\\a.wav").write_bytes(wav_bytes(tmp_path))
    assert table(tmp_path, "file,label\nsub\\a.wav,7\n")[0].file == "sub\\a.wav"


@pytest.mark.parametrize(
    "file", ["..\\..\\x.wav", "C:\\x.wav", "c:x.wav", "\\\\server\\share\\x.wav", "\\x.wav",
             "sub\\..\\..\\x.wav", "//server/x.wav"],
)  # fmt: skip
def test_no_spelling_leads_out_of_the_folder(file, tmp_path):
    with pytest.raises(ValueError, match="names a file outside its folder"):
        table(tmp_path, f"file,label\n{file},7\n")


def test_a_whole_path_may_lead_into_the_folder(tmp_path):
    (tmp_path / "mine" / "sub").mkdir(parents=True)
    (tmp_path / "mine" / "sub" / "a.wav").write_bytes(wav_bytes(tmp_path))
    (row,) = table(tmp_path / "mine", f"file,label\n{tmp_path / 'mine' / 'sub' / 'a.wav'},7\n")
    assert row.file == "sub/a.wav"
    for file in (tmp_path / "made.wav", f"{tmp_path / 'mine'}/../made.wav", f"{tmp_path}/mine2/x"):
        with pytest.raises(ValueError, match="names a file outside its folder"):
            table(tmp_path / "mine", f"file,label\n{file},7\n")


@pytest.mark.parametrize(
    "content, encoding, sentence",
    [
        (
            "name,label\na.wav,7\n",
            "utf-8",
            r"lacks the column file; .* reads: name, label\.$",
        ),
        ("file|label\na.wav|7\n", "utf-8", "lacks the columns file, label"),
        ("file,label\nü.wav,7\n", "cp1252", r"byte 12 is not UTF-8; save the table as UTF-8"),
        ("file,label\na.wav,7\n", "utf-16-le", "is no text in UTF-8; save it as CSV UTF-8"),
        ("file,label\na.wav,\n", "utf-8", "has no label in line 2"),
        ("file,label\na.wav,7\n\n,3\n", "utf-8", "has no file in line 4"),
        ("file,label,label\na.wav,7,8\n", "utf-8", "has two columns of one name"),
        ("file,label\na.wav\n", "utf-8", "has 2 columns, but not in line 2"),
    ],
)
def test_a_table_that_cannot_be_read_says_what_would_be(content, encoding, sentence, tmp_path):
    with pytest.raises(ValueError, match=sentence):
        table(tmp_path, content, encoding)


def test_what_is_written_is_read_back(tmp_path):
    rows = (
        Row("ü, b.wav", "a; b", 'say "x"', "g", "train", "CC0"),
        Row("sub/c.wav", "0", "", "h", "test", ""),
    )
    write_metadata(datasets.Dataset("mine", tmp_path, rows))
    assert read_folder(tmp_path, "mine").rows == rows


# --- a folder per label --------------------------------------------------------------------------


def sounds(folder, *names):
    content = wav_bytes(folder)
    (folder / "made.wav").unlink()
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


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


def test_a_file_and_a_typing_error_are_no_data_set(tmp_path, nothing_at_hand):
    sounds(tmp_path, "a.wav")
    with pytest.raises(ValueError, match=r"a\.wav is a file; a data set is a folder"):
        open_dataset(str(tmp_path / "a.wav"))
    for name in ("nosuch", "x" * 5_000, str(tmp_path / "no" / "such")):
        with pytest.raises(ValueError, match="or give the folder's path: a data set is a folder"):
            open_dataset(name)


def test_a_folder_of_the_cache_comes_before_one_here(nothing_at_hand, tmp_path, monkeypatch):
    sounds(tmp_path, "cache/robustaudio/mine/yes/a.wav", "mine/no/a.wav")
    monkeypatch.chdir(tmp_path)
    assert open_dataset("mine").rows[0].label == "yes"
    for path in ("./mine", "./mine/", str(tmp_path / "mine"), "../" + tmp_path.name + "/mine"):
        assert open_dataset(path).rows[0].label == "no"
    monkeypatch.chdir(tmp_path / "mine")
    assert open_dataset(".").rows[0].label == "no"
