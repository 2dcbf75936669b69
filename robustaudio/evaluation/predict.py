"""What a classifier hears: on a clip, on a data set."""

import time

from jaxtyping import Float
from torch import Tensor

from robustaudio.classifiers.classifier import Classifier
from robustaudio.evaluation.clips import LabelledClips, predictions, seconds_since, share
from robustaudio.evaluation.results import Prediction


def predict_clip(classifier: Classifier, waveform: Float[Tensor, " time"]) -> Prediction:
    p = classifier.probabilities(waveform[None])[0].tolist()
    probabilities = dict(zip(classifier.labels, p, strict=True))
    most = max(probabilities, key=probabilities.__getitem__)
    return Prediction(classifier.name, most, probabilities)


def predict_dataset(classifier: Classifier, clips: LabelledClips) -> dict:
    started = time.monotonic()
    accuracy = share(predictions(classifier, clips.waveforms) == clips.labels)
    return {
        "classifier": classifier.name,
        **clips.header,
        "clean_accuracy": accuracy,
        "seconds": seconds_since(started),
    }
