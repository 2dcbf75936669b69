"""A data set with something wrong in it: all of it is named at once, or left out and counted."""

import json
import shutil

import pytest

from robustaudio.audio.datasets import BUNDLED, NAMED, open_dataset
from robustaudio.classifiers.checkpoints import load_classifier
from robustaudio.cli import main
from robustaudio.evaluation.batch import load_clips

GOOD = ("seven-slt.wav", "two-slt.wav", "nine-slt.wav")


def data_set(folder, *rows):
    """Sounds and a table; what is wrong with a file is its name."""
    for file, _ in rows:
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        sound = (BUNDLED / "seven-slt.wav").read_bytes()
        if file in GOOD:
            shutil.copy(BUNDLED / file, path)
        elif "missing" not in file:
            path.write_bytes(
                b"" if "empty" in file else b"no sound" if "text" in file
                else sound[: len(sound) // 2] if "cut" in file else sound
            )  # fmt: skip
    table = "".join(f"{file},{label}\n" for file, label in rows)
    (folder / "metadata.csv").write_text(f"file,label\n{table}")
    return str(folder)


@pytest.fixture
def bad(tmp_path):
    return data_set(
        tmp_path / "bad", ("seven-slt.wav", "7"), ("empty.wav", "7"), ("two-slt.wav", "2"),
        ("sub/cut.wav", "7"), ("missing.wav", "7"), ("text.wav", "3"), ("nine-slt.wav", "9"),
    )  # fmt: skip


@pytest.mark.parametrize("verb", ["predict", "attack", "noise", "verify", "certify"])
def test_all_that_cannot_be_read_is_named_at_once(verb, bad, capsys):
    assert main([verb, "--dataset", bad]) == 2
    out, err = capsys.readouterr()
    assert not out and err.count("\n") == 1
    assert "4 of 7 files of bad cannot be read: " in err
    assert f"{bad}/empty.wav is empty" in err and f"there is no file {bad}/missing.wav" in err
    assert f"{bad}/sub/cut.wav" in err and f"{bad}/text.wav" in err
    assert not any(name in err for name in GOOD)


@pytest.mark.parametrize("verb", ["predict", "noise", "verify", "attack"])
def test_they_may_be_left_out_and_are_counted(verb, bad, capsys):
    fast = {"attack": ["--attack", "fgsm"], "verify": ["--level-db", "-90"]}.get(verb, [])
    assert main([verb, "--dataset", bad, "--skip-unreadable", "--json", *fast]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["clips"], record["unreadable"]) == (3, 4)


def test_nothing_is_counted_where_nothing_was_left_out(tmp_path):
    classifier = load_classifier("digits-cnn")
    dataset = open_dataset(data_set(tmp_path, *((name, "7") for name in GOOD)))
    assert "unreadable" not in load_clips(classifier, dataset).header
    assert load_clips(classifier, dataset, skip_unreadable=True).header["unreadable"] == 0


def test_labels_stay_with_their_sounds_when_files_are_left_out(bad):
    classifier = load_classifier("digits-cnn")
    clips = load_clips(classifier, open_dataset(bad), skip_unreadable=True)
    assert clips.names == GOOD and clips.labels.tolist() == [7, 2, 9]
    assert classifier(clips.waveforms).argmax(1).tolist() == [7, 2, 9]


def test_a_data_set_without_a_readable_file_is_refused_all_the_same(tmp_path):
    classifier = load_classifier("digits-cnn")
    folder = data_set(tmp_path, ("empty1.wav", "7"), ("missing.wav", "2"))
    with pytest.raises(ValueError, match=r"2 of 2 files of .* cannot be read"):
        load_clips(classifier, open_dataset(folder), skip_unreadable=True)


def test_only_the_first_of_very_many_are_named(tmp_path):
    classifier = load_classifier("digits-cnn")
    folder = data_set(tmp_path, *((f"missing{n}.wav", "7") for n in range(NAMED + 15)))
    with pytest.raises(ValueError, match=r"35 of 35 files .*; and 15 more\.$") as caught:
        classifier.prepare_dataset(open_dataset(folder))
    assert str(caught.value).count("there is no file") == NAMED


def test_labels_that_the_classifier_does_not_know_are_named_at_once(tmp_path, capsys):
    folder = data_set(
        tmp_path, ("seven-slt.wav", "seven"), ("a.wav", "seven"), ("two-slt.wav", "2"),
        ("missing.wav", "Nine"),
    )  # fmt: skip
    assert main(["predict", "--dataset", folder]) == 2
    assert capsys.readouterr().err == (
        "robustaudio: digits-cnn has no label 'seven' (2 of 4 files), 'Nine' (1 of 4 files); "
        "its labels are 0, 1, 2, 3, 4, 5, 6, 7, 8, 9.\n"
    )


def test_an_unknown_representation_is_said_before_a_file_is_read(bad, capsys):
    assert main(["certify", "--dataset", bad, "--representation", "log"]) == 2
    assert "no representation 'log'; choose from waveform" in capsys.readouterr().err
