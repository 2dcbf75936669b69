"""A device without float64, pretended on the CPU: what Apple's MPS refuses raises here too."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

MPS = torch.device("mps")
WIDE = (torch.float64, torch.complex128)
AS_IT_IS = (torch._has_compatible_shallow_copy_type, torch.device)
MOVES = (Tensor.copy_, Tensor.__setitem__, Tensor.data.__set__)  # across devices


def tagged(value: Any) -> bool | None:
    """Whether a tensor is there; None of what C++ made, where nobody saw it."""
    return getattr(value, "pretended_mps", None)


def tag(value: Any, on: bool = True) -> Any:
    if isinstance(value, Tensor):
        if on and value.dtype in WIDE:
            raise TypeError("Cannot convert a MPS Tensor to float64 dtype, use float32 instead.")
        value.pretended_mps = on  # type: ignore[attr-defined]
    return value


def is_mps(value: Any) -> bool:
    return isinstance(value, str | torch.device) and str(value).startswith("mps")


def on_cpu(value: Any) -> Any:
    return torch.device("cpu") if is_mps(value) else value


class PretendedMps(TorchFunctionMode):
    """Tensors moved to "mps" say that they are there, and meet their like only."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        tensors = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
        if func == torch._C._nn._parse_to:  # of `Module.to`
            device, *others = func(*args, **kwargs)
            return (MPS if any(map(tagged, tensors)) else device, *others)
        if func in AS_IT_IS:
            return func(*args, **kwargs)
        if func == Tensor.device.__get__:
            return MPS if tagged(args[0]) else func(*args)
        if func == Tensor.numpy and tagged(args[0]):
            raise TypeError("can't convert mps:0 device type tensor to numpy.")
        if func in (Tensor.to, Tensor.cpu):
            return self._moved(func, args, kwargs)
        if func == Tensor.data.__set__:
            func(*args)
            tag(args[0], tagged(args[1]))
            return None
        here = any(map(tagged, tensors))
        indexing = func == Tensor.__getitem__ and tagged(args[0])
        strangers = [t for t in tensors if tagged(t) is False and t.ndim]
        if here and strangers and not indexing and func not in MOVES:
            raise RuntimeError(f"Expected all tensors to be on the same device ({func}).")
        if kwargs.get("device") is not None:
            here = is_mps(kwargs["device"])
        result = func(*tree_map(on_cpu, args), **tree_map(on_cpu, kwargs))
        return tree_map(lambda value: tag(value, here), result)

    def _moved(self, func: Any, args: Any, kwargs: Any) -> Tensor:
        x, *rest = args
        there = tagged(x) and func == Tensor.to
        for value in (*rest, *kwargs.values()):
            if isinstance(value, Tensor):
                there = tagged(value)
            elif isinstance(value, str | torch.device):
                there = is_mps(value)
        moved = func(*tree_map(on_cpu, args), **tree_map(on_cpu, kwargs))
        return tag(moved.clone() if moved is x and there != tagged(x) else moved, there)


class PretendedGenerator(torch.Generator):
    """Draws on the CPU, and says that it is where it was asked for."""

    where: torch.device

    def __new__(cls, device: Any = "cpu") -> "PretendedGenerator":
        made = super().__new__(cls, on_cpu(device))
        made.where = torch.device(device)
        return made

    @property
    def device(self) -> torch.device:
        return self.where


@contextmanager
def pretended_mps(patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Within the block there is a device "mps"."""
    copied = nn.Parameter.__deepcopy__

    def deepcopy(parameter: nn.Parameter, memo: dict) -> nn.Parameter:
        return tag(copied(parameter, memo), tagged(parameter))

    with patch.context() as inside, PretendedMps():
        inside.setattr(torch, "Generator", PretendedGenerator)
        inside.setattr(nn.Parameter, "__deepcopy__", deepcopy)
        yield
