"""Carlini & Wagner: the smallest perturbation by optimisation, in l2 and in decibels."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from robustaudio.attacks.attack import Attack
from robustaudio.attacks.search import Search, ascent
from robustaudio.audio.draws import Randomness
from robustaudio.options import option
from robustaudio.perception.levels import l2
from robustaudio.threats.geometry import TINY, per_item

FINAL_RATE = 0.01  # of the step, over so many steps as a search has
MOMENTUM, SHRINKING_MOMENTUM = 0.8, 0.9  # in l2, and in the ball that shrinks


@dataclass(frozen=True)
class CarliniWagner(Attack):
    """The smallest l2 perturbation (Carlini & Wagner 2017, arXiv:1608.04644, section VI).

    Minimises ||d||^2 + c max(margin + confidence, 0), the box constraint by projection (section
    V-B), and looks for the smallest c that succeeds, per clip. The optimiser is not the paper's
    Adam: every gradient counts with length 1 in a momentum, and the step's length is given, and
    falls from the first success on. The first c is in units of the one that puts the minimum on a
    linear classifier's boundary. Both save steps (`benchmarks/README.md`).
    """

    title: ClassVar[str] = "Carlini–Wagner (L2)"
    minimises: ClassVar[bool] = True

    steps: int = option(50, "steps per weight c", 5, 2000)
    searches: int = option(3, "weights c that are tried", 1, 20)
    initial_c: float = option(3.0, "the first weight c, in a linear one's", 0, 1000, above=0)
    step_size: float = option(
        0.1, "of the first step, as a share of the clip's norm", 0, 1, above=0
    )
    confidence: float = option(0.0, "margin of logits to reach", 0, 50, least=0)

    def run(self, search: Search, generator: Randomness) -> None:
        excess, gradient = self._excess(search, search.x)
        weight = self.initial_c * 2 * excess / l2(gradient).square().clamp_min(TINY)
        low, high = torch.zeros_like(weight), torch.full_like(weight, torch.inf)
        for number in range(self.searches):
            succeeded = self._minimise(search, weight, number)
            low = torch.where(succeeded, low, weight)
            high = torch.where(succeeded, weight, high)
            weight = torch.where(high.isfinite(), (low + high) / 2, 10 * weight)

    def _minimise(self, search: Search, weight: Tensor, number: int) -> Tensor:
        """One search from the clip itself; which items it fooled."""
        free, x = search.threat.unlimited, search.x
        point, mean, succeeded = x, torch.zeros_like(x), torch.zeros_like(search.succeeded)
        since = torch.zeros_like(weight)  # steps since the first success
        for step in range(self.steps):
            _, gradient = self._excess(search, point)
            search.report((number + step / self.steps) / self.searches)
            succeeded |= search.fooled
            gradient = 2 * (point - x) + per_item(weight, x) * gradient
            unit = gradient / per_item(l2(gradient), x).clamp_min(TINY)
            mean = MOMENTUM * mean + (1 - MOMENTUM) * unit
            since = since + succeeded
            length = self.step_size * FINAL_RATE ** (since / self.steps) * l2(x)
            ahead = per_item(length, x) * mean / (1 - MOMENTUM ** (step + 1))
            point = free.project(point - ahead, x)
        return succeeded

    def _excess(self, search: Search, point: Tensor) -> tuple[Tensor, Tensor]:
        """max(margin + confidence, 0), and its gradient."""

        def excess(logits: Tensor) -> Tensor:
            return (search.criterion.margin(logits) + self.confidence).clamp_min(0)

        return ascent(search, point, search.everything, loss=excess)


@dataclass(frozen=True)
class CarliniWagnerAudio(Attack):
    """The quietest perturbation (after Carlini & Wagner 2018, arXiv:1801.01944).

    Descends the criterion's loss under a limit of the level, dB_x in the linf norm, and lowers the
    limit after each success. In another norm it is that norm's ball that shrinks.
    """

    title: ClassVar[str] = "Carlini–Wagner audio (dB)"
    minimises: ClassVar[bool] = True

    steps: int = option(300, "steps", 10, 5000)
    step_size: float = option(0.1, "length of a step, as a share of the limit", 0, 1, above=0)
    shrink: float = option(0.9, "the limit after a success", 0.1, 0.99, above=0, below=1)

    def run(self, search: Search, generator: Randomness) -> None:
        quietest(search, self.steps, self.step_size, self.shrink)


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
    for step in range(steps):
        _, gradient = ascent(search, point, search.everything)
        search.report(part * step / (steps + 1))
        smaller = shrink * torch.minimum(limit, search.threat.distance(point - x))
        limit = torch.where(search.fooled, smaller, limit)
        ball = replace(search.threat, epsilon=limit)
        momentum = SHRINKING_MOMENTUM * momentum + (1 - SHRINKING_MOMENTUM) * gradient
        point = ball.project(point + step_size * ball.steepest(momentum), x)
    search.ask(point, search.everything)
    search.report(part * steps / (steps + 1))
