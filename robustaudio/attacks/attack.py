"""What every attack takes and gives."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from robustaudio.threats.criterion import Criterion
from robustaudio.threats.threat_model import ThreatModel

Progress = Callable[[float], None]  # told the share done, 0 to 1; may raise to cancel


@dataclass(frozen=True, eq=False)
class AttackResult:
    """One row per item. `queries` counts forward passes, `history` is the mean loss per step."""

    original: Float[Tensor, "batch *shape"]
    adversarial: Float[Tensor, "batch *shape"]
    is_adversarial: Bool[Tensor, " batch"]
    distance: Float[Tensor, " batch"]
    queries: Int[Tensor, " batch"]
    history: Float[Tensor, " step"]


class Attack(Protocol):
    """A frozen dataclass of options, called on (back of a classifier, tensor)."""

    __dataclass_fields__: ClassVar[dict]

    def __call__(
        self,
        model: nn.Module,
        x: Float[Tensor, "batch *shape"],
        criterion: Criterion,
        threat: ThreatModel,
        *,
        generator: torch.Generator,
        progress: Progress | None = None,
    ) -> AttackResult: ...
