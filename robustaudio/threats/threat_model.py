"""A threat is a value: a ball of perturbations in a norm, at a representation, within bounds."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from robustaudio.perception.metrics import l2, linf

TINY = 1e-12  # guards a division by the norm of a zero gradient


@dataclass(frozen=True)
class Norm:
    """How a norm measures, projects, ascends and samples; `radius` has the shape (batch, 1...)."""

    measure: Callable[[Tensor], Tensor]
    project: Callable[[Tensor, Tensor], Tensor]
    steepest: Callable[[Tensor], Tensor]
    sample: Callable[[Tensor, Tensor, torch.Generator], Tensor]


def _per_item(value: Tensor, like: Tensor) -> Tensor:
    return value.reshape(-1, *[1] * (like.ndim - 1))


def _project_l2(delta: Tensor, radius: Tensor) -> Tensor:
    return delta * (radius / _per_item(l2(delta), delta).clamp_min(TINY)).clamp_max(1)


def _steepest_l2(gradient: Tensor) -> Tensor:
    return gradient / _per_item(l2(gradient), gradient).clamp_min(TINY)


def _sample_linf(like: Tensor, radius: Tensor, generator: torch.Generator) -> Tensor:
    uniform = torch.rand(like.shape, generator=generator, device=like.device, dtype=like.dtype)
    return (2 * uniform - 1) * radius


def _sample_l2(like: Tensor, radius: Tensor, generator: torch.Generator) -> Tensor:
    """Uniform in the ball: a uniform direction, and a length ~ U^(1/d)."""
    normal = torch.randn(like.shape, generator=generator, device=like.device, dtype=like.dtype)
    length = torch.rand(len(like), generator=generator, device=like.device, dtype=like.dtype)
    dimension = like[0].numel()
    return _steepest_l2(normal) * radius * _per_item(length ** (1 / dimension), like)


NORMS = {
    "linf": Norm(linf, lambda d, r: torch.clamp(d, -r, r), torch.sign, _sample_linf),
    "l2": Norm(l2, _project_l2, _steepest_l2, _sample_l2),
}


@dataclass(frozen=True, eq=False)
class ThreatModel:
    """All x + d with ||d|| <= epsilon at `representation`, inside `bounds`.

    `epsilon` is one radius per item. The bounds are those of the representation: +-1 for a
    waveform, (0, inf) for magnitudes and energies; where x itself lies outside, it may stay.
    """

    norm: str
    epsilon: Float[Tensor, " batch"]
    representation: str = "waveform"
    bounds: tuple[float, float] = (-1.0, 1.0)

    def __post_init__(self):
        if self.norm not in NORMS:
            raise ValueError(f"no norm {self.norm!r}; choose from {', '.join(NORMS)}.")
        if not bool((self.epsilon >= 0).all()):
            raise ValueError(f"epsilon {self.epsilon.tolist()} must not be negative or NaN.")

    def __getitem__(self, index: Tensor) -> "ThreatModel":
        """The same threat for some of the items."""
        return replace(self, epsilon=self.epsilon[index])

    def distance(self, perturbation: Float[Tensor, "batch *shape"]) -> Float[Tensor, " batch"]:
        """Size of each perturbation in the threat's norm."""
        return NORMS[self.norm].measure(perturbation)

    def project(
        self, adversarial: Float[Tensor, "batch *shape"], x: Float[Tensor, "batch *shape"]
    ) -> Float[Tensor, "batch *shape"]:
        """The nearest point of the ball around x, then of the bounds (it stays in the ball)."""
        delta = NORMS[self.norm].project(adversarial - x, self._radius(x))
        return self._bounded(x + delta, x)

    def steepest(self, gradient: Float[Tensor, "batch *shape"]) -> Float[Tensor, "batch *shape"]:
        """The step of size epsilon that raises a linear function most."""
        return NORMS[self.norm].steepest(gradient) * self._radius(gradient)

    def sample(
        self, x: Float[Tensor, "batch *shape"], generator: torch.Generator
    ) -> Float[Tensor, "batch *shape"]:
        """A uniform point of the ball around x, inside the bounds."""
        delta = NORMS[self.norm].sample(x, self._radius(x), generator)
        return self._bounded(x + delta, x)

    def _bounded(self, adversarial: Tensor, x: Tensor) -> Tensor:
        """Inside the bounds, or as far outside as x itself is: clamping must not move x."""
        low, high = self.bounds
        return torch.clamp(adversarial, x.clamp_max(low), x.clamp_min(high))

    def _radius(self, like: Tensor) -> Tensor:
        return _per_item(self.epsilon.to(like), like)
