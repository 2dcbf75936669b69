"""Fixtures of all layouts: a release in small, and a computer without data sets."""

import zipfile

import pytest
from audio.datasets.made import wav_bytes


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
