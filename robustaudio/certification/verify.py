"""Deterministic verification: does any perturbation within a level change the decision?

Everything runs in float64 on a copy of the classifier. A margin has to exceed `MARGIN`, which
stands for the rounding of the bounds themselves and of the float32 logits that people see.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from math import inf

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from robustaudio.certification.certificate import Certificate
from robustaudio.certification.frontend import dual_norm, propagate_ball
from robustaudio.certification.interval import Interval, differences, propagate, worst_margins
from robustaudio.classifiers.classifier import Classifier
from robustaudio.perception.metrics import epsilon_at
from robustaudio.threats.threat_model import ThreatModel

MARGIN = 1e-4  # in logits
LOWEST_DB, HIGHEST_DB = -160.0, 0.0  # where the largest verified level is looked for
SECTIONS, ROUNDS = 16, 3  # 160 dB / 17^3: levels to 0.03 dB
CHUNK = 512  # boxes at a time


@dataclass(frozen=True, eq=False)
class Verification:
    """Bounds of one verification, a row per item; `margins` is 0 at the item's own label."""

    label: Int[Tensor, " batch"]
    threat: ThreatModel
    logits: Interval
    margins: Float[Tensor, "batch label"]
    verified: Bool[Tensor, " batch"]

    def certificate(self, item: int = 0) -> Certificate | None:
        """The certificate of an item, or None where nothing was proven."""
        if not self.verified[item]:
            return None
        return Certificate(
            prediction=int(self.label[item]),
            radius=float(self.threat.epsilon[item]),
            norm=self.threat.norm,
            representation=self.threat.representation,
            confidence=1.0,
            method="interval",
        )


class Verifier:
    """Interval verification of one classifier, from a representation on.

    Raises:
        UnsupportedLayer: (on use) if a layer has no interval rule.
        ValueError: if the last layer is not dense.
    """

    def __init__(self, classifier: Classifier, representation: str = "waveform"):
        exact = copy.deepcopy(classifier).double().eval()
        self.representation = representation
        self.front, _ = exact.split(representation)
        self.hidden, self.last = exact.hidden_and_last(representation)

    @torch.no_grad()
    def predict(self, waveform: Float[Tensor, "batch time"]) -> Int[Tensor, " batch"]:
        """The float64 prediction."""
        return self.last(self.hidden(self.front(waveform.double()))).argmax(-1)

    @torch.no_grad()
    def verify(
        self,
        waveform: Float[Tensor, "batch time"],
        label: Int[Tensor, " batch"],
        epsilon: Float[Tensor, " batch"],
        norm: str = "linf",
    ) -> Verification:
        """Whether `label` is the prediction on the whole ball around each item."""
        x, epsilon = self.front(waveform.double()), epsilon.double()
        if len(self.hidden):
            box = propagate_ball(self.hidden, x, epsilon, norm)
            margins, logits = worst_margins(self.last, box, label), propagate(self.last, box)
        else:
            margins, logits = self._linear(x, label, epsilon, norm)
        others = margins.scatter(1, label[:, None], inf)
        threat = ThreatModel(norm, epsilon, self.representation, bounds=(-inf, inf))
        return Verification(label, threat, logits, margins, others.amin(1) > MARGIN)

    def _linear(self, x: Tensor, label: Tensor, epsilon: Tensor, norm: str):
        """Exact margins of a classifier that is one dense layer: m - epsilon ||w||_dual."""
        weight, radius = self.last.weight, epsilon[:, None]
        logits = Interval.around(self.last(x), radius * dual_norm(weight, norm))
        rows, offset = differences(self.last, label)
        margins = torch.einsum("bjt,bt->bj", rows, x) + offset - radius * dual_norm(rows, norm)
        return margins, logits

    def verified_at(
        self, waveform: Tensor, label: Tensor, level_db: Float[Tensor, " batch"], norm: str
    ) -> Bool[Tensor, " batch"]:
        """Verdicts at a level per item, in chunks.

        Raises:
            ValueError: at another representation than the waveform, where levels mean nothing.
        """
        if self.representation != "waveform":
            raise ValueError(f"a level in dB is one of the waveform, not of {self.representation}.")
        verdicts = []
        for x, y, level in zip(
            *(t.split(CHUNK) for t in (waveform.double(), label, level_db.double())), strict=True
        ):
            verdicts.append(self.verify(x, y, epsilon_at(level, x, norm), norm).verified)
        return torch.cat(verdicts)

    def largest_level(
        self,
        waveform: Float[Tensor, "batch time"],
        label: Int[Tensor, " batch"],
        norm: str = "linf",
        progress: Callable[[float], None] | None = None,
    ) -> Float[Tensor, " batch"]:
        """The largest level in dB that verifies, to 0.03 dB from below; -inf where none does.

        Larger boxes hold smaller ones, so verdicts are monotone in the level: the interval is
        cut into 17 at a time, all levels in one batch.
        """
        low = torch.full((len(waveform),), LOWEST_DB, dtype=torch.float64, device=waveform.device)
        proven = self.verified_at(waveform, label, low, norm)
        width = HIGHEST_DB - LOWEST_DB
        inner = torch.arange(1, SECTIONS + 1, device=waveform.device) / (SECTIONS + 1)
        for turn in range(ROUNDS):
            if progress:
                progress(turn / ROUNDS)
            levels = low[:, None] + width * inner
            verdict = self.verified_at(
                waveform.repeat_interleave(SECTIONS, 0),
                label.repeat_interleave(SECTIONS),
                levels.flatten(),
                norm,
            ).unflatten(0, (-1, SECTIONS))
            held = verdict.long().cumprod(1).sum(1)  # levels verified before the first that is not
            low = torch.where(
                held > 0, levels.gather(1, (held - 1).clamp_min(0)[:, None])[:, 0], low
            )
            width /= SECTIONS + 1
        return low.masked_fill(~proven, -inf)
