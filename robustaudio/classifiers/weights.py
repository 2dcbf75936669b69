"""Weights in safetensors: compared with what a card describes before memory is taken for them."""

import math
from collections.abc import Mapping
from pathlib import Path

from safetensors import safe_open
from torch import Tensor

Shapes = Mapping[str, tuple[int, ...]]
LONGEST_HEADER = 2_000_000  # bytes; a tensor has some 120
WIDEST = 8  # bytes of a number


class RefusedWeights(ValueError):
    """Weights that are not used; the message is a sentence of its own."""


def check_size(path: Path, shapes: Shapes) -> None:
    """
    Raises:
        ValueError: for a file that is larger than tensors of these shapes can be.
        OSError: where there is none.
    """
    numbers = sum(map(math.prod, shapes.values()))
    if path.stat().st_size > LONGEST_HEADER + 8 + WIDEST * numbers:
        raise ValueError("it is larger than such weights.")


def read_weights(path: Path, shapes: Shapes) -> dict[str, Tensor]:
    """The tensors of a file, which have these names and shapes.

    Raises:
        ValueError: for other ones, naming the tensor.
        RefusedWeights: for numbers that are not finite.
        safetensors.SafetensorError, OSError: for a file that is none.
    """
    with safe_open(path, framework="pt") as file:
        if strange := sorted(shapes.keys() ^ set(file.keys())):
            raise ValueError(f"{strange[0][:100]!r} stands in one of them only.")
        for name, shape in shapes.items():
            if tuple(file.get_slice(name).get_shape()) != shape:
                raise ValueError(f"{name!r} is not {shape}.")
        tensors = {name: file.get_tensor(name) for name in shapes}
    for name, tensor in tensors.items():
        if not bool(tensor.isfinite().all()):
            raise RefusedWeights(f"{path.name} holds NaN or infinite weights, in {name!r}.")
    return tensors
