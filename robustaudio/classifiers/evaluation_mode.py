"""A model as it predicts, for the time of a call, in whatever mode its owner left it.

In training mode dropout is random, and batch normalisation changes its running statistics with
every question.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import wraps
from threading import Lock
from typing import Any, TypeVar, cast

import torch
from torch import nn

Function = TypeVar("Function", bound=Callable)


@contextmanager
def evaluation_mode(model: nn.Module, gradients: bool = False) -> Iterator[None]:
    """Every submodule in evaluation mode; afterwards each has its own flag again.

    Calls may overlap, in threads too: the flags are set back when the last one ends. `gradients`
    says that there will be gradients: cuDNN has none of a recurrent layer in evaluation mode, so
    that such a layer on a GPU works without cuDNN meanwhile.
    """
    with ExitStack() as flags:
        for module in model.modules():
            flags.enter_context(_off(module, "training"))
        if gradients and any(map(_needs_cudnn_off, model.modules())):
            flags.enter_context(_off(torch.backends.cudnn, "enabled"))
        yield


def in_evaluation_mode(function: Function) -> Function:
    """A function whose first argument is a classifier, which is in evaluation mode meanwhile."""

    @wraps(function)
    def call(classifier: nn.Module, *args: Any, **kwargs: Any) -> Any:
        with evaluation_mode(classifier):
            return function(classifier, *args, **kwargs)

    return cast(Function, call)


@dataclass
class _Held:
    """A flag that is off, its owner's own value, and how many calls need it off."""

    owner: Any
    before: bool
    calls: int = 0


_LOCK = Lock()
_HELD: dict[tuple[int, str], _Held] = {}  # empty unless a call is running


@contextmanager
def _off(owner: Any, name: str) -> Iterator[None]:
    with _LOCK:
        before = getattr(owner, name)
        setattr(owner, name, False)  # first: where this fails, nothing is held
        held = _HELD.setdefault((id(owner), name), _Held(owner, before))
        held.calls += 1
    try:
        yield
    finally:
        with _LOCK:
            held.calls -= 1
            if not held.calls:
                setattr(owner, name, held.before)
                del _HELD[id(owner), name]


def _needs_cudnn_off(module: nn.Module) -> bool:
    return isinstance(module, nn.RNNBase) and any(p.is_cuda for p in module.parameters())
