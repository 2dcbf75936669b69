"""Small data sets, and those that are at hand."""

import numpy as np
import pytest
import soundfile

from robustaudio.audio.datasets import COLUMNS, open_dataset

HEADER = ",".join(COLUMNS)
ROW = "a.wav,0,rms,a,test,CC0-1.0"


def wav_bytes(folder, seed=0):
    path = folder / "made.wav"
    noise = 0.1 * np.random.default_rng(seed).standard_normal(800)
    soundfile.write(path, noise, 8_000, "PCM_16")
    return path.read_bytes()


def files_below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def sounds(folder, *names):
    content = wav_bytes(folder)
    (folder / "made.wav").unlink()
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def at_hand(name):
    try:
        return open_dataset(name)
    except ValueError as error:
        pytest.skip(str(error))
