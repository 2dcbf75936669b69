"""Files are checked before the work: what is read is never overwritten."""

import json
import os
from pathlib import Path

import pytest

from robustaudio.audio.datasets import BUNDLED
from robustaudio.cli import main
from robustaudio.cli.main import read

ROOT = Path(__file__).parents[2]
CLIP = str(BUNDLED / "seven-slt.wav")


@pytest.fixture
def refused(capsys, monkeypatch):
    """The sentence of a command that is refused before its verb is imported."""

    def call(*arguments):
        monkeypatch.setattr("robustaudio.cli.options.import_module", None)
        assert main(list(map(str, arguments))) == 2
        out, err = capsys.readouterr()
        assert not out and err.count("\n") == 1
        return err

    return call


@pytest.mark.parametrize("name", ["two.mp3", "two", "two.flac", "two.wav.bak", "two.wave", ".wav"])
@pytest.mark.parametrize("verb", ["attack", "noise", "maximise"])
def test_only_wav_is_written(verb, name, refused, tmp_path):
    assert "must end in .wav" in refused(verb, CLIP, "--output", tmp_path / "new" / name)
    assert not list(tmp_path.iterdir())


def test_a_clip_is_never_written_over(refused, tmp_path):
    clip = tmp_path / "clip.wav"
    clip.write_bytes(Path(CLIP).read_bytes())
    (tmp_path / "link.wav").symlink_to(clip)
    (tmp_path / "hard.wav").hardlink_to(clip)
    (tmp_path / "here").symlink_to(tmp_path)
    spellings = ["clip.wav", "link.wav", "hard.wav", "here/clip.wav", "here/../clip.wav"]
    before = sorted(path.name for path in tmp_path.iterdir())
    for option in ("--output", "--report"):
        for spelling in spellings[:4]:
            sentence = refused("attack", clip, option, tmp_path / spelling)
            assert f"{option} {tmp_path / spelling} is the clip itself" in sentence
    assert "is the clip itself" in refused("attack", clip, "--resume", clip)
    assert clip.read_bytes() == Path(CLIP).read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_nor_are_a_card_a_table_or_answers(refused, tmp_path):
    card = tmp_path / "mine.json"
    table = tmp_path / "metadata.csv"
    for path in (card, table):
        path.write_text("{}")
    mine = ["--classifier", tmp_path / "mine.safetensors"]
    assert "is the classifier's card itself" in refused("attack", CLIP, *mine, "--report", card)
    data = ["--dataset", tmp_path, "--resume", table]
    assert "is the data set's table itself" in refused("verify", *data)
    both = ["--output", tmp_path / "x.wav", "--report", tmp_path / "x.wav"]
    assert "--output and --report name the same file" in refused("attack", CLIP, *both)


@pytest.mark.parametrize(
    "verb, option, name",
    [("attack", "--output", "a.wav"), ("attack", "--report", "a.json"),
     ("verify", "--resume", "rows.jsonl"), ("table", "--output", "page.md")],
)  # fmt: skip
def test_what_cannot_be_written_is_refused_at_once(verb, option, name, refused, tmp_path):
    first = "digits" if verb == "table" else CLIP
    (tmp_path / "file").write_text("no folder")
    sentence = refused(verb, first, option, tmp_path / "file" / "deeper" / name)
    assert f"{option}: the folder {tmp_path / 'file' / 'deeper'} cannot be made" in sentence
    (tmp_path / name).mkdir()
    sentence = refused(verb, first, option, tmp_path / name)
    assert f"{option} {tmp_path / name} is a folder; name a file in it" in sentence


def test_what_may_not_be_written_is_refused_at_once(refused, tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: mode != os.W_OK)
    sentence = refused("attack", CLIP, "--report", tmp_path / "a.json")
    assert f"cannot write {tmp_path / 'a.json'}: permission denied" in sentence


def test_missing_folders_are_made(tmp_path):
    output, report = tmp_path / "a" / "b" / "two.WAV", tmp_path / "c" / "report.json"
    command = ["noise", CLIP, "--sigma", "0.01", "--output", str(output), "--report", str(report)]
    assert main(command) == 0
    assert output.is_file() and json.loads(report.read_text())["result"]["output"] == str(output)
    rows = tmp_path / "d" / "e" / "rows.jsonl"
    data = ["--dataset", "bundled-digits", "--limit", "1", "--level-db", "-90"]
    assert main(["verify", *data, "--resume", str(rows)]) == 0
    assert rows.is_file()


def test_training_writes_into_a_folder(refused, tmp_path):
    (tmp_path / "file").write_text("no folder")
    sentence = refused("train", "digits-cnn", "--output", tmp_path / "file")
    assert f"--output: the folder {tmp_path / 'file'} cannot be made" in sentence
    read(["train", "digits-cnn", "--output", str(tmp_path / "new")]).check()
    assert (tmp_path / "new").is_dir()
    sentence = refused("listen", "analyse", "answers", "--output", tmp_path / "file")
    assert f"--output: the folder {tmp_path / 'file'} cannot be made" in sentence


def test_a_shipped_card_is_not_written_over_by_its_name(refused):
    card = ROOT / "checkpoints" / "digits-cnn.json"
    sentence = refused("attack", CLIP, "--classifier", "digits-cnn", "--report", card)
    assert "is the classifier's card itself" in sentence


@pytest.mark.parametrize("other", ["A.json", "./a.json", "x/../a.json"])
def test_one_file_is_not_written_twice_under_two_spellings(other, refused, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").mkdir()
    rows = ["attack", CLIP, "--resume", "a.json", "--report", other]
    assert "name the same file" in refused(*rows)


@pytest.mark.parametrize("name", ["store", "store/abcd", "link"])
def test_an_analysis_is_not_written_into_the_answers(name, refused, tmp_path):
    (tmp_path / "store" / "abcd").mkdir(parents=True)
    (tmp_path / "store" / "abcd" / "study.jsonl").touch()
    (tmp_path / "link").symlink_to(tmp_path / "store")
    sentence = refused("listen", "analyse", tmp_path / "store", "--output", tmp_path / name)
    assert "holds answers already" in sentence
    (tmp_path / "rows.csv").touch()
    sentence = refused("listen", "analyse", f"sqlite:///{tmp_path}/rows.csv", "--output", tmp_path)
    assert "would overwrite the store, rows.csv" in sentence


def test_what_an_analysis_writes_is_tried_before_the_work(refused, tmp_path, monkeypatch):
    (tmp_path / "out" / "rows.csv").mkdir(parents=True)
    analyse = ["listen", "analyse", tmp_path / "store", "--output"]
    assert "rows.csv is a folder" in refused(*analyse, tmp_path / "out")
    monkeypatch.setattr("os.access", lambda path, mode: not mode & os.W_OK)
    assert "new may not be written to" in refused(*analyse, tmp_path / "new")


@pytest.mark.skipif(os.name == "nt", reason="pipes and links of POSIX")
def test_links_and_pipes_are_looked_behind_before_the_work(refused, tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "loop.json").symlink_to(tmp_path / "loop.json")
    (tmp_path / "file").touch()
    (tmp_path / "dangling.json").symlink_to(tmp_path / "file" / "x.json")
    for name, words in (
        ("pipe.json", "is not a file"), ("loop.json", "be followed to a file"),
        ("dangling.json", "cannot be made"),
    ):  # fmt: skip
        sentence = refused("attack", CLIP, "--report", tmp_path / name)
        assert words in sentence and sentence.startswith("robustaudio: ")
