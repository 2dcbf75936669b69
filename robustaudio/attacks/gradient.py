"""Attacks that follow the gradient inside a ball: FGSM, BIM, PGD, momentum, APGD."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from robustaudio.attacks.attack import Search, SearchAttack, ascent, check, surest
from robustaudio.audio.draws import Randomness
from robustaudio.threats.criterion import Criterion
from robustaudio.threats.geometry import TINY, per_item


@dataclass(frozen=True)
class FGSM(SearchAttack):
    """One step of size epsilon along the gradient (Goodfellow et al. 2014, arXiv:1412.6572)."""

    def run(self, search: Search, generator: Randomness) -> None:
        """The same as PGD with one step of size epsilon from x itself."""
        _walk(search, search.x, steps=1, step_size=1.0)


@dataclass(frozen=True)
class BIM(SearchAttack):
    """FGSM in small steps from the clip itself (Kurakin et al. 2016, arXiv:1607.02533).

    Variant "a" stops at the first success; "b" takes all the steps, and gives the success of
    highest loss: louder, and surer.
    """

    steps: int = field(default=20, metadata={"help": "steps", "range": (1, 1000)})
    step_size: float = field(
        default=0.1, metadata={"help": "length of a step, as a share of epsilon", "range": (0, 2)}
    )
    variant: str = field(
        default="a",
        metadata={"help": "a: stop at the first success; b: all steps", "choices": ("a", "b")},
    )

    def __post_init__(self):
        check(self, {"steps": 1}, ("step_size",))
        if self.variant not in ("a", "b"):
            raise ValueError(f"variant {self.variant!r} must be 'a' or 'b'.")

    def run(self, search: Search, generator: Randomness) -> None:
        stops = self.variant == "a"
        _walk(search, search.x, steps=self.steps, step_size=self.step_size, stops=stops)


@dataclass(frozen=True)
class PGD(SearchAttack):
    """Projected steps along the gradient (Madry et al. 2017, arXiv:1706.06083).

    Items that have been fooled leave the batch. Equal generators give equal results.
    """

    steps: int = field(default=40, metadata={"help": "steps per restart", "range": (1, 1000)})
    restarts: int = field(default=1, metadata={"help": "independent starts", "range": (1, 20)})
    step_size: float = field(
        default=0.1, metadata={"help": "length of a step, as a share of epsilon", "range": (0, 2)}
    )
    random_start: bool = field(
        default=True, metadata={"help": "start at a random point of the ball, not at the clip"}
    )

    def __post_init__(self):
        check(self, {"steps": 1, "restarts": 1}, ("step_size",))

    def run(self, search: Search, generator: Randomness) -> None:
        x = search.x
        for restart in range(self.restarts):
            start = search.threat.sample(x, generator) if self.random_start else x
            part = (restart / self.restarts, 1 / self.restarts)
            _walk(search, start, steps=self.steps, step_size=self.step_size, part=part)


@dataclass(frozen=True)
class MIFGSM(SearchAttack):
    """FGSM in small steps with momentum (MI-FGSM; Dong et al. 2018, arXiv:1710.06081).

    The gradients are summed up, each divided by its l1 norm; the steps add up to epsilon.
    """

    steps: int = field(default=20, metadata={"help": "steps", "range": (1, 1000)})
    decay: float = field(
        default=1.0, metadata={"help": "what is kept of the earlier gradients", "range": (0, 2)}
    )

    def __post_init__(self):
        check(self, {"steps": 1, "decay": 0})

    def run(self, search: Search, generator: Randomness) -> None:
        _walk(search, search.x, steps=self.steps, step_size=1 / self.steps, decay=self.decay)


@dataclass(frozen=True)
class APGD(SearchAttack):
    """PGD with momentum that chooses its own step sizes (Croce & Hein 2020, arXiv:2003.01690).

    The step starts at 2 epsilon; at checkpoints it is halved, and the search goes back to its best
    point, where too few steps have raised the loss (algorithm 1). The loss is the cross-entropy,
    or the difference of logits ratio (DLR; eq. 6 and 8), which no scale of the logits can blind.
    """

    steps: int = field(default=100, metadata={"help": "steps per restart", "range": (2, 1000)})
    restarts: int = field(default=1, metadata={"help": "independent starts", "range": (1, 20)})
    loss: str = field(
        default="ce",
        metadata={"help": "cross-entropy, or difference of logits ratio", "choices": ("ce", "dlr")},
    )
    rho: float = field(
        default=0.75,
        metadata={"help": "share of steps that must raise the loss", "range": (0.05, 1)},
    )

    def __post_init__(self):
        check(self, {"steps": 1, "restarts": 1}, ("rho",))
        if self.rho > 1:
            raise ValueError(f"rho {self.rho} is a share: it must be at most 1.")
        if self.loss not in ("ce", "dlr"):
            raise ValueError(f"loss {self.loss!r} must be 'ce' or 'dlr'.")

    def run(self, search: Search, generator: Randomness) -> None:
        for restart in range(self.restarts):
            start = search.threat.sample(search.x, generator)
            if not search.found.all():
                self._climb(search, start, restart)

    def _climb(self, search: Search, start: Tensor, restart: int) -> None:
        """One run of algorithm 1 for every item that is not fooled yet."""
        index = (~search.found).nonzero().flatten()
        point = start[index]
        loss, gradient = self._ask(search, point, index)
        last = point
        best, best_loss, best_gradient = point, loss, gradient
        size = torch.full_like(loss, 2.0)  # of the step, in epsilon
        rises = torch.zeros_like(loss)  # steps since the last checkpoint that raised the loss
        checked_size, checked_loss = size, loss
        checkpoints = _checkpoints(self.steps)
        for step in range(1, self.steps + 1):
            search.tell((restart + step / self.steps) / self.restarts)
            going = ~search.found[index]
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
        with torch.enable_grad():
            point = point.detach().requires_grad_()
            logits = search.ask(point, index)
            loss = difference_of_logits_ratio(logits, search.criterion[index])
            (gradient,) = torch.autograd.grad(loss.sum(), point)
        return loss.detach(), gradient


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
    index, rank = (~search.found).nonzero().flatten(), None if stops else surest
    if not len(index):
        return
    point, ball = search.rows(start, index), search.rows(search.threat, index)
    stride, project = ball.scaled(step_size), ball.around(search.rows(search.x, index))
    velocity = torch.zeros_like(point)
    for step in range(steps):
        _, gradient = ascent(search, point, index, rank, projected=stops)
        search.tell(part[0] + part[1] * step / (steps + 1))
        if stops and search.fooled.any():
            going = ~search.found[index]
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
    search.look(point, index, rank)
    search.tell(part[0] + part[1] * steps / (steps + 1))
