"""A folder with a metadata.csv, as programs and spreadsheets write it."""

import sys

import pytest
from audio.datasets.made import HEADER, ROW, wav_bytes

from robustaudio.audio import datasets
from robustaudio.audio.datasets import Row, read_folder, read_official_fsdd
from robustaudio.audio.datasets.metadata_csv import write_metadata


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
