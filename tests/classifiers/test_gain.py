"""The gain of a clip is given once, by the policy on the card."""

import pytest
import torch

from robustaudio.audio.clip import Clip
from robustaudio.classifiers.gain import GAINS, NONE, PEAK, read_gain

CLIP = Clip(torch.tensor([0.0, -0.25, 0.125]), 8_000)


def test_peak_scales_to_one_and_none_leaves_the_level():
    assert PEAK(CLIP).peak == 1 and PEAK(CLIP).gain == 4
    assert torch.equal(NONE(CLIP).samples, CLIP.samples) and NONE(CLIP).gain == 1


@pytest.mark.parametrize("gain", GAINS, ids=lambda gain: gain.name)
def test_a_gain_is_given_once_and_its_words_name_it(gain):
    once = gain(CLIP)
    assert all(again(once) is once for again in GAINS)
    assert read_gain(str(gain)) is read_gain(gain.name) is gain
