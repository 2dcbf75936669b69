"""The bookkeeping that attacks share: what was asked, and the best point of every item so far."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from robustaudio.classifiers.answers import answer, check_labels
from robustaudio.progress import Progress
from robustaudio.threats.criterion import Criterion, labels_of
from robustaudio.threats.threat_model import ThreatModel

Rank = Callable[[Tensor, Tensor, Tensor], Tensor]  # (perturbations, losses, items) -> numbers
Rows = TypeVar("Rows", Tensor, Criterion, ThreatModel)  # one row per item
ROUNDING = 4  # steps of the arithmetic by which a point may stand outside the ball
DECISIVE = 32  # steps of the arithmetic by which a success must win: in another batch it still does


@dataclass(frozen=True)
class Population:
    """A generation of a genetic search: best and mean fitness, and how different its members are.

    `diversity` is the mean distance of members from their mean, over the largest allowed change.
    """

    best: float
    mean: float
    diversity: float
    queries: int


@dataclass(frozen=True)
class Step:
    """Where a search stands: means over the items that are still worked on.

    `loss` is the criterion's, `distance` that of the threat's norm; `best()` is the best point of
    every item so far, as long as the search runs.
    """

    loss: float
    distance: float
    population: Population | None = None
    best: Callable[[], Tensor] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, eq=False)
class AttackResult:
    """One row per item: the best success found; where there is none, the point of highest loss.

    `queries` counts forward passes of an item; `history` holds the steps that were reported to
    `progress`, and is empty without one.
    """

    original: Float[Tensor, "batch *shape"]
    adversarial: Float[Tensor, "batch *shape"]
    is_adversarial: Bool[Tensor, " batch"]
    distance: Float[Tensor, " batch"]
    queries: Int[Tensor, " batch"]
    history: tuple[Step, ...]


class Search:
    """Asks the model, counts the questions, and keeps the best point of every item.

    A point is `fooled` where the criterion is met beyond the rounding of the arithmetic, and by a
    margin of `confidence` at least. That counts as success where the point lies inside the threat's
    ball; of two, the one of the lower rank stays: its distance, so that the nearest wins, or what
    an attack says by `rank(perturbations, losses, items)`. What an attack does next is up to
    the attack; the best point is kept here, whatever its last iterate was.
    """

    def __init__(
        self,
        model: nn.Module,
        x: Float[Tensor, "batch *shape"],
        criterion: Criterion,
        threat: ThreatModel,
        progress: Progress | None = None,
        confidence: float = 0.0,
    ):
        self.model, self.x, self.criterion, self.threat = model, x, criterion, threat
        self.progress, self.confidence = progress, confidence
        self.adversarial = x.clone()
        self.answered = False  # whether the model has given logits, which the labels fit
        self.succeeded = torch.zeros(len(x), dtype=torch.bool, device=x.device)
        self.queries = torch.zeros(len(x), dtype=torch.long, device=x.device)
        self.order = x.new_full((len(x),), torch.inf)  # rank of the best success, or -loss
        step = ROUNDING * torch.finfo(x.dtype).eps
        self.reach = threat.epsilon.to(x) * (1 + step) + threat.distance(x) * step
        self.fooled = self.succeeded  # which of the points asked last meet the criterion
        self.losses = self.order  # of the points asked last, with their graph
        self.latest = x, self.everything  # the points asked last, and of which items they are
        self.history: list[Step] = []

    @property
    def everything(self) -> Int[Tensor, " batch"]:
        return torch.arange(len(self.x), device=self.x.device)

    def ask(
        self,
        point: Float[Tensor, "some *shape"],
        index: Int[Tensor, " some"],
        rank: Rank | None = None,
        projected: bool = False,
    ) -> Float[Tensor, "some label"]:
        """The logits at a point of each of some items, with their graph if gradients are on.

        `projected` points, of items without a success, are inside the ball: where all fail,
        nothing has to be measured.
        """
        logits = self._answer(point)
        self.losses = self.rows(self.criterion, index).loss(logits)
        self.queries[index] += 1
        with torch.no_grad():
            self._keep(point.detach(), logits.detach(), index, rank, projected)
        return logits

    def survey(
        self,
        points: Float[Tensor, "some member *shape"],
        index: Int[Tensor, " some"],
        rank: Rank | None = None,
    ) -> Float[Tensor, "some member"]:
        """The losses at several points of each of some items, without a graph.

        Of each item's points one is kept, if it is better than what is kept: the nearest that is
        fooled, or else the one of highest loss.
        """
        some, members = points.shape[:2]
        each, flat = index.repeat_interleave(members), points.flatten(0, 1)
        logits, criterion = self._answer(flat), self.criterion[each]
        losses = criterion.loss(logits)
        order = -losses
        fooled = criterion.margin(logits) < -decisive(logits).clamp_min(self.confidence)
        if bool(fooled.any()):
            delta = flat - self.x[each]
            distance = self.threat[each].distance(delta)
            at = rank(delta, losses, each) if rank else distance
            fooled = fooled & (distance <= self.reach[each])
            order = torch.where(fooled, at - at.max() - losses.abs().max() - 1, order)
        best = order.reshape(some, members).argmin(1)
        best += torch.arange(some, device=index.device) * members  # its place in the batch
        self.losses = losses[best]
        self.queries[index] += members
        self._keep(flat[best], logits[best], index, rank, projected=False)
        return losses.reshape(some, members)

    def rows(self, values: Rows, index: Int[Tensor, " some"]) -> Rows:
        """The rows of some items, in ascending order; for all items the same object, not a copy."""
        return values if len(index) == len(self.x) else values[index]

    def report(self, share: float, population: Population | None = None) -> None:
        """Report the finished step, of the points asked last, to `progress`."""
        if self.progress:
            point, index = self.latest
            delta = point.detach() - self.rows(self.x, index)
            distance = self.rows(self.threat, index).distance(delta)
            loss, mean = float(self.losses.detach().mean()), float(distance.mean())
            self.history.append(Step(loss, mean, population))
            self.progress(share, replace(self.history[-1], best=lambda: self.adversarial.clone()))

    def result(self) -> AttackResult:
        return AttackResult(
            self.x,
            self.adversarial,
            self.succeeded,
            self.threat.distance(self.adversarial - self.x),
            self.queries,
            tuple(self.history),
        )

    def _answer(self, point: Tensor) -> Tensor:
        logits = answer(self.model, point)
        if not self.answered:
            check_labels(*labels_of(self.criterion), logits.shape[1])
            self.answered = True
        return logits

    def _keep(
        self, point: Tensor, logits: Tensor, index: Tensor, rank: Rank | None, projected: bool
    ) -> None:
        """Measures those points that may be better than what is kept, and keeps those that are."""
        criterion, loss = self.rows(self.criterion, index), self.losses.detach()
        self.fooled, self.latest = criterion.is_adversarial(logits), (point, index)
        if bool(self.fooled.any()):
            least = decisive(logits).clamp_min(self.confidence)
            self.fooled &= criterion.margin(logits) < -least
        elif projected:
            better = (-loss < self.rows(self.order, index)).nonzero().flatten()
            self._replace(index[better], self.rows(point, better), -loss[better])
            return
        hopeful = self.fooled | ~self.succeeded[index] & (-loss < self.order[index])
        some = hopeful.nonzero().flatten()
        if not len(some):
            return
        index, loss, point = index[some], loss[some], self.rows(point, some)
        delta = point - self.rows(self.x, index)
        distance = self.rows(self.threat, index).distance(delta)
        allowed = distance <= self.reach[index]
        success = self.fooled[some] & allowed
        order = torch.where(success, rank(delta, loss, index) if rank else distance, -loss)
        already = self.succeeded[index]
        better = allowed & (success & ~already | (success == already) & (order < self.order[index]))
        some = better.nonzero().flatten()
        self.succeeded[index[some]] = success[some]
        self._replace(index[some], self.rows(point, some), order[some])

    def _replace(self, index: Tensor, point: Tensor, order: Tensor) -> None:
        self.order[index] = order
        self.adversarial.index_copy_(0, index, point)


def decisive(logits: Float[Tensor, "batch label"]) -> Float[Tensor, " batch"]:
    """The margin by which a success must win, so that rounding does not decide."""
    return DECISIVE * torch.finfo(logits.dtype).eps * logits.abs().amax(1)


def surest(delta: Tensor, loss: Tensor, index: Tensor) -> Tensor:
    """A rank by which, of two successes, the one of higher loss stays."""
    return -loss


def ascent(
    search: Search,
    point: Float[Tensor, "some *shape"],
    index: Int[Tensor, " some"],
    rank: Rank | None = None,
    projected: bool = False,
    loss: Callable[[Tensor], Tensor] | None = None,
) -> tuple[Float[Tensor, " some"], Float[Tensor, "some *shape"]]:
    """A loss of the logits per item (if None is given, the criterion's), and its gradient."""
    with torch.enable_grad():
        point = point.detach().requires_grad_()
        logits = search.ask(point, index, rank, projected)
        losses = loss(logits) if loss else search.losses
        (gradient,) = torch.autograd.grad(losses.sum(), point)
    return losses.detach(), gradient
