"""A threat is a value: a ball of perturbations in a norm, at a representation, within bounds."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf

import torch
from jaxtyping import Float
from torch import Tensor

from robustaudio.audio.draws import Randomness
from robustaudio.audio.tensor_checks import check_per_item, kind, shape
from robustaudio.classifiers.classifier import Classifier
from robustaudio.classifiers.evaluation_mode import in_evaluation_mode
from robustaudio.perception.masking import MaskingThreshold, masking_threshold
from robustaudio.representations.spectral import Magnitude
from robustaudio.representations.stage import UNBOUNDED, bounds_behind
from robustaudio.threats.geometry import TINY, Geometry, per_item
from robustaudio.threats.masking_set import INSIDE
from robustaudio.threats.norms import NORMS, Norm

BOTH_ROUNDS = 3  # between the masking set and the bounds
NEARLY = 1.01  # outside the masking set by less: turning the whole down costs no more than 0.1 dB


@dataclass(frozen=True, eq=False)
class ThreatModel:
    """All x + d with ||d|| <= epsilon at `representation`, inside `bounds`.

    `epsilon` is one radius per item; in the masking norm it is relative to `threshold`, the
    masking threshold of the clips. The bounds are those of the representation: +-1 for a
    waveform, (0, inf) for magnitudes and energies; where x itself lies outside, it may stay.

    Raises:
        TypeError: for an epsilon that is no tensor.
        ValueError: for a norm that is no `Norm`, an epsilon that is no row of sizes, or bounds of
            which the first is not the lower one.

    >>> threat = ThreatModel(NORMS["linf"], torch.tensor([0.1]))
    >>> threat.project(torch.tensor([[0.5, 1.05]]), torch.tensor([[0.0, 1.0]]))
    tensor([[0.1000, 1.0000]])
    """

    norm: Norm
    epsilon: Float[Tensor, " batch"]
    representation: str = "waveform"
    bounds: tuple[float, float] = (-1.0, 1.0)
    threshold: MaskingThreshold | None = None

    def __post_init__(self):
        if not isinstance(self.norm, Norm):
            raise ValueError(
                f"no norm {self.norm!r}; it must be a Norm, such as norm_named('linf'), from "
                f"{', '.join(NORMS)}."
            )
        if not isinstance(self.epsilon, Tensor):
            raise TypeError(
                f"epsilon is {kind(self.epsilon)}; it must be a tensor of one radius per item: "
                f"ThreatModel({self.norm.name.upper()}, torch.full((len(x),), 0.01))."
            )
        if self.epsilon.ndim != 1:
            raise ValueError(
                f"epsilon of shape {shape(self.epsilon)} must have one axis, one radius per item: "
                "(batch,)."
            )
        low, high = self.bounds
        if not low < high:
            raise ValueError(f"bounds {self.bounds} must be two numbers, the lower one first.")
        if not bool((self.epsilon >= 0).all()):
            raise ValueError(f"epsilon {self.epsilon.tolist()} must not be negative or NaN.")

    def __getitem__(self, index: Tensor) -> "ThreatModel":
        """The same threat for some of the items."""
        threshold = self.threshold and self.threshold[index]
        return replace(self, epsilon=self.epsilon[index], threshold=threshold)

    def check(self, x: Float[Tensor, "batch *shape"]) -> None:
        """Refuses a batch that this threat does not fit.

        Raises:
            ValueError: for another number of items, or another device.
        """
        check_per_item("epsilon", self.epsilon, x)
        if self.threshold:
            check_per_item("threshold", self.threshold.amplitude, x)

    def scaled(self, factor: float | Float[Tensor, " batch"]) -> "ThreatModel":
        """The same threat with its radii times a factor (one, or one per item)."""
        return replace(self, epsilon=self.epsilon * factor)

    @property
    def unlimited(self) -> "ThreatModel":
        """The same bounds without a radius."""
        return replace(self, epsilon=torch.full_like(self.epsilon, inf))

    def distance(self, perturbation: Float[Tensor, "batch *shape"]) -> Float[Tensor, " batch"]:
        """Size of each perturbation in the threat's norm."""
        return self._geometry.measure(perturbation)

    def project(
        self, adversarial: Float[Tensor, "batch *shape"], x: Float[Tensor, "batch *shape"]
    ) -> Float[Tensor, "batch *shape"]:
        """The nearest point of the ball (of the masking set: a near one), inside the bounds."""
        return self.around(x)(adversarial)

    def around(self, x: Float[Tensor, "batch *shape"]) -> Callable[[Tensor], Tensor]:
        """The projection onto the ball around x, prepared for many points."""
        geometry, radius = self._geometry, self._radius(x)
        if self.norm.is_box:  # so is the ball inside the bounds
            low, high = self._range(x)
            low, high = torch.maximum(x - radius, low), torch.minimum(x + radius, high)
            return lambda adversarial: adversarial.clamp(low, high)
        return lambda adversarial: self._bounded(geometry.project(adversarial - x, radius), x)

    def steepest(self, gradient: Float[Tensor, "batch *shape"]) -> Float[Tensor, "batch *shape"]:
        """The step of size epsilon that raises a linear function most."""
        return self._geometry.steepest(gradient).mul_(self._radius(gradient))

    def sample(
        self, x: Float[Tensor, "batch *shape"], generator: Randomness
    ) -> Float[Tensor, "batch *shape"]:
        """A random point of the ball (of l2 and linf balls: uniform), inside the bounds."""
        delta = self._geometry.sample(x, self._radius(x), generator)
        return self._bounded(delta, x)

    @property
    def _geometry(self) -> Geometry:
        return self.norm.at(self.threshold)

    def _bounded(self, delta: Tensor, x: Tensor) -> Tensor:
        """x + delta inside the bounds.

        Clamping makes a sample's change smaller, and stays in an linf or l2 ball. It can leave the
        masking set: the two are projected onto in turns, and what is left over is turned down,
        towards x, which lies in both.
        """
        low, high = self._range(x)
        moved = _clamped(x + delta, low, high)
        if self.threshold is None or self.bounds == UNBOUNDED:
            return moved
        radius = self._radius(x)
        for _ in range(BOTH_ROUNDS):
            if bool((self.distance(moved - x) <= NEARLY * self.epsilon).all()):
                break
            moved = _clamped(x + self._geometry.project(moved - x, radius), low, high)
        size = per_item(self.distance(moved - x), x)
        return x + (moved - x) * (INSIDE * radius / size.clamp_min(TINY)).clamp_max(1)

    def _range(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The bounds; where x lies outside, it may stay: clamping must not move x."""
        low, high = (x.new_tensor(bound) for bound in self.bounds)
        if not len(x) or x.amin() < low or x.amax() > high:
            return torch.minimum(x, low), torch.maximum(x, high)
        return low, high

    def _radius(self, like: Tensor) -> Tensor:
        return per_item(self.epsilon.to(like), like)


def _clamped(x: Tensor, low: Tensor, high: Tensor) -> Tensor:
    return torch.minimum(torch.maximum(x, low), high)  # a quarter of the time of clamp


@in_evaluation_mode
def threat_at(
    classifier: Classifier,
    waveform: Float[Tensor, "batch time"],
    level_db: float | Float[Tensor, " batch"],
    norm: Norm,
    bounds: tuple[float, float] | None = None,
    representation: str = "waveform",
) -> ThreatModel:
    """The threat at a level, around prepared clips.

    Levels are relative to the clip's peak (LINF), its l2 norm (L2), or its masking threshold on
    the classifier's own frames (MASKING); at another representation, to the largest value or the
    l2 norm there. The bounds are +-1 for a waveform, 0 and infinity for magnitudes and energies
    if nothing else is said.

    Raises:
        ValueError: for an impossible level, an unknown representation, or the masking norm at
            another representation or where the classifier has no magnitude stage.
    """
    front, _ = classifier.split(representation)
    bounds = bounds_behind(front) if bounds is None else bounds
    epsilon, threshold = norm.epsilon(level_db, front(waveform)), None
    if norm.needs_threshold:
        magnitude = next(iter(classifier.stages.values()), None)
        if not isinstance(magnitude, Magnitude) or representation != "waveform":
            raise ValueError(
                "the masking set is one of waveforms, of a classifier that starts with a magnitude."
            )
        threshold = masking_threshold(waveform, magnitude.framing, classifier.sample_rate)
    return ThreatModel(norm, epsilon.expand(len(waveform)), representation, bounds, threshold)
