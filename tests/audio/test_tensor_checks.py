"""Tensors that no question takes: one sentence each, which says what would be right."""

import numpy as np
import pytest
import torch

from robustaudio.audio.clip import Clip
from robustaudio.audio.draws import Generators
from robustaudio.audio.tensor_checks import check_batch, check_generator, check_item, check_per_item

X = torch.zeros(2, 8)
SOURCE = torch.Generator().manual_seed(0)


@pytest.mark.parametrize(
    "x, kind, sentence",
    [
        (Clip(X[0], 8_000), TypeError, r"x is a Clip; .* classifier\.prepare\(clip\)\.samples"),
        (np.zeros(3), TypeError, r"x is a numpy array; torch\.from_numpy\(x\) makes it a tensor"),
        ([0.0], TypeError, r"x is a list; torch\.tensor\(x\) makes it a tensor"),
        (None, TypeError, r"x is None; it must be a torch\.Tensor"),
        (X.short(), ValueError, r"x holds int16; a waveform is float32"),
        (X[:0], ValueError, r"x of shape \(0, 8\) is empty"),
        (X / 0, ValueError, "x holds NaN or infinite values"),
        (X[0], ValueError, r"x of shape \(8,\) has no batch axis; x\[None\] is a batch of one"),
    ],
)
def test_what_is_no_batch(x, kind, sentence):
    with pytest.raises(kind, match=sentence):
        check_batch(x)


def test_what_fits_passes():
    check_item(X[0])
    check_batch(X)
    check_per_item("epsilon", torch.ones(2), X)
    check_generator(SOURCE, X)
    check_generator(Generators((SOURCE, SOURCE)), X)


def test_another_number_of_values_or_sources_is_refused():
    with pytest.raises(ValueError, match="epsilon has 3 values for a batch of 2"):
        check_per_item("epsilon", torch.ones(3), X)
    with pytest.raises(ValueError, match="1 generators do not fit a batch of 2"):
        check_generator(Generators((SOURCE,)), X)
    with pytest.raises(TypeError, match="generator is the int 0; it must be"):
        check_generator(0, X)
