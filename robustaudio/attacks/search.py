"""The bookkeeping that attacks share: what was asked, and the best point of every item so far."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, ClassVar, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from robustaudio.attacks.attack import AttackResult, Population, Step
from robustaudio.audio.draws import Randomness
from robustaudio.audio.tensor_checks import check_batch, check_generator, check_per_item, kind
from robustaudio.classifiers.answers import answer, check_labels, check_model
from robustaudio.classifiers.evaluation_mode import evaluation_mode
from robustaudio.options import check
from robustaudio.progress import Enough, Progress
from robustaudio.threats.criterion import Criterion, labels_of
from robustaudio.threats.threat_model import ThreatModel

Rank = Callable[[Tensor, Tensor, Tensor], Tensor]  # (perturbations, losses, items) -> numbers
Rows = TypeVar("Rows", Tensor, Criterion, ThreatModel)  # one row per item
ROUNDING = 4  # steps of the arithmetic by which a point may stand outside the ball
DECISIVE = 32  # steps of the arithmetic by which a success must win: in another batch it still does


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
        """The logits at a point of each of some items, with their graph.

        `projected` points, of items without a success, are inside the ball: where all fail,
        nothing has to be measured.
        """
        logits = self._answer(point)
        self.losses = self.rows(self.criterion, index).loss(logits)
        self.queries[index] += 1
        with torch.no_grad():
            self._keep(point.detach(), logits.detach(), index, rank, projected)
        return logits

    def look(
        self,
        point: Float[Tensor, "some *shape"],
        index: Int[Tensor, " some"],
        rank: Rank | None = None,
    ) -> Float[Tensor, "some label"]:
        """The same without a graph."""
        with torch.no_grad():
            return self.ask(point, index, rank)

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
        each = index.repeat_interleave(members)
        with torch.no_grad():
            flat = points.flatten(0, 1)
            logits, criterion = self._answer(flat), self.criterion[each]
            losses = criterion.loss(logits).unflatten(0, (some, members))
            order = -losses
            fooled = criterion.margin(logits) < -decisive(logits).clamp_min(self.confidence)
            if bool(fooled.any()):
                delta = flat - self.x[each]
                distance = self.threat[each].distance(delta)
                at = rank(delta, losses.flatten(), each) if rank else distance
                fooled = fooled & (distance <= self.reach[each])
                order = torch.where(fooled, at - at.max() - losses.abs().max() - 1, order.flatten())
                order = order.unflatten(0, (some, members))
            best = order.argmin(1)
            item = torch.arange(some, device=index.device)
            self.losses = losses[item, best]
            self.queries[index] += members
            logits = logits.unflatten(0, (some, members))[item, best]
            self._keep(points[item, best], logits, index, rank, projected=False)
        return losses

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


class SearchAttack(ABC):
    """An attack that is one `Search`: `run` asks and looks, and what the search kept is the result.

    `confidence` is the margin of logits by which a success must win.
    """

    title: ClassVar[str]
    minimises: ClassVar[bool] = False
    needs_gradient: ClassVar[bool] = True
    confidence = 0.0
    needs_threshold = False

    def __post_init__(self):
        check(self)

    def __call__(
        self,
        model: nn.Module,
        x: Float[Tensor, "batch *shape"],
        criterion: Criterion,
        threat: ThreatModel,
        *,
        generator: Randomness,
        progress: Progress | None = None,
    ) -> AttackResult:
        """
        Raises:
            TypeError, ValueError: for arguments that do not fit each other or the attack; one
                sentence says what would be right.
        """
        check_question(model, x, criterion, threat, generator)
        search = Search(model, x.detach(), criterion, threat, progress, self.confidence)
        with evaluation_mode(model, gradients=True), suppress(Enough):
            self.run(search, generator)
        return search.result()

    @abstractmethod
    def run(self, search: Search, generator: Randomness) -> None:
        """The whole search; ends when nothing is left to do."""


def check_question(model: Any, x: Any, criterion: Any, threat: Any, generator: Any) -> None:
    """Refuses what no attack can work with, before anything is computed.

    Raises:
        TypeError: for a value of another kind than `Attack` asks for.
        ValueError: for tensors that do not fit each other.
    """
    check_model(model)
    check_batch(x)
    if not isinstance(criterion, Criterion):
        raise TypeError(
            f"the criterion is {kind(criterion)}; it must be Misclassification(label) or "
            "TargetedMisclassification(target)."
        )
    check_per_item(*labels_of(criterion), x)
    if not isinstance(threat, ThreatModel):
        raise TypeError(
            f"the threat is {kind(threat)}; it must be a ThreatModel, such as "
            "ThreatModel(LINF, torch.full((len(x),), 0.01))."
        )
    threat.check(x)
    check_generator(generator, x)


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
) -> tuple[Float[Tensor, " some"], Float[Tensor, "some *shape"]]:
    """The criterion's loss per item, and its gradient at a point."""
    with torch.enable_grad():
        point = point.detach().requires_grad_()
        search.ask(point, index, rank, projected)
        (gradient,) = torch.autograd.grad(search.losses.sum(), point)
    return search.losses.detach(), gradient
