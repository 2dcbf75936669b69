"""How different two clips are: every distance at once, for clips of any length.

`distances` is the table of a perturbation: sizes and levels (levels.py), the log-spectral
distance, and what the masking model predicts (masking.py). All are predictions or plain
arithmetic; none has been validated on adversarial perturbations. Frames are those of
`masking_framing`: the rest after the last whole one, under a quarter of a frame, goes unseen.
"""

import importlib
from dataclasses import dataclass
from math import inf

import numpy as np
import soxr
import torch
from jaxtyping import Float
from torch import Tensor

from robustaudio.perception.audibility import (
    disturbed_frames,
    max_noise_to_mask_db,
    noise_to_mask_ratio,
    total_noise_to_mask_db,
)
from robustaudio.perception.levels import l2, level_db, linf, snr_db
from robustaudio.perception.masking import (
    MaskingThreshold,
    masking_framing,
    masking_threshold,
    padded_magnitude,
)

SPECTRAL_FLOOR_DB = -60.0  # of the log-spectral distance, below the loudest bin of both clips
ZIMTOHRLI_HZ = 48_000
ZIMTOHRLI_SHORTEST = 4_800  # samples; below 4200 version 0.2.1 corrupts the process's memory


@dataclass(frozen=True, eq=False)
class Distances:
    """How far each perturbed clip lies from its clean one; units are in the names.

    `disturbed_frames` is a share, `l2` and `linf` are in full scales. Equal clips have infinite
    ratios and a level of minus infinity; a silent clip that was perturbed has it the other way
    round, and its masking threshold hides nothing. The rest is finite. `perceptual_distance` is
    None where it was not asked for, or Zimtohrli is not installed.
    """

    l2: Float[Tensor, " batch"]
    linf: Float[Tensor, " batch"]
    level_db: Float[Tensor, " batch"]
    snr_db: Float[Tensor, " batch"]
    si_sdr_db: Float[Tensor, " batch"]
    log_spectral_distance_db: Float[Tensor, " batch"]
    noise_to_mask_db: Float[Tensor, " batch"]
    max_noise_to_mask_db: Float[Tensor, " batch"]
    disturbed_frames: Float[Tensor, " batch"]
    perceptual_distance: Float[Tensor, " batch"] | None = None

    def row(self, item: int) -> dict[str, float | None]:
        """The distances of one clip, by name, as a record has them."""
        return {
            name: None if values is None else float(values[item])
            for name, values in vars(self).items()
        }


def distances(
    perturbed: Float[Tensor, "batch time"],
    clean: Float[Tensor, "batch time"],
    sample_rate: int,
    *,
    threshold: MaskingThreshold | None = None,
    perceptual: bool = False,
) -> Distances:
    """Every distance of each perturbed clip from its clean one.

    `threshold` is that of the clean clips on the frames of `masking_framing`, where it is known
    already; `perceptual` asks for Zimtohrli's distance as well, which takes longer than the rest.

    Raises:
        ValueError: for clips of different shapes.

    >>> clean = torch.sin(torch.arange(800.0))[None]
    >>> distances(1.1 * clean, clean, 8_000).snr_db
    tensor([20.0000])
    """
    if perturbed.shape != clean.shape:
        raise ValueError(
            f"perturbed clips {tuple(perturbed.shape)} and clean ones {tuple(clean.shape)} must "
            "have one shape: (batch, time)."
        )
    perturbation = perturbed - clean
    if threshold is None:
        threshold = masking_threshold(clean, masking_framing(sample_rate), sample_rate)
    ratio_db = noise_to_mask_ratio(perturbation, threshold)
    return Distances(
        l2=l2(perturbation),
        linf=linf(perturbation),
        level_db=level_db(perturbation, clean),
        snr_db=snr_db(perturbation, clean),
        si_sdr_db=si_sdr_db(perturbed, clean),
        log_spectral_distance_db=log_spectral_distance_db(perturbed, clean, sample_rate),
        noise_to_mask_db=total_noise_to_mask_db(ratio_db),
        max_noise_to_mask_db=max_noise_to_mask_db(ratio_db),
        disturbed_frames=disturbed_frames(ratio_db),
        perceptual_distance=perceptual_distance(perturbed, clean, sample_rate)
        if perceptual
        else None,
    )


def si_sdr_db(
    estimate: Float[Tensor, "batch time"], clean: Float[Tensor, "batch time"]
) -> Float[Tensor, " batch"]:
    """Scale-invariant signal-to-distortion ratio (Le Roux et al. 2019, eq. 3 to 5).

    10 log10(|a s|^2 / |a s - e|^2) with a = <e, s> / |s|^2 for the clean clip s and the estimate
    e, which is the perturbed clip and not the perturbation: no gain of e changes it. As in the
    paper no mean is removed. Infinity for the clip itself (some 140 dB, float32's rounding, for
    most gains of it); minus infinity where nothing of the clip is left, or the clip is silent.

    >>> si_sdr_db(torch.tensor([[1.0, 0.1]]), torch.tensor([[1.0, 0.0]]))
    tensor([20.])
    """
    energy = clean.square().sum(1)
    scale = (estimate * clean).sum(1) / energy.where(energy > 0, 1)
    target = scale[:, None] * clean
    erased = (l2(estimate) == 0) & (energy > 0)
    return snr_db(estimate - target, target).masked_fill(erased, -inf)


def log_spectral_distance_db(
    perturbed: Float[Tensor, "batch time"], clean: Float[Tensor, "batch time"], sample_rate: int
) -> Float[Tensor, " batch"]:
    """RMS over the bins of the dB between two power spectra, mean over frames.

    The rms log spectral measure d2 of Gray & Markel (1976), on short-time spectra. Powers below a
    floor, 60 dB under the loudest bin of the louder clip, count as the floor: a frame in which
    both clips lie below it, such as padding, counts as 0 dB, and no distance exceeds 60 dB.

    >>> clean = torch.sin(torch.arange(800.0))[None]
    >>> log_spectral_distance_db(clean, clean, 8_000)
    tensor([0.])
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
