"""What the masking model says of a perturbation: its noise-to-mask ratio, band by band.

Ratios are in dB over the masking threshold; at or below 0 dB the model calls a band inaudible.
These are predictions: none has been validated on adversarial perturbations.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from robustaudio.perception.masking import MaskingThreshold, bark, padded
from robustaudio.representations.spectral import Magnitude

DISTURBED_DB = 1.5  # BS.1387: noise-to-mask ratio of a band that disturbs its frame


def noise_to_mask_ratio(
    perturbation: Float[Tensor, "batch time"], threshold: MaskingThreshold
) -> Float[Tensor, "batch band frame"]:
    """Energy of the perturbation over that of the threshold, in dB, per band of one Bark.

    Band b holds the bins from b to b + 1 Bark. A perturbation of zero has -200 dB everywhere; a
    silent clip, whose loudest bin is next to nothing, hides nothing but that.
    """
    framing = threshold.framing
    stage = Magnitude(framing).to(perturbation)
    spectrum = stage.spectrum(padded(perturbation, framing))
    noise = spectrum.real.square() + spectrum.imag.square()
    hz = torch.arange(noise.shape[1]) * threshold.sample_rate / framing.n_fft
    rows = torch.nn.functional.one_hot(bark(hz.double()).long()).T.to(noise)
    ratio = (rows @ noise) / (rows @ threshold.amplitude.square()).clamp_min(1e-30)
    return 10 * ratio.clamp_min(1e-20).log10()


def total_noise_to_mask_db(
    ratio_db: Float[Tensor, "batch band frame"],
) -> Float[Tensor, " batch"]:
    """Noise-to-mask ratio of each clip: 10 log10 of the mean ratio over bands and frames.

    Total NMR of ITU-R BS.1387 (PEAQ, section 4.5), here with the threshold of Qin et al. and
    bands of one Bark where BS.1387 has its own ear model and quarters of a Bark. Every frame
    counts, while BS.1387 leaves out the silence around a clip.

    >>> total_noise_to_mask_db(torch.tensor([[[10.0, 10.0]]]))
    tensor([10.])
    """
    return 10 * (10 ** (ratio_db / 10)).flatten(1).mean(1).log10()


def max_noise_to_mask_db(ratio_db: Float[Tensor, "batch band frame"]) -> Float[Tensor, " batch"]:
    """Largest ratio of any band in any frame: at or below 0 dB no band is above the threshold.

    >>> max_noise_to_mask_db(torch.tensor([[[-10.0, -3.0], [-20.0, -5.0]]]))
    tensor([-3.])
    """
    return ratio_db.flatten(1).amax(1)


def disturbed_frames(ratio_db: Float[Tensor, "batch band frame"]) -> Float[Tensor, " batch"]:
    """Share of the frames in which some band's ratio is above 1.5 dB.

    Relative Disturbed Frames of ITU-R BS.1387 (PEAQ, section 4.6), from the ratios that
    `total_noise_to_mask_db` averages, over all frames.

    >>> disturbed_frames(torch.tensor([[[10.0, -3.0], [-20.0, -5.0]]]))
    tensor([0.5000])
    """
    return (ratio_db.amax(1) > DISTURBED_DB).to(ratio_db).mean(1)
