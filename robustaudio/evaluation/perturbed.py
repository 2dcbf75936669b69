"""A perturbed clip beside the clean one: levels, predictions, and what 16 bits leave of it."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from robustaudio.audio.clip import headroom_gain
from robustaudio.classifiers.classifier import Classifier
from robustaudio.evaluation.clips import finite
from robustaudio.evaluation.predict import predict_clip
from robustaudio.perception import metrics
from robustaudio.threats.criterion import Criterion, Misclassification


@dataclass(frozen=True, eq=False)
class PerturbedClip:
    """A perturbed waveform beside the clean one, and the record of how it came about."""

    clean: Float[Tensor, " time"]
    perturbed: Float[Tensor, " time"]
    record: dict

    @property
    def perturbation(self) -> Float[Tensor, " time"]:
        return self.perturbed - self.clean


def compare(
    classifier: Classifier,
    clean: Float[Tensor, " time"],
    perturbed: Float[Tensor, " time"],
    criterion: Criterion | None = None,
) -> dict:
    """Predictions before and after, distances and levels, and what 16-bit rounding leaves.

    Without a criterion, success is a changed prediction.
    """
    before, after = predict_clip(classifier, clean), predict_clip(classifier, perturbed)
    perturbation = (perturbed - clean)[None]
    criterion = criterion or Misclassification(classifier(clean[None]).argmax(-1))
    rounded = classifier(rounded_to_16_bit(perturbed)[None])
    return {
        "classifier": classifier.name,
        "clean_prediction": before["prediction"],
        "prediction": after["prediction"],
        "probabilities": after["probabilities"],
        "level_db": finite(metrics.level_db(perturbation, clean[None])[0]),
        "snr_db": finite(metrics.snr_db(perturbation, clean[None])[0]),
        "l2": float(metrics.l2(perturbation)),
        "linf": float(metrics.linf(perturbation)),
        "prediction_after_rounding": classifier.labels[int(rounded.argmax())],
        "success_after_rounding": bool(criterion.is_adversarial(rounded)[0]),
    }


def rounded_to_16_bit(waveform: Float[Tensor, " time"]) -> Float[Tensor, " time"]:
    """The waveform after a 16-bit file, with the common headroom gain undone."""
    gain = headroom_gain(float(waveform.abs().max()))
    steps = (waveform * gain / metrics.STEP_16_BIT).round()
    return steps.clamp(-(2.0**15), 2.0**15 - 1) * metrics.STEP_16_BIT / gain
