"""The masking set as a ball: what stays under `radius` times a clip's masking threshold."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from robustaudio.audio.draws import Randomness, normal
from robustaudio.perception.masking import MaskingThreshold
from robustaudio.representations.inversion import inverse
from robustaudio.representations.spectral import Magnitude
from robustaudio.threats.geometry import TINY, Geometry, per_item

CONSISTENCY_ROUNDS = 4  # frames that overlap agree on a sound
INSIDE = 1 - 1e-3  # of the masking set: rounding of a loud sample is much in a weak bin
FITTING_ROUNDS = 8  # frames that are still too loud are turned down


@dataclass(frozen=True, eq=False)
class _Masking:
    """max over bins and frames of |STFT(d)| / threshold: 1 is the threshold itself."""

    threshold: MaskingThreshold

    @property
    def stage(self) -> Magnitude:
        return Magnitude(self.threshold.framing).to(self.threshold.amplitude)

    def measure(self, delta: Tensor) -> Tensor:
        return self._excess(delta).flatten(1).amax(1)

    def project(self, delta: Tensor, radius: Tensor) -> Tensor:
        """A point of the set near `delta` (not the nearest: no formula is known).

        Bins are cut to the threshold and frames made to agree, some rounds; frames that still
        exceed it are turned down, and at last the whole is.
        """
        limit = radius[..., None] * self.threshold.amplitude
        for _ in range(CONSISTENCY_ROUNDS):
            spectrum = self.stage.spectrum(delta)
            cut = (limit / spectrum.abs().clamp_min(TINY)).clamp_max(1)
            if bool((cut == 1).all()):
                return delta
            delta = inverse(self.stage, spectrum * cut, delta.shape[-1])
        for _ in range(FITTING_ROUNDS):
            excess = self._excess(delta).amax(1) / radius.clamp_min(TINY)
            if bool((excess <= 1).all()):
                break
            gain = 1 / torch.nn.functional.max_pool1d(excess.clamp_min(1), 3, 1, 1)
            delta = self._turned_down(delta, gain)
        size = per_item(self.measure(delta), delta).clamp_min(TINY)
        return delta * (INSIDE * radius / size).clamp_max(1)

    def steepest(self, gradient: Tensor) -> Tensor:
        """The gradient's phase at the threshold's size: the steepest step if no frames met."""
        spectrum = self.stage.spectrum(gradient)
        loudest = torch.polar(self.threshold.amplitude, spectrum.angle())
        return inverse(self.stage, loudest, gradient.shape[-1])

    def sample(self, like: Tensor, radius: Tensor, generator: Randomness) -> Tensor:
        """Gaussian noise shaped like the threshold, as loud as the set allows."""
        delta = self.steepest(normal(like, generator)) * radius
        for _ in range(CONSISTENCY_ROUNDS):
            delta = self.steepest(delta) * radius
        return self.project(delta, radius)

    def _excess(self, delta: Tensor) -> Tensor:
        return self.stage.spectrum(delta).abs() / self.threshold.amplitude.clamp_min(TINY)

    def _turned_down(self, delta: Tensor, gain: Float[Tensor, "batch frame"]) -> Tensor:
        """`delta` times a gain that glides from frame to frame."""
        framing = self.threshold.framing
        at = torch.arange(delta.shape[-1], device=delta.device) - framing.n_fft / 2
        position = (at / framing.hop_length).clamp(0, gain.shape[1] - 1)
        before = position.floor().long()
        after = (before + 1).clamp_max(gain.shape[1] - 1)
        share = (position - before).to(delta)
        return delta * (gain[:, before] * (1 - share) + gain[:, after] * share)


def masking(threshold: MaskingThreshold | None) -> Geometry:
    """The geometry of the norm whose unit ball is the masking set of these clips.

    Raises:
        ValueError: without a threshold.

    >>> from robustaudio.perception.masking import masking_framing, masking_threshold
    >>> tone = torch.sin(torch.arange(8_000) / 5)[None]
    >>> ball = masking(masking_threshold(tone, masking_framing(8_000), 8_000))
    >>> radius, noise = torch.ones(1, 1), torch.randn(1, 8_000, generator=torch.Generator())
    >>> bool(ball.measure(ball.project(noise, radius)) <= 1)  # at most the threshold itself
    True
    """
    if threshold is None:
        raise ValueError("the masking norm needs the masking threshold of the clips.")
    ball = _Masking(threshold)
    return Geometry(ball.measure, ball.project, ball.steepest, ball.sample)
