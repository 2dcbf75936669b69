"""What every attack is, takes and gives."""

from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from robustaudio.attacks.search import AttackResult, Search
from robustaudio.audio.draws import Randomness
from robustaudio.audio.tensor_checks import check_batch, check_generator, check_per_item, kind
from robustaudio.classifiers.answers import check_model
from robustaudio.classifiers.evaluation_mode import evaluation_mode
from robustaudio.options import check
from robustaudio.progress import Enough, Progress
from robustaudio.threats.criterion import Criterion, labels_of
from robustaudio.threats.threat_model import ThreatModel


class Attack(ABC):
    """A frozen dataclass of options, called on (back of a classifier, tensor).

    `run` asks a `Search`, and what that has kept is the result. `title` is its name for people.
    One that `minimises` looks for the smallest perturbation by itself: one run answers, without
    bisection. One that needs no gradient asks for logits alone. `confidence` is the margin of
    logits by which a success must win; `needs_threshold` says whether the threat has to bring the
    clips' masking threshold.
    """

    __dataclass_fields__: ClassVar[dict]
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
        _check(model, x, criterion, threat, generator)
        search = Search(model, x.detach(), criterion, threat, progress, self.confidence)
        with evaluation_mode(model, gradients=True), torch.no_grad(), suppress(Enough):
            self.run(search, generator)
        return search.result()

    @abstractmethod
    def run(self, search: Search, generator: Randomness) -> None:
        """The whole search, until nothing is left to do; gradients are off unless switched on."""


def _check(model: Any, x: Any, criterion: Any, threat: Any, generator: Any) -> None:
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
