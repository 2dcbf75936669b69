"""Deterministic verification: does any perturbation within a level change the decision?

Two methods: "interval" bounds, and "crown", which carries linear bounds back through them and
takes the better of both. Everything runs in float64 on a copy of the classifier. A margin has to
exceed `MARGIN`, which stands for the rounding of the bounds themselves and of the float32 logits
that people see.
"""

import copy
from dataclasses import dataclass, replace
from itertools import chain
from math import inf

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from robustaudio.audio.float64 import exact, exact_device
from robustaudio.audio.tensor_checks import (
    check_batch,
    check_device,
    check_per_item,
    dtype,
    kind,
    shape,
)
from robustaudio.certification import crown, interval
from robustaudio.certification.certificate import Certificate
from robustaudio.certification.crown import Form, lower_bounds
from robustaudio.certification.frontend import Features, boxes, dual_norm, enclose, enclosed
from robustaudio.certification.interval import (
    Interval,
    UnsupportedLayer,
    change,
    differences,
    fused,
    own_forward,
    propagate,
    worst_margins,
)
from robustaudio.classifiers.answers import check_labels
from robustaudio.classifiers.classifier import Classifier
from robustaudio.classifiers.evaluation_mode import evaluation_mode
from robustaudio.progress import Enough, Progress
from robustaudio.representations.spectral import Magnitude
from robustaudio.threats.criterion import Misclassification
from robustaudio.threats.norms import LINF, Norm
from robustaudio.threats.threat_model import UNBOUNDED, ThreatModel, threat_at

METHODS = ("interval", "crown")
MARGIN = 1e-4  # in logits
SECTIONS, ROUNDS = 6, 4  # 160 dB / 7^4: levels to 0.07 dB
CHUNK = 512  # items at a time


@dataclass(frozen=True, eq=False)
class Verification:
    """One verification, a row per item.

    `margins` are lower bounds of logit[label] - logit[j]; 0 at the item's own label.
    """

    label: Int[Tensor, " batch"]
    threat: ThreatModel
    margins: Float[Tensor, "batch label"]
    verified: Bool[Tensor, " batch"]
    method: str

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
            method=self.method,
        )


def proof_obstacle(
    classifier: Classifier,
    method: str = "interval",
    norm: Norm = LINF,
    representation: str = "waveform",
) -> str | None:
    """Why a classifier cannot be verified, in one sentence; None where it can be.

    Every layer is asked for its rule, as it is in evaluation mode, and nothing is computed.
    """
    *hidden, last = list(classifier.split(representation)[1]) or [nn.Identity()]
    advice = "Randomized smoothing works for it (certify)."
    with evaluation_mode(classifier):
        why = own_forward(classifier, Classifier) or _coarse(classifier) or _ending(last)
        why = why or _missing_rule(hidden, "interval")
        if why is None and method == "crown" and (why := _missing_rule(hidden, "crown")):
            advice = "Interval bounds work for it."
    front = hidden[0] if hidden and representation == "waveform" else None
    if why is None and norm.needs_threshold and not isinstance(front, Magnitude):
        why = "the masking set needs a classifier that starts with a magnitude spectrogram"
        advice = "The norms linf and l2 work for it."
    if why is None:
        return None
    return f"no proof for {classifier.name or 'this classifier'}: {why}. {advice}"


def _coarse(classifier: Classifier) -> str | None:
    """Why its own arithmetic is further from float64 than `MARGIN`; None where it is not."""
    numbers = chain(classifier.parameters(), classifier.buffers())
    coarse = (t for t in numbers if t.is_floating_point() and torch.finfo(t.dtype).bits < 32)
    return next((f"no bound covers the rounding of {dtype(t)}" for t in coarse), None)


def _ending(last: nn.Module) -> str | None:
    """Why margins cannot be bounded at the last layer; None where they can be."""
    if not isinstance(last, nn.Linear):
        return f"the last layer must be dense, not {getattr(last, 'words', type(last).__name__)}"
    return change(last)


def _missing_rule(hidden: list[nn.Module], method: str) -> str | None:
    """Why the first layer without a rule has none; None where all have one."""
    layers = fused(hidden)
    front = enclosed(layers) if method == "crown" else len(layers)
    reasons = chain(
        map(change, hidden),
        map(interval.obstacle, layers[:front]),
        map(crown.obstacle, layers[front:]),
    )
    return next((reason for reason in reasons if reason), None)


class Verifier:
    """Verification of one classifier, from a representation on.

    Where a device has no float64 (MPS) the CPU computes: predictions and verdicts lie beside the
    waveform, numbers in float64 on the CPU.

    Raises:
        TypeError: for anything but a `Classifier`.
        UnsupportedLayer: if a layer has no rule, or the last one is not dense.
        ValueError: if the method is unknown, or the classifier cannot be copied.
    """

    def __init__(
        self, classifier: Classifier, representation: str = "waveform", method: str = "interval"
    ):
        if method not in METHODS:
            raise ValueError(f"no method {method!r}; choose from {', '.join(METHODS)}.")
        if not isinstance(classifier, Classifier):
            raise TypeError(
                f"the classifier is {kind(classifier)}; a Classifier is made of it by Classifier("
                "{}, nn.Sequential(...), labels=(...), sample_rate=8000, length=8000)."
            )
        if reason := proof_obstacle(classifier, method, representation=representation):
            raise UnsupportedLayer(reason)
        try:
            copied = copy.deepcopy(classifier)
        except RuntimeError as error:
            raise ValueError(
                "the classifier cannot be copied: it holds a tensor that was computed from its "
                "parameters; a detached one (tensor.detach()) or none would be right."
            ) from error
        copied = copied.to(exact_device(classifier.device)).double().eval()
        self.classifier, self.representation, self.method = copied, representation, method
        self.given = classifier  # waveforms are on its device
        self.front, _ = copied.split(representation)
        self.hidden, self.last = copied.hidden_and_last(representation)

    @torch.no_grad()
    def predict(self, waveform: Float[Tensor, "batch time"]) -> Int[Tensor, " batch"]:
        """The float64 prediction."""
        logits = self.last(self.hidden(self.front(self._exactly(waveform))))
        return logits.argmax(-1).to(waveform.device)

    def threat_at(
        self,
        waveform: Float[Tensor, "batch time"],
        level_db: float | Tensor,
        norm: Norm,
        at_0_db: ThreatModel | None = None,
    ) -> ThreatModel:
        """Everything within a level of the waveform, full scale or not, in float64.

        `at_0_db` is that at 0 dB, where it is known: its masking threshold serves every level.

        Raises:
            ValueError: at another representation than the waveform, where levels mean nothing.
        """
        if self.representation != "waveform":
            raise ValueError(f"a level in dB is one of the waveform, not of {self.representation}.")
        x = self._exactly(waveform)
        if at_0_db:
            return replace(at_0_db, epsilon=norm.epsilon(level_db, x))
        return threat_at(self.classifier, x, level_db, norm, UNBOUNDED)

    @torch.no_grad()
    def verify(
        self,
        waveform: Float[Tensor, "batch time"],
        label: Int[Tensor, " batch"],
        threat: ThreatModel,
    ) -> Verification:
        """Whether `label` is the prediction under every perturbation of the threat.

        Raises:
            ValueError: for a threat at another representation than the verifier's.
        """
        x, threat = self._question(waveform, threat)
        exact_label = self._labels(label, waveform)
        margins = self._margins(x, exact_label, threat)
        verified = margins.scatter(1, exact_label[:, None], inf).amin(1) > MARGIN
        return Verification(label, threat, margins, verified.to(waveform.device), self.method)

    @torch.no_grad()
    def logits(self, waveform: Float[Tensor, "batch time"], threat: ThreatModel) -> Interval:
        """Bounds of every logit under every perturbation of the threat."""
        x, threat = self._question(waveform, threat)
        rows = self.last.weight.expand(len(x), -1, -1)
        bias = rows.new_zeros(rows.shape[:2]) + (0 if self.last.bias is None else self.last.bias)
        if not len(self.hidden):
            reach = threat.epsilon[:, None] * dual_norm(self.last.weight, threat.norm)
            return Interval.around(self.last(x), reach)
        features, layers, inputs = self._inside(x, threat)
        box = propagate(self.last, inputs[-1])
        if self.method == "interval":
            return box
        both = Form(torch.cat([rows, -rows], 1), torch.cat([bias, -bias], 1))
        lower, upper = lower_bounds(both, features, layers, inputs).chunk(2, 1)
        lower, upper = torch.maximum(box.lower, lower), torch.minimum(box.upper, -upper)
        # the clip itself is in the set: widening to it undoes rounding and loses nothing
        clean = self.last(self.hidden(x))
        return Interval(torch.minimum(lower, clean), torch.maximum(upper, clean))

    def _margins(self, x: Tensor, label: Tensor, threat: ThreatModel) -> Tensor:
        rows, offset = differences(self.last, label)
        if not len(self.hidden):  # one dense layer: exactly m - epsilon ||w||_dual
            reach = threat.epsilon[:, None] * dual_norm(rows, threat.norm)
            return torch.einsum("bjt,bt->bj", rows, x) + offset - reach
        features, layers, inputs = self._inside(x, threat)
        margins = worst_margins(self.last, inputs[-1], label)
        if self.method == "interval":
            return margins
        form = Form(rows, offset.expand_as(margins))
        return torch.maximum(margins, lower_bounds(form, features, layers, inputs))

    def _inside(
        self, x: Tensor, threat: ThreatModel
    ) -> tuple[Features, list[nn.Module], list[Interval]]:
        """The enclosure, the layers after it, and the interval at every input, the last one's too.

        Raises:
            ValueError: if what reaches the last layer is not a row of numbers per item.
        """
        features, layers = enclose(self.hidden, x, threat)
        inputs = boxes(features, layers)
        last = inputs[-1].lower
        if last.ndim != 2 or len(last) != len(x):
            raise ValueError(
                f"the last layer gets {shape(last)} of a batch of {len(x)}; it must be "
                "(batch, feature), such as after nn.Flatten()."
            )
        return features, layers, inputs

    def verified_at(
        self,
        waveform: Float[Tensor, "batch time"],
        label: Int[Tensor, " batch"],
        level_db: float | Tensor,
        norm: Norm,
        at_0_db: ThreatModel | None = None,
    ) -> Bool[Tensor, " batch"]:
        """Verdicts at a level per item (or one for all), in chunks."""
        x = self._exactly(waveform)
        threat = self.threat_at(x, level_db, norm, at_0_db)
        verdict = self._verdicts(x, label, threat, torch.zeros_like(threat.epsilon)[:, None])
        return verdict[:, 0].to(waveform.device)

    def _verdicts(
        self, waveform: Tensor, label: Tensor, threat: ThreatModel, by_db: Float[Tensor, "item k"]
    ) -> Bool[Tensor, "item k"]:
        """Verdicts for every clip, with its threat moved by so many dB."""
        label = self._labels(label, waveform)
        items = torch.arange(len(by_db), device=by_db.device).repeat_interleave(by_db.shape[1])
        chunks = zip(items.split(CHUNK), by_db.flatten().split(CHUNK), strict=True)
        verdicts = [
            self.verify(waveform[at], label[at], threat[at].scaled(10 ** (db / 20))).verified
            for at, db in chunks
        ]
        return torch.cat(verdicts).reshape(by_db.shape)

    def largest_level(
        self,
        waveform: Float[Tensor, "batch time"],
        label: Int[Tensor, " batch"],
        norm: Norm = LINF,
        progress: Progress | None = None,
        at_0_db: ThreatModel | None = None,
    ) -> Float[Tensor, " batch"]:
        """The largest level in dB that verifies, to 0.07 dB from below; -inf where none does.

        The interval is cut into 7 at a time, all levels of a round in one batch; the level found
        verifies, and so does every one that was tried below it. `Enough`, raised by `progress`,
        ends the search with the level so far, which verifies as well.
        """
        lowest, highest = norm.levels.bisected
        waveform = self._exactly(waveform)
        at_0_db = at_0_db or self.threat_at(waveform, 0.0, norm)
        low = torch.full_like(at_0_db.epsilon, lowest)
        proven = self._verdicts(waveform, label, at_0_db, low[:, None])[:, 0]
        width = highest - lowest
        inner = torch.arange(1, SECTIONS + 1, device=waveform.device) / (SECTIONS + 1)
        for turn in range(ROUNDS):
            try:
                if progress:
                    progress(turn / ROUNDS)
            except Enough:
                break
            levels = low[:, None] + width * inner
            verdict = self._verdicts(waveform, label, at_0_db, levels)
            held = verdict.long().cumprod(1).sum(1)  # levels verified before the first that is not
            reached = levels.gather(1, (held - 1).clamp_min(0)[:, None])[:, 0]
            low = torch.where(held > 0, reached, low)
            width /= SECTIONS + 1
        return low.masked_fill(~proven, -inf)

    def _exactly(self, waveform: Float[Tensor, "batch time"]) -> Float[Tensor, "batch time"]:
        check_batch(waveform, "waveform")
        if waveform.shape[1:] != (length := self.given.length,):
            raise ValueError(
                f"waveform has the shape {tuple(waveform.shape)} and the classifier takes "
                f"(batch, {length}): classifier.prepare(clip).samples[None]."
            )
        if waveform.device != self.last.weight.device:
            check_device("waveform", waveform, self.given, "the classifier")
        return exact(waveform).clone()  # a layer may work in place

    def _labels(self, label: Int[Tensor, " batch"], waveform: Tensor) -> Int[Tensor, " batch"]:
        label = Misclassification(label).label.to(self.last.weight.device)
        check_per_item("label", label, label.new_empty(len(waveform)))
        check_labels("label", label, len(self.last.weight))
        return label

    def _question(self, waveform: Tensor, threat: ThreatModel) -> tuple[Tensor, ThreatModel]:
        """The representation of the clips and the threat, in float64.

        The threat loses its bounds: no interval here would use those of a waveform.
        """
        x = self.front(self._exactly(waveform))
        if threat.representation != self.representation:
            raise ValueError(
                f"a threat at the {threat.representation} is not one at the {self.representation}."
            )
        threshold = threat.threshold and threat.threshold.to(self.last.weight.device)
        epsilon = exact(threat.epsilon)
        threat = replace(threat, epsilon=epsilon, bounds=UNBOUNDED, threshold=threshold)
        threat.check(x)
        return x, threat
