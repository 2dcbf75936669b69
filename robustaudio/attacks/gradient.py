"""Attacks that follow the gradient inside a ball: FGSM, BIM, PGD, momentum."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from robustaudio.attacks.attack import Attack
from robustaudio.attacks.search import Search, ascent, surest
from robustaudio.audio.draws import Randomness
from robustaudio.options import option
from robustaudio.threats.geometry import TINY, per_item


@dataclass(frozen=True)
class FGSM(Attack):
    """One step of size epsilon along the gradient (Goodfellow et al. 2014, arXiv:1412.6572)."""

    title: ClassVar[str] = "FGSM"

    def run(self, search: Search, generator: Randomness) -> None:
        """The same as PGD with one step of size epsilon from x itself."""
        _walk(search, search.x, steps=1, step_size=1.0)


@dataclass(frozen=True)
class BIM(Attack):
    """FGSM in small steps from the clip itself (Kurakin et al. 2016, arXiv:1607.02533).

    Variant "a" stops at the first success; "b" takes all the steps, and gives the success of
    highest loss: louder, and surer.
    """

    title: ClassVar[str] = "BIM"

    steps: int = option(20, "steps", 1, 1000)
    step_size: float = option(0.1, "length of a step, as a share of epsilon", 0, 2, above=0)
    variant: str = option("a", "a: stop at the first success; b: all steps", choices=("a", "b"))

    def run(self, search: Search, generator: Randomness) -> None:
        stops = self.variant == "a"
        _walk(search, search.x, steps=self.steps, step_size=self.step_size, stops=stops)


@dataclass(frozen=True)
class PGD(Attack):
    """Projected steps along the gradient (Madry et al. 2017, arXiv:1706.06083).

    Items that have been fooled leave the batch. Equal generators give equal results.
    """

    title: ClassVar[str] = "PGD"

    steps: int = option(40, "steps per restart", 1, 1000)
    restarts: int = option(1, "independent starts", 1, 20)
    step_size: float = option(0.1, "length of a step, as a share of epsilon", 0, 2, above=0)
    random_start: bool = option(True, "start at a random point of the ball, not at the clip")

    def run(self, search: Search, generator: Randomness) -> None:
        x = search.x
        for restart in range(self.restarts):
            start = search.threat.sample(x, generator) if self.random_start else x
            part = (restart / self.restarts, 1 / self.restarts)
            _walk(search, start, steps=self.steps, step_size=self.step_size, part=part)


@dataclass(frozen=True)
class MIFGSM(Attack):
    """FGSM in small steps with momentum (MI-FGSM; Dong et al. 2018, arXiv:1710.06081).

    The gradients are summed up, each divided by its l1 norm; the steps add up to epsilon.
    """

    title: ClassVar[str] = "MI-FGSM"

    steps: int = option(20, "steps", 1, 1000)
    decay: float = option(1.0, "what is kept of the earlier gradients", 0, 2, least=0)

    def run(self, search: Search, generator: Randomness) -> None:
        _walk(search, search.x, steps=self.steps, step_size=1 / self.steps, decay=self.decay)


def _walk(
    search: Search,
    start: Float[Tensor, "batch *shape"],
    *,
    steps: int,
    step_size: float,
    decay: float = 0.0,
    stops: bool = True,
    part: tuple[float, float] = (0.0, 1.0),
) -> None:
    """Projected steps of `step_size` epsilon; `part` is (begin, length) of the whole search.

    Items with a success leave, unless the walk does not stop: then the highest loss is kept.
    """
    index, rank = (~search.succeeded).nonzero().flatten(), None if stops else surest
    if not len(index):
        return
    point, ball = search.rows(start, index), search.rows(search.threat, index)
    stride, project = ball.scaled(step_size), ball.around(search.rows(search.x, index))
    velocity = torch.zeros_like(point)
    for step in range(steps):
        _, gradient = ascent(search, point, index, rank, projected=stops)
        search.report(part[0] + part[1] * step / (steps + 1))
        if stops and search.fooled.any():
            going = ~search.succeeded[index]
            index, point, gradient, velocity = (
                rows[going] for rows in (index, point, gradient, velocity)
            )
            if not len(index):
                return
            stride, project = stride[going], search.threat[index].around(search.x[index])
        if decay:
            size = per_item(gradient.flatten(1).abs().sum(1), gradient)
            gradient = velocity = decay * velocity + gradient / size.clamp_min(TINY)
        point = project(stride.steepest(gradient).add_(point))
    search.ask(point, index, rank)
    search.report(part[0] + part[1] * steps / (steps + 1))
