"""Three perturbations of one clip: a given one, noise of the same L2, and a shift by five samples.

Beside each other they show what an L2 norm says of a sound, and what it does not: a shift that
nobody hears is large in L2, and noise as large as an attack rarely changes the decision.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from robustaudio.classifiers.classifier import Classifier
from robustaudio.evaluation.batch import finite, generator, predictions
from robustaudio.evaluation.results import Exhibit
from robustaudio.perception.distances import distances
from robustaudio.perception.levels import l2
from robustaudio.perception.masking import masking_framing, masking_threshold

SHIFT = 5  # samples


def exhibits(
    classifier: Classifier,
    clean: Float[Tensor, " time"],
    perturbed: Float[Tensor, " time"],
    *,
    seed: int,
) -> tuple[Exhibit, ...]:
    """The perturbation, uniform noise of its L2, and the clip `SHIFT` samples late."""
    noise = uniform_noise(clean, float(l2((perturbed - clean)[None])[0]), seed)
    made = {"given": perturbed, "noise": clean + noise, "shift": shifted(clean, SHIFT)}
    batch = torch.stack(list(made.values()))
    rate, clip = classifier.sample_rate, torch.zeros(len(batch), dtype=torch.long)
    threshold = masking_threshold(clean[None], masking_framing(rate), rate)[clip]
    measured = distances(batch, clean.expand_as(batch), rate, threshold=threshold)
    labels = predictions(classifier, batch)
    return tuple(
        Exhibit(
            kind,
            waveform,
            l2=finite(measured.l2[row]),
            snr_db=finite(measured.snr_db[row]),
            noise_to_mask_db=finite(measured.noise_to_mask_db[row]),
            prediction=classifier.labels[int(labels[row])],
        )
        for row, (kind, waveform) in enumerate(made.items())
    )


def uniform_noise(like: Float[Tensor, " time"], size: float, seed: int) -> Float[Tensor, " time"]:
    """Independent uniform samples, scaled to an L2 norm. Nothing is clipped."""
    rng = generator(seed, like.device)
    noise = 2 * torch.rand(like.shape, generator=rng, device=like.device, dtype=like.dtype) - 1
    return noise * (size / noise.norm())


def shifted(samples: Float[Tensor, " time"], late: int) -> Float[Tensor, " time"]:
    """The samples that many samples later; zeros come in, the end falls out."""
    if not 0 <= late <= len(samples):
        raise ValueError(f"a shift of {late} samples must lie between 0 and {len(samples)}.")
    return torch.cat([torch.zeros_like(samples[:late]), samples[: len(samples) - late]])
