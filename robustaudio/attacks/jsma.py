"""JSMA: the few features that matter most, one handful at a time."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from robustaudio.attacks.attack import Attack
from robustaudio.attacks.search import Search, ascent
from robustaudio.audio.draws import Randomness
from robustaudio.options import option
from robustaudio.threats.geometry import per_item


@dataclass(frozen=True)
class JSMA(Attack):
    """Changes few features by much (Jacobian-based saliency map; Papernot et al. 2016).

    Algorithm 1 of arXiv:1511.07528, for rising and falling features alike, by single features and
    not by pairs. The features are those of the representation that is attacked: samples,
    time-frequency bins, mel energies. Each is changed once, by as much as the threat allows if the
    largest number of features changes (in linf: by epsilon).

    Probabilities sum to one: what raises the target's lowers that of all others, and eq. 8 is the
    square of one slope, which orders the features as the gradient of the loss does. It is weighted
    by how far a feature can move before it meets the bounds.
    """

    title: ClassVar[str] = "JSMA"

    share: float = option(0.145, "share of the features that may change", 0, 1, above=0, most=1)
    at_once: int = option(16, "features changed per step", 1, 1000)

    def run(self, search: Search, generator: Randomness) -> None:
        """
        Raises:
            ValueError: for the masking norm, which gives no feature a size of its own.
        """
        x, threat = search.x, search.threat
        if threat.norm.needs_threshold:
            raise ValueError("jsma changes single features; choose the norm linf or l2.")
        features = x[0].numel()
        most = max(1, int(self.share * features))
        probe = torch.ones_like(x.flatten(1)).cumsum(1).le(most).to(x).reshape(x.shape)
        size = per_item(threat.epsilon.to(x) / threat.distance(probe), x)
        index, point = search.everything, x
        free = torch.ones_like(x, dtype=torch.bool)
        steps = -(-most // self.at_once)
        for step in range(steps):
            _, gradient = ascent(search, point, index)
            search.report(step / (steps + 1))
            going = ~search.succeeded[index]
            if not going.all():
                index, point, free, size, gradient = (
                    rows[going] for rows in (index, point, free, size, gradient)
                )
            if not len(index):
                return
            ball, around = search.rows(threat, index), search.rows(x, index)
            moved = ball.unlimited.project(point + size * gradient.sign(), around)
            saliency = (free * gradient.abs() * (moved - point).abs()).flatten(1)
            value, at = saliency.topk(min(self.at_once, most - step * self.at_once), dim=1)
            chosen = torch.zeros_like(saliency, dtype=torch.bool)  # none whose saliency is 0
            chosen = chosen.scatter(1, at, value > 0).reshape(point.shape)
            free = free & ~chosen
            point = ball.project(torch.where(chosen, moved, point), around)
        search.ask(point, index)
        search.report(steps / (steps + 1))
