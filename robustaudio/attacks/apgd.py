"""APGD: projected gradient ascent that chooses its own step sizes (Croce & Hein 2020)."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from robustaudio.attacks.attack import Attack
from robustaudio.attacks.search import Search, ascent
from robustaudio.audio.draws import Randomness
from robustaudio.options import option
from robustaudio.threats.criterion import Criterion
from robustaudio.threats.geometry import TINY, per_item


@dataclass(frozen=True)
class APGD(Attack):
    """PGD with momentum that chooses its own step sizes (Croce & Hein 2020, arXiv:2003.01690).

    The step starts at 2 epsilon; at checkpoints it is halved, and the search goes back to its best
    point, where too few steps have raised the loss (algorithm 1). The loss is the cross-entropy,
    or the difference of logits ratio (DLR; eq. 6 and 8), which no scale of the logits can blind.
    """

    title: ClassVar[str] = "APGD"

    steps: int = option(100, "steps per restart", 2, 1000)
    restarts: int = option(1, "independent starts", 1, 20)
    loss: str = option("ce", "cross-entropy, or difference of logits ratio", choices=("ce", "dlr"))
    rho: float = option(0.75, "share of steps that must raise the loss", 0.05, 1, above=0, most=1)

    def run(self, search: Search, generator: Randomness) -> None:
        for restart in range(self.restarts):
            start = search.threat.sample(search.x, generator)
            if not search.succeeded.all():
                self._climb(search, start, restart)

    def _climb(self, search: Search, start: Tensor, restart: int) -> None:
        """One run of algorithm 1 for every item that is not fooled yet."""
        index = (~search.succeeded).nonzero().flatten()
        point = start[index]
        loss, gradient = self._ask(search, point, index)
        last = point
        best, best_loss, best_gradient = point, loss, gradient
        size = torch.full_like(loss, 2.0)  # of the step, in epsilon
        rises = torch.zeros_like(loss)  # steps since the last checkpoint that raised the loss
        checked_size, checked_loss = size, loss
        checkpoints = _checkpoints(self.steps)
        for step in range(1, self.steps + 1):
            search.report((restart + step / self.steps) / self.restarts)
            going = ~search.succeeded[index]
            if not going.any():
                return
            if not going.all():
                (index, point, last, loss, gradient, best, best_loss, best_gradient, size, rises,
                 checked_size, checked_loss) = (
                    t[going] for t in (index, point, last, loss, gradient, best, best_loss,
                                       best_gradient, size, rises, checked_size, checked_loss)
                )  # fmt: skip
            ball, x = search.rows(search.threat, index), search.rows(search.x, index)
            ahead = ball.project(point + per_item(size, point) * ball.steepest(gradient), x)
            momentum = 0.75 if step > 1 else 1.0
            moved = point + momentum * (ahead - point) + (1 - momentum) * (point - last)
            last, before = point, loss
            point = ball.project(moved, x)
            loss, gradient = self._ask(search, point, index)
            rises = rises + (loss > before)
            better = loss > best_loss
            best_loss = torch.where(better, loss, best_loss)
            best, best_gradient = (
                torch.where(per_item(better, now), now, then)
                for now, then in ((point, best), (gradient, best_gradient))
            )
            if step in checkpoints:
                stuck = rises < self.rho * checkpoints[step]
                idle = (checked_size == size) & (checked_loss == best_loss)
                checked_size, checked_loss = size, best_loss
                halve = stuck | idle
                size = torch.where(halve, size / 2, size)
                back = per_item(halve, point)
                point, last = torch.where(back, best, point), torch.where(back, best, last)
                gradient = torch.where(back, best_gradient, gradient)
                loss = torch.where(halve, best_loss, loss)
                rises = torch.zeros_like(rises)

    def _ask(self, search: Search, point: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
        """The loss to climb, and its gradient."""
        if self.loss == "ce":
            return ascent(search, point, index)
        criterion = search.criterion[index]
        ratio = partial(difference_of_logits_ratio, criterion=criterion)
        return ascent(search, point, index, loss=ratio)


def difference_of_logits_ratio(
    logits: Float[Tensor, "batch label"], criterion: Criterion
) -> Float[Tensor, " batch"]:
    """Minus the criterion's margin, over the spread of the highest logits (Croce & Hein, eq. 6).

    The spread is from the highest to the mean of third and fourth, as in eq. 8; to the third
    where there are three labels, and 1 where there are two.
    """
    ordered = logits.sort(dim=1, descending=True).values
    spread = ordered[:, 0] - ordered[:, 2:4].mean(1) if logits.shape[1] > 2 else 1.0
    return -criterion.margin(logits) / (spread + TINY)


def _checkpoints(steps: int) -> dict[int, int]:
    """Steps at which the step size is reconsidered, with the steps since the last one.

    The share p grows by less and less: p_1 = 0.22, p_(j+1) = p_j + max(p_j - p_(j-1) - 0.03, 0.06).
    """
    shares = [0.0, 0.22]
    while shares[-1] < 1:
        shares.append(shares[-1] + max(shares[-1] - shares[-2] - 0.03, 0.06))
    at = [max(1, round(share * steps)) for share in shares[1:]]
    return {b: b - a for a, b in zip([0, *at], at, strict=False) if b > a}
