"""Gaussian noise on a clip and on a data set."""

import time
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from robustaudio.classifiers.classifier import Classifier
from robustaudio.classifiers.evaluation_mode import in_evaluation_mode
from robustaudio.evaluation.clips import (
    BATCH,
    LabelledClips,
    finite,
    generator,
    seconds_since,
    share,
)
from robustaudio.evaluation.comparison import compare
from robustaudio.evaluation.results import NoisyClip
from robustaudio.progress import Progress
from robustaudio.threats.noise import gaussian_noise, noisy_clip


@in_evaluation_mode
def noise_clip(
    classifier: Classifier,
    waveform: Float[Tensor, " time"],
    *,
    representation: str,
    sigma: float,
    seed: int,
) -> NoisyClip:
    """Gaussian noise at a representation; the sound is what its inversion gives."""
    rng = generator(seed, waveform.device)
    noisy = noisy_clip(classifier, waveform[None], representation, sigma, rng)
    _, back = classifier.split(representation)
    return NoisyClip(
        **vars(compare(classifier, waveform, noisy.waveform[0])),
        representation=representation,
        sigma=sigma,
        prediction_at_representation=classifier.labels[int(back(noisy.features).argmax())],
        inversion_loss_db=finite(noisy.inversion_loss_db),
        seed=seed,
    )


@in_evaluation_mode
def noise_dataset(
    classifier: Classifier,
    clips: LabelledClips,
    *,
    representation: str,
    sigmas: Sequence[float],
    seed: int,
    progress: Progress | None = None,
) -> dict:
    """Accuracy under one draw of noise per clip, at each sigma."""
    started, rng = time.monotonic(), generator(seed, clips.waveforms.device)
    front, back = classifier.split(representation)
    levels = []
    for number, sigma in enumerate(sigmas):
        if progress:
            progress(number / len(sigmas))
        with torch.no_grad():
            after = [
                back(gaussian_noise(front(x), sigma, rng)).argmax(-1)
                for x in clips.waveforms.split(BATCH)
            ]
        levels.append({"sigma": sigma, "accuracy": share(torch.cat(after) == clips.labels)})
    return {
        "classifier": classifier.name,
        **clips.header,
        "representation": representation,
        "seed": seed,
        "levels": levels,
        "seconds": seconds_since(started),
    }
