"""How different two clips are: every distance at once, for clips of any length.

`distances` is the table of a perturbation: sizes and levels (levels.py), the log-spectral
distance, and what the masking model predicts (masking.py). All are predictions or plain
arithmetic; none has been validated on adversarial perturbations. Frames are those of
`masking_framing`: the rest after the last whole one, under a quarter of a frame, goes unseen.
"""

import importlib

import numpy as np
import soxr
import torch
from jaxtyping import Float
from torch import Tensor

from robustaudio.perception import levels
from robustaudio.perception.masking import (
    disturbed_frames,
    masking_framing,
    masking_threshold,
    max_noise_to_mask_db,
    noise_to_mask_ratio,
    padded_magnitude,
    total_noise_to_mask_db,
)

SPECTRAL_FLOOR_DB = -60.0  # of the log-spectral distance, below the loudest bin of both clips
ZIMTOHRLI_HZ = 48_000
ZIMTOHRLI_SHORTEST = 4_800  # samples; below 4200 version 0.2.1 corrupts the process's memory


def distances(
    perturbed: Float[Tensor, "batch time"], clean: Float[Tensor, "batch time"], sample_rate: int
) -> dict[str, Float[Tensor, " batch"]]:
    """Every distance of each perturbed clip from its clean one; units are in the names.

    `disturbed_frames` is a share, `l2` and `linf` are in full scales. Equal clips have infinite
    ratios and a level of minus infinity; a silent clip that was perturbed has it the other way
    round, and its masking threshold hides nothing. The rest is finite.

    Raises:
        ValueError: for clips of different shapes.
    """
    if perturbed.shape != clean.shape:
        raise ValueError(
            f"perturbed clips {tuple(perturbed.shape)} and clean ones {tuple(clean.shape)} must "
            "have one shape: (batch, time)."
        )
    perturbation = perturbed - clean
    threshold = masking_threshold(clean, masking_framing(sample_rate), sample_rate)
    ratio_db = noise_to_mask_ratio(perturbation, threshold)
    return {
        "l2": levels.l2(perturbation),
        "linf": levels.linf(perturbation),
        "level_db": levels.level_db(perturbation, clean),
        "snr_db": levels.snr_db(perturbation, clean),
        "si_sdr_db": levels.si_sdr_db(perturbed, clean),
        "log_spectral_distance_db": log_spectral_distance_db(perturbed, clean, sample_rate),
        "noise_to_mask_db": total_noise_to_mask_db(ratio_db),
        "max_noise_to_mask_db": max_noise_to_mask_db(ratio_db),
        "disturbed_frames": disturbed_frames(ratio_db),
    }


def log_spectral_distance_db(
    perturbed: Float[Tensor, "batch time"], clean: Float[Tensor, "batch time"], sample_rate: int
) -> Float[Tensor, " batch"]:
    """RMS over the bins of the dB between two power spectra, mean over frames.

    The rms log spectral measure d2 of Gray & Markel (1976), on short-time spectra. Powers below a
    floor, 60 dB under the loudest bin of the louder clip, count as the floor: a frame in which
    both clips lie below it, such as padding, counts as 0 dB, and no distance exceeds 60 dB.
    """
    framing = masking_framing(sample_rate)
    powers = [padded_magnitude(x, framing).square() for x in (perturbed, clean)]
    loudest = torch.maximum(*powers).flatten(1).amax(1).detach()
    floor = (loudest * 10 ** (SPECTRAL_FLOOR_DB / 10))[:, None, None]
    perturbed_db, clean_db = (10 * torch.maximum(power, floor).log10() for power in powers)
    difference = perturbed_db - clean_db
    # unlike sqrt of the mean, vector_norm has a gradient where nothing differs: 0
    rms = torch.linalg.vector_norm(difference, dim=1) / difference.shape[1] ** 0.5
    return rms.mean(1)


def perceptual_distance(
    perturbed: Float[Tensor, "batch time"], clean: Float[Tensor, "batch time"], sample_rate: int
) -> Float[Tensor, " batch"] | None:
    """Zimtohrli's distance of each pair of clips, from 0; None where it is not installed.

    `pip install zimtohrli` (Apache-2.0) switches it on: records of a clip then have it. On its
    authors' set of just noticeable differences 0.012 divides best. It hears 48 kHz, resampled here;
    it hardly hears a gain or a shift of some samples; no gradient passes it. Clips shorter than
    0.1 s are padded with zeros, for the package needs some length, and padding changes the
    distance: compare equal lengths.
    """
    try:
        hearing = importlib.import_module("zimtohrli").Pyohrli()
    except ImportError:
        return None
    pairs = zip(_at_48_khz(perturbed, sample_rate), _at_48_khz(clean, sample_rate), strict=True)
    return torch.tensor([hearing.distance(a, b) for a, b in pairs], device=clean.device)


def _at_48_khz(waveform: Float[Tensor, "batch time"], sample_rate: int) -> np.ndarray:
    """Contiguous rows at Zimtohrli's rate, long enough for it."""
    channels = waveform.detach().float().cpu().numpy().T
    resampled = soxr.resample(channels, sample_rate, ZIMTOHRLI_HZ, "VHQ").T
    missing = max(0, ZIMTOHRLI_SHORTEST - resampled.shape[1])
    return np.ascontiguousarray(np.pad(resampled, ((0, 0), (0, missing))))
