"""Tensors as every question takes them, checked before anything is computed."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from robustaudio.audio.clip import Clip
from robustaudio.audio.draws import Generators, Randomness
from robustaudio.outside import kind


def check_tensor(name: str, value: Any) -> None:
    """Refuses what is no tensor.

    Raises:
        TypeError: for a clip, a numpy array, a list or anything else.
    """
    if isinstance(value, Tensor):
        return
    advice = "it must be a torch.Tensor"
    if isinstance(value, Clip):
        advice = "its tensor (batch, time) is classifier.prepare(clip).samples[None]"
    elif isinstance(value, np.ndarray):
        advice = f"torch.from_numpy({name}) makes it a tensor"
    elif isinstance(value, list | tuple | int | float):
        advice = f"torch.tensor({name}) makes it a tensor"
    raise TypeError(f"{name} is {kind(value)}; {advice}.")


def check_item(x: Any, name: str = "x") -> None:
    """Refuses what cannot be one sound, or one item of features.

    Raises:
        TypeError: for anything but a tensor.
        ValueError: for a tensor that is empty, of whole numbers, or not finite.
    """
    check_tensor(name, x)
    if not x.is_floating_point():
        raise ValueError(
            f"{name} holds {dtype(x)}; a waveform is float32, between -1 and 1 "
            f"(16-bit samples: {name}.float() / 32768)."
        )
    if not x.numel():
        raise ValueError(f"{name} of shape {shape(x)} is empty.")
    if not bool(x.isfinite().all()):
        raise ValueError(f"{name} holds NaN or infinite values; all of it must be finite.")


def check_batch(x: Any, name: str = "x") -> None:
    """Refuses what cannot be a batch of sounds, or of features.

    Raises:
        TypeError: for anything but a tensor.
        ValueError: for a tensor that `check_item` refuses, or without a batch axis.
    """
    check_item(x, name)
    if x.ndim < 2:
        raise ValueError(
            f"{name} of shape {shape(x)} has no batch axis; {name}[None] is a batch of one."
        )


def check_per_item(name: str, value: Tensor, x: Tensor) -> None:
    """Refuses a row of values that is not one per item of a batch, on its device.

    Raises:
        ValueError: for another length or device.
    """
    if len(value) != len(x):
        raise ValueError(
            f"{name} has {len(value)} values for a batch of {len(x)}; it must be one per item."
        )
    check_device(name, value, x)


def check_device(name: str, value: Any, x: Any, reference: str = "x") -> None:
    """Refuses a tensor, a generator or a classifier on another device than x.

    Raises:
        ValueError: for another device.
    """
    here, there = value.device, x.device
    if here.type != there.type or (None not in (here.index, there.index) and here != there):
        right = "torch.Generator" if isinstance(value, torch.Generator) else f"{name}.to"
        raise ValueError(
            f"{name} is on {here} and {reference} on {there}; {right}({str(there)!r}) helps."
        )


def check_generator(generator: Any, x: Tensor) -> None:
    """Refuses what is no source of randomness for x.

    Raises:
        TypeError: for anything but a torch.Generator, or one per item: a seed, None, numpy's.
        ValueError: for a generator of another device than x's, or another number of them.
    """
    if not isinstance(generator, Randomness):
        raise TypeError(
            f"generator is {kind(generator)}; it must be a torch.Generator, such as "
            "torch.Generator(x.device).manual_seed(0)."
        )
    check_device("generator", generator, x)
    if isinstance(generator, Generators) and len(generator) != len(x):
        raise ValueError(f"{len(generator)} generators do not fit a batch of {len(x)}.")


def dtype(x: Tensor) -> str:
    """A type of numbers, as people write it."""
    return str(x.dtype).removeprefix("torch.")


def shape(x: Tensor) -> str:
    """A shape, as people write it."""
    return str(tuple(x.shape))
