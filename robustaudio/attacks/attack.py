"""What every attack takes and gives."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from robustaudio.audio.draws import Randomness
from robustaudio.progress import Progress
from robustaudio.threats.criterion import Criterion
from robustaudio.threats.threat_model import ThreatModel


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


class Attack(Protocol):
    """A frozen dataclass of options, called on (back of a classifier, tensor).

    `title` is its name for people. One that `minimises` looks for the smallest perturbation by
    itself: one run answers, without bisection. One that needs no gradient asks for logits alone.
    """

    __dataclass_fields__: ClassVar[dict]
    title: ClassVar[str]
    minimises: ClassVar[bool]
    needs_gradient: ClassVar[bool]

    @property
    def needs_threshold(self) -> bool:
        """Whether the threat has to bring the clips' masking threshold."""
        ...

    def __call__(
        self,
        model: nn.Module,
        x: Float[Tensor, "batch *shape"],
        criterion: Criterion,
        threat: ThreatModel,
        *,
        generator: Randomness,
        progress: Progress | None = None,
    ) -> AttackResult: ...
