"""What a training step minimises: plain, worst case over a ball, or under noise."""

from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from robustaudio.certification.frontend import boxes, enclose
from robustaudio.certification.interval import worst_margins
from robustaudio.classifiers.classifier import Classifier
from robustaudio.perception.levels import amplitude
from robustaudio.threats.norms import LINF, Norm
from robustaudio.threats.threat_model import UNBOUNDED, threat_at

Waveforms = Float[Tensor, "batch time"]
Labels = Int[Tensor, " batch"]


class Objective(Protocol):
    """A frozen dataclass of its options; `progress` runs from 0 to 1 over the training."""

    __dataclass_fields__: ClassVar[dict]

    def __call__(
        self,
        classifier: Classifier,
        x: Waveforms,
        y: Labels,
        progress: float,
        generator: torch.Generator,
    ) -> Tensor: ...


@dataclass(frozen=True)
class Plain:
    """Cross-entropy on the clean clips."""

    label_smoothing: float = 0.0

    def __call__(self, classifier, x, y, progress, generator):
        return F.cross_entropy(classifier(x), y, label_smoothing=self.label_smoothing)


@dataclass(frozen=True)
class WorstCase:
    """kappa CE(clean) + (1 - kappa) CE(worst logits of a threat) (Gowal et al. 2018, eq. 12).

    kappa falls from 1 to `kappa`, and the level rises linearly in `ramp` from `start_db` to
    `target_db`, between the shares `ramp_from` and `ramp_until` of the training. An IBP-trained
    LSTM needs the level raised in dB from where the bounds are still tight; a CNN does better
    with a ramp that is linear in epsilon.
    """

    target_db: float
    start_db: float = -200.0
    ramp: str = "db"
    ramp_from: float = 0.0
    ramp_until: float = 0.75
    kappa: float = 0.5
    norm: Norm = LINF

    def share(self, progress: float) -> float:
        """How far along the ramp, 0 to 1."""
        return min(max((progress - self.ramp_from) / (self.ramp_until - self.ramp_from), 0), 1)

    def epsilon(self, progress: float) -> float:
        """Radius of the threat, relative to its size at 0 dB."""
        share = self.share(progress)
        if self.ramp == "db":
            return amplitude(self.start_db + share * (self.target_db - self.start_db))
        return share * amplitude(self.target_db)

    def __call__(self, classifier, x, y, progress, generator):
        kappa = 1 - (1 - self.kappa) * self.share(progress)
        hidden, last = classifier.hidden_and_last()
        threat = threat_at(classifier, x, 0.0, self.norm, UNBOUNDED).scaled(self.epsilon(progress))
        features, layers = enclose(hidden, x, threat)
        clean = last(nn.Sequential(*layers)(features.center))
        worst = -worst_margins(last, boxes(features, layers)[-1], y)
        return kappa * F.cross_entropy(clean, y) + (1 - kappa) * F.cross_entropy(worst, y)


@dataclass(frozen=True)
class UnderNoise:
    """Cross-entropy under Gaussian noise matched to the sigma of smoothing (Cohen et al. 2019).

    Most clips get the full sigma; a share `milder` gets one drawn from (0, sigma), so that the
    classifier knows clean clips too. No noise is clipped. sigma rises over the first `ramp_until`
    of the training.
    """

    sigma: float
    milder: float = 0.25
    ramp_until: float = 0.1

    def __call__(self, classifier, x, y, progress, generator):
        draw = torch.rand(2, len(x), 1, generator=generator, device=x.device)
        share = torch.where(draw[0] < self.milder, draw[1], 1.0) * min(
            progress / self.ramp_until, 1
        )
        noise = torch.randn(x.shape, generator=generator, device=x.device)
        return F.cross_entropy(classifier(x + self.sigma * share * noise), y)
