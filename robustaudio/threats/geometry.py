"""How a norm measures, projects, ascends and samples, apart from what people call it."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from robustaudio.audio.draws import Randomness, normal, uniform
from robustaudio.perception.levels import l2, linf

TINY = 1e-12  # guards a division by the norm of a zero gradient


@dataclass(frozen=True)
class Geometry:
    """The ball of a norm as four functions; `radius` has the shape (batch, 1...).

    `measure(delta)` is the size of each item, `project(delta, radius)` the nearest point of the
    ball (of the masking set: a near one), `steepest(gradient)` the step of size 1 that raises a
    linear function most, `sample(like, radius, generator)` a random point.

    >>> SPHERE.project(torch.tensor([[3.0, 4.0]]), torch.tensor([[1.0]]))
    tensor([[0.6000, 0.8000]])
    >>> BOX.project(torch.tensor([[3.0, -4.0]]), torch.tensor([[1.0]]))
    tensor([[ 1., -1.]])
    """

    measure: Callable[[Tensor], Tensor]
    project: Callable[[Tensor, Tensor], Tensor]
    steepest: Callable[[Tensor], Tensor]
    sample: Callable[[Tensor, Tensor, Randomness], Tensor]


def per_item(value: Tensor, like: Tensor) -> Tensor:
    """One value per item, in a shape that multiplies `like`.

    >>> per_item(torch.tensor([2.0, 3.0]), torch.ones(2, 4, 5)).shape
    torch.Size([2, 1, 1])
    """
    return value.reshape(-1, *[1] * (like.ndim - 1))


def _project_linf(delta: Tensor, radius: Tensor) -> Tensor:
    return torch.minimum(torch.maximum(delta, -radius), radius)  # a third of the time of clamp


def _project_l2(delta: Tensor, radius: Tensor) -> Tensor:
    return delta * (radius / per_item(l2(delta), delta).clamp_min(TINY)).clamp_max(1)


def _steepest_l2(gradient: Tensor) -> Tensor:
    return gradient / per_item(l2(gradient), gradient).clamp_min(TINY)


def _sample_linf(like: Tensor, radius: Tensor, generator: Randomness) -> Tensor:
    return (2 * uniform(like, generator) - 1) * radius


def _sample_l2(like: Tensor, radius: Tensor, generator: Randomness) -> Tensor:
    """Uniform in the ball: a uniform direction, and a length ~ U^(1/d)."""
    direction = _steepest_l2(normal(like, generator))
    length = uniform(like.new_empty(len(like)), generator)
    dimension = like[0].numel()
    return direction * radius * per_item(length ** (1 / dimension), like)


BOX = Geometry(linf, _project_linf, torch.sign, _sample_linf)
SPHERE = Geometry(l2, _project_l2, _steepest_l2, _sample_l2)
