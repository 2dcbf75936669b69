"""Attacks that follow the gradient: FGSM and PGD."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn

from robustaudio.attacks.attack import AttackResult, Progress
from robustaudio.threats.criterion import Criterion
from robustaudio.threats.threat_model import ThreatModel


@dataclass(frozen=True)
class FGSM:
    """One step of size epsilon along the gradient (Goodfellow et al. 2014, arXiv:1412.6572)."""

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
        """The same as PGD with one step of size epsilon from x itself."""
        one_step = PGD(steps=1, restarts=1, step_size=1.0, random_start=False)
        return one_step(model, x, criterion, threat, generator=generator, progress=progress)


@dataclass(frozen=True)
class PGD:
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
        if self.steps < 1 or self.restarts < 1 or not self.step_size > 0:
            raise ValueError(
                f"steps {self.steps} and restarts {self.restarts} must be at least 1, "
                f"and step_size {self.step_size} above 0."
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
        best = x.clone()
        found = torch.zeros(len(x), dtype=torch.bool, device=x.device)
        queries = torch.zeros(len(x), dtype=torch.long, device=x.device)
        history: list[float] = []
        for restart in range(self.restarts):
            active = (~found).nonzero().flatten()
            start = threat.sample(x, generator) if self.random_start else x
            current = start[active]
            for step in range(self.steps + 1):
                if not len(active):
                    break
                if progress:
                    progress((restart + step / (self.steps + 1)) / self.restarts)
                logits, loss, gradient = _ascent(model, current, criterion[active])
                queries[active] += 1
                history.append(float(loss.mean()))
                best[active] = current
                fooled = criterion[active].is_adversarial(logits)
                found[active] = fooled
                if step == self.steps or fooled.all():
                    break
                active, current, gradient = active[~fooled], current[~fooled], gradient[~fooled]
                ball = threat[active]
                ascended = current + self.step_size * ball.steepest(gradient)
                current = ball.project(ascended, x[active])
        return AttackResult(
            x, best, found, threat.distance(best - x), queries, torch.tensor(history)
        )


def _ascent(model: nn.Module, x: Tensor, criterion: Criterion) -> tuple[Tensor, Tensor, Tensor]:
    """Logits, loss per item, and the gradient of the loss."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        logits = model(x)
        loss = criterion.loss(logits)
        (gradient,) = torch.autograd.grad(loss.sum(), x)
    return logits.detach(), loss.detach(), gradient
