"""What is played: a clip under a family of perturbations, at a level in dB.

The level of every family is that of its L2 norm relative to the clip's, 20 log10(|d| / |x|), which
is minus the SNR. So families of one level are equal in energy, and only the ear tells them apart.
Everything is made at the clip's own rate, once and from a seed, and brought to 48 kHz by one
resampler, so that no browser resamples in its own way.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product
from math import sqrt

import numpy as np
import soxr
import torch
from jaxtyping import Float32, Float64

from robustaudio.audio.clip import Clip, headroom_gain
from robustaudio.listening.design.pairing import CLEAN_PARTNER, extent
from robustaudio.listening.design.trial import Condition
from robustaudio.perception.distances import Distances, distances
from robustaudio.perception.levels import amplitude, amplitude_db
from robustaudio.perception.masking import MaskingThreshold, masking_framing, masking_threshold

RATE = 48_000  # Hz, of everything that is served
FADE_S = 0.005  # at both ends of every stimulus alike
SHORTEST_S = 1.2  # of a loop: shorter clips are followed by silence
LONGEST_SHIFT_S = 0.005
FAST_S = 0.125  # time weighting "fast" of sound level meters (IEC 61672)
OVERSHOOT = 1.05  # between samples, the resampler may swing above the peak
CACHED, CACHED_SAMPLES = 512, 2**24  # renderings kept, and samples of all: 64 MB

Samples = Float64[np.ndarray, " time"]
Perturbation = Callable[[float], Samples]  # from a level in dB


@dataclass(frozen=True, eq=False)
class Stimulus:
    """One condition: a clip, and a perturbation of it at every level."""

    clip: Clip
    family: str
    perturbation: Perturbation

    @property
    def clean(self) -> Samples:
        return self.clip.samples.double().numpy()

    def at(self, level_db: float | None) -> Samples:
        """The clip with its perturbation; clean for None, by the same arithmetic."""
        return self.clean + (0 * self.clean if level_db is None else self.perturbation(level_db))


class Stimuli:
    """Every condition of a study, rendered on demand: equal length, equal gain, equal fades."""

    def __init__(self, conditions: Mapping[Condition, Stimulus], loudest_db: float) -> None:
        self.conditions = conditions
        self.loudest_db = loudest_db
        self.gain = headroom_gain(*(
            OVERSHOOT * float(np.abs(samples).max())
            for condition in conditions.values()
            for samples in (condition.at(None), condition.at(loudest_db))
        ))  # fmt: skip
        longest_s = max(SHORTEST_S, *(made.clip.duration_s for made in conditions.values()))
        kept = min(CACHED, int(CACHED_SAMPLES / (RATE * longest_s)))  # fewer of long clips
        self.render = lru_cache(kept)(self._render)
        self.facts = lru_cache(CACHED)(self._facts)
        self._threshold = lru_cache(1)(_masking_threshold)  # families of a clip come together

    @cached_property
    def loudest(self) -> tuple[Condition, float | None]:
        """The condition, and its level, whose rendering is the loudest for `FAST_S`."""
        window = round(FAST_S * RATE)

        def fast_energy(rendering: tuple[Condition, float | None]) -> float:
            energy = np.cumsum(self.render(*rendering).astype(float) ** 2)
            return float((energy[window:] - energy[:-window]).max())

        return max(product(self.conditions, (None, self.loudest_db)), key=fast_energy)

    def _render(self, condition: Condition, level_db: float | None) -> Float32[np.ndarray, " time"]:
        """Samples at 48 kHz with the study's one gain; the trials of a condition share a length."""
        stimulus = self.conditions[condition]
        sound = soxr.resample(stimulus.at(level_db), stimulus.clip.sample_rate, RATE, "VHQ")
        ramp = np.linspace(0, 1, round(FADE_S * RATE))
        sound[: len(ramp)] *= ramp
        sound[-len(ramp) :] *= ramp[::-1]
        silence = max(0, round(SHORTEST_S * RATE) - len(sound))
        return np.pad(self.gain * sound, (0, silence)).astype(np.float32)

    def _facts(self, condition: Condition, level_db: float) -> dict[str, float | str]:
        """Sizes of the perturbation in the clip's own units, the model's prediction, and a hash."""
        measured = self._distances(condition, level_db)
        sigma = float(measured.l2) / sqrt(len(self.conditions[condition].clip.samples))
        samples = self.render(condition, level_db)
        return {
            "l2": float(measured.l2),
            "linf": float(measured.linf),
            "snr_db": float(measured.snr_db),
            "sigma": sigma,
            "rms_dbfs_before_gain": amplitude_db(sigma),
            "noise_to_mask_db": float(measured.noise_to_mask_db),
            "stimulus_sha256": hashlib.sha256(samples.tobytes()).hexdigest(),
        }

    def noise_to_mask_db(self, condition: Condition, level_db: float) -> float:
        """Noise-to-mask ratio of the perturbation at a level: the one in `facts`."""
        return float(self._distances(condition, level_db).noise_to_mask_db)

    def _distances(self, condition: Condition, level_db: float) -> Distances:
        stimulus = self.conditions[condition]
        clean, perturbed = (
            torch.from_numpy(samples)[None] for samples in (stimulus.clean, stimulus.at(level_db))
        )
        threshold = self._threshold(stimulus.clip)
        return distances(perturbed, clean, stimulus.clip.sample_rate, threshold=threshold)


def white(clip: Clip, rng: np.random.Generator) -> Perturbation:
    """Gaussian noise over the whole clip, its silence included: what smoothing adds."""
    return _scaled(rng.standard_normal(len(clip.samples)), clip)


def _masking_threshold(clip: Clip) -> MaskingThreshold:
    samples = clip.samples.double()[None]
    return masking_threshold(samples, masking_framing(clip.sample_rate), clip.sample_rate)


def shaped(clip: Clip, rng: np.random.Generator) -> Perturbation:
    """Gaussian noise whose spectrum follows the clip's masking threshold from frame to frame."""
    framing = masking_framing(clip.sample_rate)
    missing = -(len(clip.samples) - framing.n_fft) % framing.hop_length
    if len(clip.samples) < framing.n_fft:
        missing = framing.n_fft - len(clip.samples)
    padded = torch.nn.functional.pad(clip.samples.double(), (0, missing))
    threshold = masking_threshold(padded[None], framing, clip.sample_rate).amplitude[0].numpy()
    spectrum = threshold * (rng.standard_normal((2, *threshold.shape)) * [[[1]], [[1j]]]).sum(0)
    frames = (
        np.fft.irfft(spectrum, framing.n_fft, axis=0) * np.hanning(framing.n_fft + 1)[:-1, None]
    )
    noise = np.zeros(len(padded))
    for number, frame in enumerate(frames.T):
        noise[number * framing.hop_length :][: framing.n_fft] += frame
    return _scaled(noise[: len(clip.samples)], clip)


def shift(clip: Clip, rng: np.random.Generator) -> Perturbation:
    """The clip some fraction of a millisecond late: large in L2, and not to be heard."""
    del rng  # nothing is drawn
    size = len(clip.samples) + round(LONGEST_SHIFT_S * clip.sample_rate)
    spectrum = np.fft.rfft(clip.samples.double().numpy(), size)
    omega = 2 * np.pi * np.fft.rfftfreq(size, 1 / clip.sample_rate)
    clean = np.fft.irfft(spectrum, size)

    def late(seconds: float) -> Samples:
        moved = np.fft.irfft(spectrum * np.exp(-1j * omega * seconds), size)
        return (moved - clean)[: len(clip.samples)]

    def level_of(seconds: float) -> float:
        return amplitude_db(float(np.linalg.norm(late(seconds)) / np.linalg.norm(clean)))

    def perturbation(level_db: float) -> Samples:
        """By the shortest shift that reaches a level: on a grid first, then by bisection."""
        grid = np.linspace(0, LONGEST_SHIFT_S, 401)
        above = next((s for s in grid[1:] if level_of(s) >= level_db), None)
        if above is None:
            raise ValueError(
                f"no shift of up to {1000 * LONGEST_SHIFT_S:g} ms reaches {level_db:g} dB; "
                "lower levels would be right."
            )
        low, high = above - grid[1], above
        for _ in range(50):
            middle = (low + high) / 2
            low, high = (low, middle) if level_of(middle) >= level_db else (middle, high)
        return late(high)

    return perturbation


def _between(clip: Clip, perturbed: Clip) -> Perturbation:
    """The difference of two clips that are `paired`, scaled to the level."""
    if extent(perturbed) != extent(clip):
        raise ValueError(
            f"{perturbed.name} has {extent(perturbed)}; its clean clip {clip.name} has "
            f"{extent(clip)}. {CLEAN_PARTNER}."
        )
    difference = (perturbed.samples.double() - clip.samples.double()).numpy()
    if not difference.any():
        raise ValueError(f"{perturbed.name} does not differ from its clean clip {clip.name}.")
    return _scaled(difference, clip)


FAMILIES = {"white": white, "shaped": shaped, "shift": shift}


def stimulus_of(
    clip: Clip, family: str, perturbed: Mapping[str, Clip], seed: Sequence[int]
) -> Stimulus:
    """A condition: one of `FAMILIES`, or a perturbed clip by its name, as `paired` gives both.

    Raises:
        ValueError: for a family that is neither; for clips that are not paired, or do not differ.
    """
    if family in FAMILIES:
        return Stimulus(clip, family, FAMILIES[family](clip, np.random.default_rng(seed)))
    if family in perturbed:
        return Stimulus(clip, family, _between(clip, perturbed[family]))
    known = ", ".join([*FAMILIES, *perturbed])
    raise ValueError(f"no family {family!r} of {clip.name}; choose from {known}.")


def _scaled(noise: Samples, clip: Clip) -> Perturbation:
    """Any waveform, at the level that is asked for."""
    unit = noise * (float(clip.samples.double().norm()) / np.linalg.norm(noise))
    return lambda level_db: amplitude(level_db) * unit
