"""Weights in safetensors: compared with what a card describes before memory is taken for them."""

import json
import math
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from robustaudio.outside import loads

Shapes = Mapping[str, tuple[int, ...]]
LONGEST_HEADER = 2_000_000  # bytes; a tensor has some 120
WIDEST = 8  # bytes of a number


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
        ValueError: for other ones, and for numbers that are not finite, naming the tensor.
        safetensors.SafetensorError, OSError: for a file that is none.
    """
    stored = _shapes_in(path)
    if strange := sorted(stored.keys() ^ shapes.keys()):
        raise ValueError(f"{strange[0][:100]!r} stands in one of them only.")
    for name, shape in shapes.items():
        if stored[name] != list(shape):
            raise ValueError(f"{name!r} is not {shape}.")
    tensors = load_file(path)
    for name, tensor in tensors.items():
        if not bool(tensor.isfinite().all()):
            raise NotFinite(f"{path.name} holds NaN or infinite weights, in {name!r}.")
    return tensors


class NotFinite(ValueError):
    """Weights with which nothing can be computed; the message is a sentence of its own."""


def _shapes_in(path: Path) -> dict[str, list]:
    """What the header says: a length of 8 bytes, then JSON (safetensors' own format)."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= LONGEST_HEADER:
            raise ValueError(f"its header has {length} bytes.")
        header = loads(file.read(length).decode("utf-8"), "its header", 200_000)
    if not isinstance(header, dict):
        raise ValueError("its header is no JSON object.")
    header.pop("__metadata__", None)
    return {name: _shape(entry) for name, entry in header.items()}


def _shape(entry: object) -> list:
    shape = entry.get("shape") if isinstance(entry, dict) else None
    if not isinstance(shape, list) or not all(type(size) is int for size in shape):
        raise ValueError(f"its header says {json.dumps(entry)[:100]} of a tensor.")
    return shape
