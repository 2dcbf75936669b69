"""One certificate for proofs and for smoothing."""

from dataclasses import dataclass

from robustaudio.threats.norms import Norm


@dataclass(frozen=True)
class Certificate:
    """No perturbation smaller than `radius` in `norm` at `representation` changes `prediction`.

    `prediction` None means abstain (then the radius is 0). `confidence` is 1 for a proof and
    1 - alpha for randomized smoothing, whose prediction is that of the SMOOTHED classifier.
    """

    prediction: int | None
    radius: float
    norm: Norm
    representation: str
    confidence: float
    method: str
