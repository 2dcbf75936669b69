"""A clean clip and its perturbed versions, brought together: one rate, length, gain and time.

Two files of one sound rarely share all of them: `attack --output` resamples, pads or cuts a clip as
its classifier takes it, and gives it a gain. Whatever is left of that would be heard beside the
perturbation, and louder than it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import factorial, sqrt
from typing import Any

import numpy as np
from jaxtyping import Complex, Float
from numpy.polynomial.polynomial import polyval
from scipy.fft import next_fast_len
from scipy.optimize import minimize_scalar
from torch.nn.functional import pad

from robustaudio.audio.clip import Clip
from robustaudio.perception.levels import amplitude_db

SAME = 0.8  # correlation of one sound with itself, perturbed; other words of a voice reach 0.57
SHOWN_DB, SHOWN_SAMPLES = 0.05, 0.01  # what is named beside something larger
CLEAN_PARTNER = (
    "`python -m robustaudio noise CLIP --sigma 0 --output clean.wav` writes the clean clip that "
    "fits `attack CLIP --output`"
)

Samples = Float[np.ndarray, " time"]


def paired(clip: Clip, perturbed: Sequence[Clip]) -> tuple[Clip, list[Clip]]:
    """The clean clip as its perturbed versions need it, and they with its gain.

    The clean clip is resampled where the perturbed ones carry the gain of a classifier, which has
    resampled them, and padded or cut to their length. Noted gains are undone; where notes were
    lost, samples that fit as they are stay as they are.

    Raises:
        ValueError: where the difference is none, or mostly one of gain, sign or time, with its
            size; for a rate or a length that nothing explains.
    """
    if not perturbed:
        return clip, []
    first = perturbed[0]
    for other in perturbed[1:]:
        if extent(other) != extent(first):
            raise ValueError(
                f"{first.name} has {extent(first)} and {other.name} {extent(other)}: the perturbed "
                "versions of a clip need one rate and length; list the clip twice, by two names."
            )
    sounds = [_placed(clip, first), *perturbed]
    gains = [sound.gain for sound in sounds if sound.gain is not None]
    readings = [[_with_gain(sound, gains[0]) for sound in sounds] if gains else sounds]
    if len({sound.gain for sound in sounds}) > 1:  # editors lose notes, and keep samples
        readings.append([replace(sound, gain=gains[0]) for sound in sounds])
    problems = []
    for clean, *others in readings:
        problem = next(filter(None, (misfit(clean, other) for other in others)), None)
        if problem is None:
            return clean, others
        problems.append(problem)
    raise ValueError(problems[0])


def misfit(clean: Clip, perturbed: Clip) -> str | None:
    """What is wrong with two clips of one rate and length, in a sentence; None where nothing is.

    Where both are one sound, and the clean one is scaled, turned upside down and moved in time to
    match the perturbed one best, what remains is the perturbation: half of the difference at least.
    """
    x, y = (sound.samples.double().cpu().numpy() for sound in (clean, perturbed))
    energy, difference = float(y @ y), float((y - x) @ (y - x))
    if difference <= 1e-12 * float(x @ x):  # what 24 bits leave of equal samples
        return f"{perturbed.name} does not differ from its clean clip {clean.name}."
    match = _match(x, y)
    if abs(match.correlation) < 0.25 and abs(float(x @ y)) < float(x @ x) / 2:
        return (
            f"{perturbed.name} is another sound than its clean clip {clean.name}: their "
            f"correlation is {abs(match.correlation):.2f} at most, at any shift."
        )
    explained = 1 - energy * (1 - match.correlation**2) / difference
    if abs(match.correlation) < SAME or explained <= 0.5:
        return None
    wrong = _in_words(match, clean.sample_rate)
    return (
        f"{perturbed.name} is {' and '.join(wrong.values())} its clean clip {clean.name}, and that "
        f"is what listeners would hear. Give both one {' and '.join(wrong)}; {CLEAN_PARTNER}."
    )


@dataclass(frozen=True)
class _Match:
    """How one sound becomes another one best: later by so many samples, times `factor`."""

    later: float
    factor: float
    correlation: float


def _match(x: Samples, y: Samples) -> _Match:
    """The shift, to a fraction of a sample, at which the correlation is largest; and its factor."""
    spectrum, size, lag = _correlated(x, y)
    correlation = _near(spectrum, size, lag)
    refined: Any = minimize_scalar(
        lambda later: -abs(correlation(later)), bounds=(lag - 1, lag + 1), method="bounded",
        options={"xatol": 1e-6},
    )  # fmt: skip
    later = max((float(lag), float(refined.x)), key=lambda later: abs(correlation(later)))
    moved = round(later)
    inside = x[: len(x) - moved] if moved >= 0 else x[-moved:]  # the rest has left the clip
    energy, other = max(float(inside @ inside), 1e-300), max(float(y @ y), 1e-300)
    return _Match(later, correlation(later) / energy, correlation(later) / sqrt(energy * other))


def _near(spectrum: Complex[np.ndarray, " bin"], size: int, lag: int) -> Callable[[float], float]:
    """The correlation as a function of the shift, one sample around `lag`: its Taylor series.

    A sum over all bins for each shift would cost an exponential per bin.
    """
    omega = 2 * np.pi * np.fft.rfftfreq(size)
    weights = np.where((omega == 0) | (omega >= np.pi), 1, 2) / size  # a real signal's two halves
    turned = weights * spectrum * np.exp(1j * omega * lag)
    even, odd, square = turned.real.copy(), -turned.imag * omega, omega**2
    series = []
    for n in range(0, 32, 2):  # pi ** 32 / 32! is below a float's rounding
        sign = -1 if n % 4 else 1
        series += [sign * even.sum() / factorial(n), sign * odd.sum() / factorial(n + 1)]
        even *= square
        odd *= square
    return lambda later: float(polyval(later - lag, series))


def _correlated(x: Samples, y: Samples) -> tuple[Complex[np.ndarray, " bin"], int, int]:
    """The spectrum of the linear correlation by the lag of y, its size, and its largest lag."""
    size = int(next_fast_len(len(x) + len(y), real=True) or 0)
    spectrum = np.conj(np.fft.rfft(x, size)) * np.fft.rfft(y, size)
    at = int(np.abs(np.fft.irfft(spectrum, size)).argmax())
    return spectrum, size, at - size if at > size // 2 else at


def _in_words(match: _Match, sample_rate: int) -> dict[str, str]:
    """What differs, by the name of what should be the same: "7.1 dB louder than" by "gain"."""
    level_db, samples = amplitude_db(abs(match.factor)), abs(match.later)
    parts = {}
    if samples >= SHOWN_SAMPLES:
        count = f"{samples:.0f}" if samples >= 100 else f"{samples:.3g}"
        late = (
            f"{count} sample{'' if count == '1' else 's'} ({1000 * samples / sample_rate:.3g} ms)"
        )
        parts["start"] = f"{late} {'later' if match.later > 0 else 'earlier'} than"
    if match.factor < 0:
        parts["polarity"] = "upside down (of inverted polarity) beside"
    if abs(level_db) >= SHOWN_DB or not parts:
        size = f"{abs(level_db):.1f}" if abs(level_db) >= SHOWN_DB else f"{abs(level_db):.1g}"
        parts["gain"] = f"{size} dB {'louder' if level_db > 0 else 'softer'} than"
    return parts


def _placed(clip: Clip, perturbed: Clip) -> Clip:
    """The clean clip at the rate of the perturbed one, and padded or cut to where that has it."""
    if clip.sample_rate != perturbed.sample_rate:
        if perturbed.gain is None:
            raise ValueError(
                f"{perturbed.name} has {extent(perturbed)}; its clean clip {clip.name} has "
                f"{extent(clip)}. Both need one rate; {CLEAN_PARTNER}."
            )
        clip = clip.resampled(perturbed.sample_rate)
    length = len(perturbed.samples)
    if len(clip.samples) == length:
        return clip
    x, y = (sound.samples.double().cpu().numpy() for sound in (clip, perturbed))
    lag, room = _correlated(x, y)[-1], length - len(x)
    best = fitted = clip.fitted(length)  # as a classifier does it
    alike = abs(_correlation(fitted, perturbed))
    if min(0, room) <= lag <= max(0, room):
        moved = replace(clip, samples=pad(clip.samples, (lag, room - lag)))
        if (correlation := abs(_correlation(moved, perturbed))) > alike:
            best, alike = moved, correlation
    prepared = perturbed.gain is not None and best is fitted
    if alike < SAME and not prepared:
        raise ValueError(
            f"{perturbed.name} has {extent(perturbed)}; its clean clip {clip.name} has "
            f"{extent(clip)}, and neither is found inside the other; {CLEAN_PARTNER}."
        )
    return best


def _correlation(clean: Clip, other: Clip) -> float:
    x, y = (clip.samples.double() for clip in (clean, other))
    return float(x @ y) / max(float(x.norm() * y.norm()), 1e-300)


def _with_gain(clip: Clip, gain: float) -> Clip:
    """The clip at another gain than the noted one; 1 where none is."""
    if clip.gain == gain:
        return clip
    return replace(clip, samples=clip.samples * (gain / (clip.gain or 1.0)), gain=gain)


def extent(clip: Clip) -> str:
    """Samples and rate, in words."""
    return f"{len(clip.samples)} samples at {clip.sample_rate} Hz"
