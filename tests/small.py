"""A small network, clips, and the threats around them: what the tests of the attacks share."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from robustaudio.attacks import ATTACKS, Attack, AttackResult
from robustaudio.perception.masking import masking_threshold
from robustaudio.representations.spectral import Framing
from robustaudio.threats.criterion import Misclassification
from robustaudio.threats.norms import LINF, Norm
from robustaudio.threats.threat_model import ThreatModel

TIME, RATE = 40, 8_000
FRAMING = Framing(n_fft=16, hop_length=4, unitary=True)
FEWER = {
    "apgd": {"steps": 30},
    "jsma": {"share": 0.5, "at_once": 3},
    "cw": {"steps": 40, "searches": 3},
    "cw-audio": {"steps": 50},
    "psychoacoustic": {"steps": 30, "hiding_steps": 40},
    "genetic": {"queries": 200, "population": 8, "offspring": 12},
    "hill-climber": {"queries": 150},
    "random-search": {"queries": 150},
}
# every attack there is, with steps enough for a network of this size
QUICK: dict[str, Attack] = {
    name: replace(kind(), **FEWER.get(name, {})) for name, kind in ATTACKS.items()
}


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(TIME, 16), nn.Tanh(), nn.Linear(16, 3)).eval()


def clips(seed: int = 0, count: int = 6) -> Tensor:
    return torch.rand(count, TIME, generator=torch.Generator().manual_seed(seed)) * 2 - 1


class Centred(ThreatModel):
    """A ball of which every sample is the clip itself: random starts are no longer random."""

    def sample(self, x: Tensor, generator: torch.Generator) -> Tensor:
        return x


def threat_to(attack, x: Tensor, epsilon: float, norm: Norm = LINF, kind=ThreatModel):
    """The threat, with the masking threshold where it is asked for."""
    asked = norm.needs_threshold or attack.needs_threshold
    threshold = masking_threshold(x, FRAMING, RATE) if asked else None
    return kind(norm, x.new_full((len(x),), epsilon), threshold=threshold)


def listening(share: float, step: object = None) -> None:
    """Somebody who asks an attack how it goes."""


def run(
    attack, x, epsilon, norm=LINF, *, seed=0, criterion=None, model=None, kind=ThreatModel,
    progress=None,
) -> AttackResult:  # fmt: skip
    """The attack on a network, away from what this says of the clips."""
    model = model or network()
    criterion = criterion or Misclassification(model(x).argmax(1))
    threat = threat_to(attack, x, epsilon, norm, kind)
    rng = torch.Generator().manual_seed(seed)
    return attack(model, x, criterion, threat, generator=rng, progress=progress)
