"""Perturbed clips beside the clean ones: levels, predictions, and what 16 bits leave of them."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from robustaudio.audio.sixteen_bit import rounded_to_16_bit
from robustaudio.classifiers.classifier import Classifier
from robustaudio.classifiers.evaluation_mode import in_evaluation_mode
from robustaudio.evaluation.batch import Batch, finite
from robustaudio.evaluation.predict import predict
from robustaudio.evaluation.results import Difference, PerturbedClip, Prediction
from robustaudio.perception.distances import distances
from robustaudio.perception.masking import MaskingThreshold, masking_framing
from robustaudio.threats.criterion import Criterion, Misclassification


@in_evaluation_mode
@torch.no_grad()
def compare(
    classifier: Classifier,
    clean: Float[Tensor, "clip time"],
    perturbed: Float[Tensor, "clip time"],
    criterion: Criterion | None = None,
    before: Sequence[Prediction] = (),
    threshold: MaskingThreshold | None = None,
) -> list[PerturbedClip]:
    """Predictions before and after, distances and levels, and what 16-bit rounding leaves.

    Without a criterion, success is a changed prediction. `before` are the clean clips' predictions
    and `threshold` their masking threshold, made here where they are not known (a threshold on
    other frames than the distances' does not count).
    """
    before = before or predict(classifier, Batch(waveforms=clean))
    label = torch.tensor([prediction.index for prediction in before], device=clean.device)
    rounded = classifier(rounded_to_16_bit(perturbed))
    success = (criterion or Misclassification(label)).is_adversarial(rounded).tolist()
    if threshold and threshold.framing != masking_framing(classifier.sample_rate):
        threshold = None
    measured = distances(
        perturbed, clean, classifier.sample_rate, threshold=threshold, perceptual=True
    )
    return [
        PerturbedClip(
            clean=clean[i],
            perturbed=perturbed[i],
            before=before[i],
            classifier=classifier.name,
            clean_prediction=before[i].prediction,
            prediction=after.prediction,
            probabilities=after.probabilities,
            difference=Difference(
                **{k: None if v is None else finite(v) for k, v in measured.row(i).items()}
            ),
            prediction_after_rounding=classifier.labels[int(rounded[i].argmax())],
            success_after_rounding=success[i],
        )
        for i, after in enumerate(predict(classifier, Batch(waveforms=perturbed)))
    ]
