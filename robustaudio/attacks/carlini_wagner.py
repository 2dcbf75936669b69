"""Carlini & Wagner: the smallest perturbation by optimisation, in l2 and in decibels."""

from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from robustaudio.attacks.attack import AttackResult, Progress, Search, ascent
from robustaudio.perception.metrics import l2, linf
from robustaudio.threats.criterion import Criterion
from robustaudio.threats.norms import TINY, per_item
from robustaudio.threats.threat_model import ThreatModel

MOMENTUM = 0.9  # Adam's
IDLE = 1e-4  # a tenth of the steps without so much progress ends a search (as in the authors' code)


@dataclass(frozen=True)
class CarliniWagner:
    """The smallest l2 perturbation (Carlini & Wagner 2017, arXiv:1608.04644, section VI).

    Minimises ||d||^2 + c max(margin + confidence, 0) with Adam, the box constraint by projection
    (section V-B), and looks for the smallest c that succeeds, per clip.
    """

    steps: int = field(default=100, metadata={"help": "steps per weight c", "range": (10, 2000)})
    searches: int = field(
        default=5, metadata={"help": "weights c that are tried", "range": (1, 20)}
    )
    initial_c: float = field(
        default=0.1, metadata={"help": "the first weight c", "range": (0, 100)}
    )
    learning_rate: float = field(
        default=1e-3, metadata={"help": "of Adam, as a share of the peak", "range": (0, 0.1)}
    )
    confidence: float = field(
        default=0.0, metadata={"help": "margin of logits to reach", "range": (0, 50)}
    )

    def __post_init__(self):
        _check(self.steps, self.learning_rate)
        if self.searches < 1 or not self.initial_c > 0 or not self.confidence >= 0:
            raise ValueError(
                f"searches {self.searches} must be at least 1, initial_c {self.initial_c} above 0, "
                f"and confidence {self.confidence} at least 0."
            )

    def __call__(
        self,
        model: nn.Module,
        x: Float[Tensor, "batch *shape"],
        criterion: Criterion,
        threat: ThreatModel,
        *,
        generator: torch.Generator,
        progress: Progress | None = None,
    ) -> AttackResult:
        search = Search(model, x, criterion, threat, progress, self.confidence)
        weight = x.new_full((len(x),), self.initial_c)
        low, high = torch.zeros_like(weight), torch.full_like(weight, torch.inf)
        for number in range(self.searches):
            succeeded = self._minimise(search, weight, number)
            low, high = (
                torch.where(succeeded, low, weight),
                torch.where(succeeded, weight, high),
            )
            weight = torch.where(high.isfinite(), (low + high) / 2, 10 * weight)
        return search.result()

    def _minimise(self, search: Search, weight: Tensor, number: int) -> Tensor:
        """One search from the clip itself; which items it fooled."""
        free, x = search.threat.unlimited, search.x
        point, direction = x, Adam()
        rate = per_item(self.learning_rate * linf(x), x)
        succeeded = torch.zeros_like(search.found)
        lowest, since = x.new_full((len(x),), torch.inf), search.queries.new_zeros(len(x))
        for step in range(self.steps):
            with torch.enable_grad():
                point = point.detach().requires_grad_()
                logits = search.ask(point, search.everything)
                margin = search.criterion.margin(logits)
                excess = (margin + self.confidence).clamp_min(0)
                loss = l2(point - x).square() + weight * excess
                (gradient,) = torch.autograd.grad(loss.sum(), point)
            search.tell((number + step / self.steps) / self.searches)
            succeeded |= search.fooled
            total = loss.detach()
            since = torch.where(total < lowest * (1 - IDLE), 0, since + 1)
            lowest = torch.minimum(total, lowest)
            going = since <= self.steps // 10  # who has stopped stands still, until all have
            if not going.any():
                break
            step_to = rate * direction(gradient) * per_item(going, x)
            point = free.project(point.detach() - step_to, x)
        return succeeded


@dataclass(frozen=True)
class CarliniWagnerAudio:
    """The quietest perturbation (Carlini & Wagner 2018, arXiv:1801.01944, section III).

    Descends the loss under a limit of the level, dB_x in the linf norm, and lowers the limit after
    each success. In another norm it is that norm's ball that shrinks.
    """

    steps: int = field(default=300, metadata={"help": "steps", "range": (10, 5000)})
    step_size: float = field(
        default=0.1, metadata={"help": "length of a step, as a share of the limit", "range": (0, 1)}
    )
    shrink: float = field(
        default=0.9, metadata={"help": "the limit after a success", "range": (0.1, 0.99)}
    )

    def __post_init__(self):
        _check(self.steps, self.step_size)
        if not 0 < self.shrink < 1:
            raise ValueError(f"shrink {self.shrink} must lie between 0 and 1.")

    def __call__(
        self,
        model: nn.Module,
        x: Float[Tensor, "batch *shape"],
        criterion: Criterion,
        threat: ThreatModel,
        *,
        generator: torch.Generator,
        progress: Progress | None = None,
    ) -> AttackResult:
        search = Search(model, x, criterion, threat, progress)
        quietest(search, self.steps, self.step_size, self.shrink)
        return search.result()


def quietest(
    search: Search, steps: int, step_size: float, shrink: float, part: float = 1.0
) -> None:
    """Steps along Adam's momentum in a ball that shrinks after each success.

    Adam's other moment scales every element: the sign of the linf norm undoes that, and in another
    norm it would turn the step away from the steepest. `part` says how much of the whole search
    this is.
    """
    x, point, momentum = search.x, search.x, torch.zeros_like(search.x)
    limit = search.threat.epsilon.to(x)
    for step in range(steps + 1):
        _, gradient = ascent(search, point, search.everything)
        search.tell(part * step / (steps + 1))
        if step == steps:
            return
        smaller = shrink * torch.minimum(limit, search.threat.distance(point - x))
        limit = torch.where(search.fooled, smaller, limit)
        ball = replace(search.threat, epsilon=limit)
        momentum = MOMENTUM * momentum + (1 - MOMENTUM) * gradient
        point = ball.project(point + step_size * ball.steepest(momentum), x)


class Adam:
    """The direction of Adam's step (Kingma & Ba 2014, algorithm 1), about 1 in every element."""

    def __init__(self, decay: tuple[float, float] = (0.9, 0.999)):
        self.decay, self.steps = decay, 0
        self.mean, self.square = torch.zeros(()), torch.zeros(())

    def __call__(self, gradient: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        slow, slower = self.decay
        self.steps += 1
        self.mean = slow * self.mean.to(gradient) + (1 - slow) * gradient
        self.square = slower * self.square.to(gradient) + (1 - slower) * gradient.square()
        mean = self.mean / (1 - slow**self.steps)
        square = self.square / (1 - slower**self.steps)
        return mean / (square.sqrt() + TINY)


def _check(steps: int, step_size: float) -> None:
    if steps < 1 or not step_size > 0:
        raise ValueError(
            f"steps {steps} must be at least 1, and the step size {step_size} above 0."
        )
