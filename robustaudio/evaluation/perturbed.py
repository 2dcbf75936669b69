"""A perturbed clip beside the clean one: levels, predictions, and what 16 bits leave of it."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from robustaudio.attacks.rounding import rounded_to_16_bit
from robustaudio.classifiers.classifier import Classifier
from robustaudio.classifiers.evaluation_mode import in_evaluation_mode
from robustaudio.evaluation.clips import finite
from robustaudio.evaluation.predict import predict_clip
from robustaudio.perception.distances import distances
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


@in_evaluation_mode
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
    measured = distances(perturbed[None], clean[None], classifier.sample_rate, perceptual=True).row(
        0
    )
    criterion = criterion or Misclassification(classifier(clean[None]).argmax(-1))
    rounded = classifier(rounded_to_16_bit(perturbed[None]))
    return {
        "classifier": classifier.name,
        "clean_prediction": before["prediction"],
        "prediction": after["prediction"],
        "probabilities": after["probabilities"],
        **{name: value if value is None else finite(value) for name, value in measured.items()},
        "prediction_after_rounding": classifier.labels[int(rounded.argmax())],
        "success_after_rounding": bool(criterion.is_adversarial(rounded)[0]),
    }
