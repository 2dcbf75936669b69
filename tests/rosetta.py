"""The linear classifier: the one case in which true, proven and broken radius are a formula."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from robustaudio.classifiers.classifier import Classifier
from robustaudio.threats.norms import Norm

TIME = 24


@dataclass(frozen=True, eq=False)
class Rosetta:
    """A linear classifier, points that it decides clearly, and their exact radii."""

    classifier: Classifier
    x: Tensor
    label: Tensor

    def radius(self, norm: Norm) -> Tensor:
        """min over j of margin_j / ||w_label - w_j||_dual: l1 for linf, l2 for l2."""
        layer = self.classifier.network[-1]
        logits = self.classifier(self.x)
        rows = layer.weight[self.label][:, None] - layer.weight
        margins = logits.gather(1, self.label[:, None]) - logits
        size = torch.linalg.vector_norm(rows, norm.dual, dim=2)
        return (margins / size).scatter(1, self.label[:, None], torch.inf).amin(1).detach()


def rosetta(seed: int, *, labels: int = 4, points: int = 16) -> Rosetta:
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Linear(TIME, labels).double())
    nn.init.normal_(network[0].weight)
    names = tuple("abcd"[:labels])
    classifier = Classifier({}, network, labels=names, sample_rate=8_000, length=TIME).eval()
    x = torch.randn(points * 4, TIME, dtype=torch.float64) * 0.3
    with torch.no_grad():
        logits = classifier(x)
    top = logits.topk(2).values
    x = x[(top[:, 0] - top[:, 1]) > 0.5][:points]
    return Rosetta(classifier, x, classifier(x).argmax(1))
