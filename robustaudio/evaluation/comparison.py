"""A perturbed clip beside the clean one: levels, predictions, and what 16 bits leave of it."""

import torch
from jaxtyping import Float
from torch import Tensor

from robustaudio.audio.sixteen_bit import rounded_to_16_bit
from robustaudio.classifiers.classifier import Classifier
from robustaudio.classifiers.evaluation_mode import in_evaluation_mode
from robustaudio.evaluation.batch import Batch, finite
from robustaudio.evaluation.predict import predict
from robustaudio.evaluation.results import Difference, PerturbedClip, Prediction
from robustaudio.perception.audibility import distances, perceptual_distance
from robustaudio.threats.criterion import Criterion, Misclassification


@in_evaluation_mode
@torch.no_grad()
def compare(
    classifier: Classifier,
    clean: Float[Tensor, " time"],
    perturbed: Float[Tensor, " time"],
    criterion: Criterion | None = None,
    before: Prediction | None = None,
) -> PerturbedClip:
    """Predictions before and after, distances and levels, and what 16-bit rounding leaves.

    Without a criterion, success is a changed prediction. `before` is the clean clip's prediction,
    made here where it is not known.
    """
    before = before or predict(classifier, Batch.of(clean))[0]
    (after,) = predict(classifier, Batch.of(perturbed))
    criterion = criterion or Misclassification(torch.tensor([before.index], device=clean.device))
    rounded = classifier(rounded_to_16_bit(perturbed[None]))
    return PerturbedClip(
        clean=clean,
        perturbed=perturbed,
        before=before,
        classifier=classifier.name,
        clean_prediction=before.prediction,
        prediction=after.prediction,
        probabilities=after.probabilities,
        difference=difference(perturbed, clean, classifier.sample_rate),
        prediction_after_rounding=classifier.labels[int(rounded.argmax())],
        success_after_rounding=bool(criterion.is_adversarial(rounded)[0]),
    )


def difference(
    perturbed: Float[Tensor, " time"], clean: Float[Tensor, " time"], sample_rate: int
) -> Difference:
    """Every distance of a perturbed clip from its clean one."""
    measured = distances(perturbed[None], clean[None], sample_rate)
    perceived = perceptual_distance(perturbed[None], clean[None], sample_rate)
    return Difference(
        **{key: finite(value[0]) for key, value in measured.items()},
        perceptual_distance=None if perceived is None else finite(perceived[0]),
    )
