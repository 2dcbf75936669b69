"""DeepFool: from one linearised boundary to the next."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from robustaudio.attacks.attack import Attack
from robustaudio.attacks.search import Search, decisive
from robustaudio.audio.draws import Randomness
from robustaudio.options import option
from robustaudio.threats.criterion import Criterion
from robustaudio.threats.geometry import TINY, per_item
from robustaudio.threats.threat_model import ThreatModel


@dataclass(frozen=True)
class DeepFool(Attack):
    """The smallest perturbation, by linearising the decision (Moosavi-Dezfooli et al. 2016).

    Algorithm 2 of arXiv:1511.04599, in the norm of the threat. Every step crosses the
    nearest of the linearised boundaries; towards a target, the farthest of those to cross. The
    threat's ball does not hold the search back: what ends outside it is no success.
    """

    title: ClassVar[str] = "DeepFool"
    minimises: ClassVar[bool] = True

    steps: int = option(50, "steps at most", 1, 200)
    overshoot: float = option(0.02, "how far behind the boundary, as a share", 0, 1, least=0)

    def run(self, search: Search, generator: Randomness) -> None:
        x = search.x
        index, point, total = search.everything, x, torch.zeros_like(x)
        for step in range(self.steps):
            height, gradients = _boundaries(search, point, index)
            search.report(step / (self.steps + 1))
            going = ~search.fooled
            if not going.any():
                return
            index, total = index[going], total[going]
            ball, around = search.rows(search.threat, index), search.rows(x, index)
            unit = replace(ball, epsilon=torch.ones_like(ball.epsilon))
            criterion = search.rows(search.criterion, index)
            total = total + _crossing(criterion, unit, height[going], gradients[:, going])
            point = ball.unlimited.project(around + (1 + self.overshoot) * total, around)
        search.ask(point, index)
        search.report(self.steps / (self.steps + 1))


def _boundaries(
    search: Search, point: Float[Tensor, "some *shape"], index: Tensor
) -> tuple[Float[Tensor, "some label"], Float[Tensor, "label some *shape"]]:
    """The height above each boundary, and the heights' gradients."""
    with torch.enable_grad():
        point = point.detach().requires_grad_()
        logits = search.ask(point, index)
        # a point ON the boundary would be no success, and the next step would lead back to it
        height = search.rows(search.criterion, index).boundaries(logits)
        height = height + 2 * decisive(logits)[:, None]
        gradients = [
            torch.autograd.grad(heights.sum(), point, retain_graph=True)[0]
            for heights in height.unbind(1)
        ]
    return height.detach(), torch.stack(gradients)


def _crossing(
    criterion: Criterion,
    unit: ThreatModel,
    height: Float[Tensor, "some label"],
    gradients: Float[Tensor, "label some *shape"],
) -> Float[Tensor, "some *shape"]:
    """The shortest step onto the linearised boundary that is next: height over dual norm."""
    down = torch.stack([-unit.steepest(gradient) for gradient in gradients])
    slope = (-down * gradients).flatten(2).sum(2).T  # the dual norm of each gradient
    distance = height / slope.clamp_min(TINY)
    chosen = criterion.next_boundary(distance)
    row = torch.arange(len(chosen), device=chosen.device)
    return per_item(distance[row, chosen], down[0]) * down[chosen, row]
