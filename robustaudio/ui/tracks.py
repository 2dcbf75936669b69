"""Results as tracks of the player."""

from collections.abc import Sequence

import torch
from torch import Tensor

from robustaudio.evaluation.results import Exhibit, NoisePair, PerturbedClip
from robustaudio.ui.widgets.player import Track, amplification_db, player_value


def player_tracks(result: PerturbedClip, sample_rate: int) -> dict:
    """Clean, perturbed, and the perturbation alone with the amplification that its label says."""
    return player_value(_compared(result.clean, "perturbed", result.perturbed), sample_rate)


def live_tracks(clean: Tensor, best: Tensor, sample_rate: int) -> dict:
    """The same tracks of a search that goes on: what plays is not interrupted by newer ones."""
    return player_value(_compared(clean, "best so far", best), sample_rate, goes_on=True)


def _compared(clean: Tensor, name: str, perturbed: Tensor) -> list[Track]:
    difference = perturbed - clean
    return [
        Track("A", "clean", clean),
        Track("B", name, perturbed),
        Track("D", "difference", difference, amplification_db(difference, clean)),
    ]


def exhibit_tracks(clean: Tensor, shown: Sequence[Exhibit], sample_rate: int) -> dict:
    """Clean and the exhibits, all at the clip's own level."""
    names = zip("BCD", ("perturbed", "noise", "shifted"), shown, strict=True)
    tracks = [Track(key, name, exhibit.perturbed) for key, name, exhibit in names]
    return player_value([Track("A", "clean", clean), *tracks], sample_rate)


def noise_tracks(clean: Tensor, noise: NoisePair, sample_rate: int) -> dict:
    """Clean, clean with each noise, and the noises alone, which share one amplification."""
    gain_db = amplification_db(torch.cat([noise.shaped, noise.white]), clean)
    tracks = [
        Track("A", "clean", clean),
        Track("B", "+ shaped noise", clean + noise.shaped),
        Track("C", "+ white noise", clean + noise.white),
        Track("D", "shaped alone", noise.shaped, gain_db),
        Track("E", "white alone", noise.white, gain_db),
    ]
    return player_value(tracks, sample_rate)
