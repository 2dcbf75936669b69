"""A data set by its name: which folder comes first, and what is said where there is none."""

import pytest
from audio.datasets.made import HEADER, ROW, sounds, wav_bytes

from robustaudio.audio.datasets import download, open_dataset


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
