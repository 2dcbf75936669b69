"""A file sounds as it should, and tells nothing else."""

import hashlib
import io

import numpy as np
import pytest
import soundfile
from listening.small_study import small_study

from robustaudio.listening.design.stimulus import RATE
from robustaudio.listening.design.trial import Condition
from robustaudio.listening.run.blind_wav import encode


def test_a_file_sounds_as_it_should_and_tells_nothing_else():
    sound = small_study().stimuli.render(Condition("seven", "white"), -40.0)
    files = [encode(sound, RATE) for _ in range(2)]
    assert len(files[0]) == len(files[1])
    heads = [file[: file.index(b"JUNK") + 8] for file in files]
    assert heads[0] == heads[1]
    bodies = [file[file.index(b"data") :] for file in files]
    hashes = {hashlib.sha256(part).hexdigest() for part in (*files, *bodies)}
    assert len(hashes) == 4
    decoded, rate = soundfile.read(io.BytesIO(files[0]), dtype="float64")
    assert rate == RATE
    assert np.abs(decoded - sound).max() <= 1.5 / 2**23
    stereo, _ = soundfile.read(io.BytesIO(encode(np.stack([sound, -sound], 1), RATE)))
    assert np.allclose(stereo[:, 0], -stereo[:, 1], atol=1e-6)


def test_a_peak_beyond_full_scale_is_refused():
    with pytest.raises(ValueError, match=r"the peak is 1\.5"):
        encode(np.full(10, 1.5), RATE)
