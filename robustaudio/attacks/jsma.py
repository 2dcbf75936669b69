"""JSMA: the few features that matter most, one handful at a time."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from robustaudio.attacks.attack import AttackResult, Progress, Search
from robustaudio.threats.criterion import Criterion
from robustaudio.threats.norms import per_item
from robustaudio.threats.threat_model import ThreatModel


@dataclass(frozen=True)
class JSMA:
    """Changes few features by much (Jacobian-based saliency map; Papernot et al. 2016).

    Algorithm 1 of arXiv:1511.07528 with the saliency map of eq. 8 for rising and falling features
    alike, by single features and not by pairs. The features are those of the representation that is
    attacked: samples, time-frequency bins, mel energies. Each is changed once, by as much as the
    threat allows if the largest number of features changes (in linf: by epsilon).
    """

    share: float = field(
        default=0.145, metadata={"help": "share of the features that may change", "range": (0, 1)}
    )
    at_once: int = field(
        default=16, metadata={"help": "features changed per step", "range": (1, 1000)}
    )

    def __post_init__(self):
        if not 0 < self.share <= 1 or self.at_once < 1:
            raise ValueError(
                f"share {self.share} must lie above 0 and up to 1, "
                f"and at_once {self.at_once} be at least 1."
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
        search = Search(model, x, criterion, threat, progress)
        features = x[0].numel()
        most = max(1, int(self.share * features))
        probe = torch.ones_like(x.flatten(1)).cumsum(1).le(most).to(x).reshape(x.shape)
        size = per_item(threat.epsilon.to(x) / threat.distance(probe), x)
        index, point = search.everything, x
        free = torch.ones_like(x, dtype=torch.bool)
        steps = -(-most // self.at_once)
        for step in range(steps + 1):
            rising, falling = _jacobian(search, point, index)
            search.tell(step / (steps + 1))
            going = ~search.fooled
            if step == steps or not going.any():
                break
            index, point, free, size = index[going], point[going], free[going], size[going]
            count = min(self.at_once, most - step * self.at_once)
            chosen, direction = _salient(rising[going], falling[going], free, count)
            free = free & ~chosen
            moved = point + size * direction * chosen
            point = threat[index].project(moved, x[index])
        return search.result()


def _jacobian(
    search: Search, point: Float[Tensor, "some *shape"], index: Tensor
) -> tuple[Tensor, Tensor]:
    """The gradients of what is to rise and of what is to fall."""
    with torch.enable_grad():
        point = point.detach().requires_grad_()
        logits = search.ask(point, index)
        own, others = search.criterion[index].pulls(logits)
        (rising,) = torch.autograd.grad(own.sum(), point, retain_graph=True)
        (falling,) = torch.autograd.grad(others.sum(), point)
    return rising, falling


def _salient(
    rising: Float[Tensor, "some *shape"],
    falling: Float[Tensor, "some *shape"],
    free: Bool[Tensor, "some *shape"],
    count: int,
) -> tuple[Bool[Tensor, "some *shape"], Float[Tensor, "some *shape"]]:
    """The free features of highest saliency, and which way each is to go (eq. 8).

    A feature counts where it raises the one and lowers the other, or the reverse when it falls.
    """
    saliency = ((rising * falling) < 0) * free * (rising * falling).abs()
    flat = saliency.flatten(1)
    value, at = flat.topk(count, dim=1)
    chosen = torch.zeros_like(flat, dtype=torch.bool).scatter(1, at, value > 0)
    return chosen.reshape(free.shape), rising.sign()
