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

MOSTLY = 0.5  # share of a difference's energy that a change of gain, sign or time explains
SAME = 0.8  # correlation of one sound with itself, perturbed; other words of a voice reach 0.57
UNLIKE = 0.25  # at most, at any shift, of a clip and another sound
ROUNDING_DB = -120.0  # of the clip's L2 norm: what 24 bits and 32-bit floats leave of equal samples
SHOWN_DB, SHOWN_SAMPLES = 0.05, 0.01  # what is named beside something larger
TERMS = 32  # of the correlation's series: pi ** 32 / 32! is below a float's rounding
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
        if _size(other) != _size(first):
            raise ValueError(
                f"{first.name} has {_shown(first)} and {other.name} {_shown(other)}: the perturbed "
                "versions of a clip need one rate and length; list the clip twice, by two names."
            )
    clip = _placed(_at_rate(clip, first), first)
    readings = [_undone(clip, perturbed)]
    if len({sound.gain for sound in (clip, *perturbed)}) > 1:
        readings.append(_as_they_are(clip, perturbed))
    misfits = [_first_misfit(clean, others) for clean, others in readings]
    if None not in misfits:
        raise ValueError(misfits[0])
    return readings[misfits.index(None)]


def misfit(clean: Clip, perturbed: Clip) -> str | None:
    """What is wrong with two clips of one rate and length, in a sentence; None where nothing is.

    Where both are one sound, and the clean one is scaled, turned upside down and moved in time to
    match the perturbed one best, what remains is the perturbation: half of the difference at least.
    """
    x, y = (sound.samples.double().cpu().numpy() for sound in (clean, perturbed))
    energy, difference = float(y @ y), float((y - x) @ (y - x))
    if difference <= 10 ** (ROUNDING_DB / 10) * float(x @ x):
        return f"{perturbed.name} does not differ from its clean clip {clean.name}."
    match = _match(x, y)
    if abs(match.correlation) < UNLIKE and abs(float(x @ y)) < float(x @ x) / 2:
        return (
            f"{perturbed.name} is another sound than its clean clip {clean.name}: their "
            f"correlation is {abs(match.correlation):.2f} at most, at any shift."
        )
    explained = 1 - energy * (1 - match.correlation**2) / difference
    if abs(match.correlation) < SAME or explained <= MOSTLY:
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
    spectrum, size = _cross_spectrum(x, y)
    at = int(np.abs(np.fft.irfft(spectrum, size)).argmax())
    lag = at - size if at > size // 2 else at
    correlation = _near(spectrum, size, lag)
    refined: Any = minimize_scalar(
        lambda later: -abs(correlation(later)), bounds=(lag - 1, lag + 1), method="bounded",
        options={"xatol": 1e-6},
    )  # fmt: skip
    later = max((float(lag), float(refined.x)), key=lambda later: abs(correlation(later)))
    moved = round(later)
    inside = x[: len(x) - moved] if moved >= 0 else x[-moved:]  # the rest has left the clip
    of_x, of_y = max(float(inside @ inside), 1e-300), max(float(y @ y), 1e-300)  # energies
    return _Match(later, correlation(later) / of_x, correlation(later) / sqrt(of_x * of_y))


def _near(spectrum: Complex[np.ndarray, " bin"], size: int, lag: int) -> Callable[[float], float]:
    """The correlation as a function of the shift, one sample around `lag`: its Taylor series.

    A sum over all bins for each shift would cost an exponential per bin.
    """
    omega = 2 * np.pi * np.fft.rfftfreq(size)
    weights = np.where((omega == 0) | (omega >= np.pi), 1, 2) / size  # a real signal's two halves
    turned = weights * spectrum * np.exp(1j * omega * lag)
    even, odd, square = turned.real.copy(), -turned.imag * omega, omega**2
    series = []
    for n in range(0, TERMS, 2):
        sign = -1 if n % 4 else 1
        series += [sign * even.sum() / factorial(n), sign * odd.sum() / factorial(n + 1)]
        even *= square
        odd *= square
    return lambda later: float(polyval(later - lag, series))


def _cross_spectrum(x: Samples, y: Samples) -> tuple[Complex[np.ndarray, " bin"], int]:
    """Its inverse transform of that size is the linear correlation by the lag of y."""
    size = int(next_fast_len(len(x) + len(y), real=True) or 0)
    return np.conj(np.fft.rfft(x, size)) * np.fft.rfft(y, size), size


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


def _at_rate(clip: Clip, perturbed: Clip) -> Clip:
    """The clean clip at the rate of the perturbed one, if a classifier is known to have chosen it.

    Raises:
        ValueError: otherwise, where the rates differ.
    """
    if clip.sample_rate == perturbed.sample_rate:
        return clip
    if perturbed.gain is None:
        raise ValueError(
            f"{perturbed.name} has {_shown(perturbed)}; its clean clip {clip.name} has "
            f"{_shown(clip)}. Both need one rate; {CLEAN_PARTNER}."
        )
    return clip.resampled(perturbed.sample_rate)


def _placed(clip: Clip, perturbed: Clip) -> Clip:
    """The clean clip padded with silence, or cut, to where the perturbed one has it.

    Raises:
        ValueError: where neither lies inside the other one.
    """
    length = len(perturbed.samples)
    if len(clip.samples) == length:
        return clip
    x, y = (sound.samples.double().cpu().numpy() for sound in (clip, perturbed))
    spectrum, size = _cross_spectrum(x, y)
    at = int(np.abs(np.fft.irfft(spectrum, size)).argmax())
    candidates = [clip.fitted(length)]  # as a classifier does it
    lag, room = (at - size if at > size // 2 else at), length - len(x)
    if min(0, room) <= lag <= max(0, room):
        candidates.append(replace(clip, samples=pad(clip.samples, (lag, room - lag))))
    alike, _, best = max(
        (abs(_correlation(candidate, perturbed)), -number, candidate)
        for number, candidate in enumerate(candidates)
    )
    prepared = perturbed.gain is not None and best is candidates[0]
    if alike < SAME and not prepared:
        raise ValueError(
            f"{perturbed.name} has {_shown(perturbed)}; its clean clip {clip.name} has "
            f"{_shown(clip)}, and neither is found inside the other; {CLEAN_PARTNER}."
        )
    return best


def _correlation(clean: Clip, other: Clip) -> float:
    x, y = (clip.samples.double() for clip in (clean, other))
    return float(x @ y) / max(float(x.norm() * y.norm()), 1e-300)


def _undone(clip: Clip, perturbed: Sequence[Clip]) -> tuple[Clip, list[Clip]]:
    """All with one gain: the clean clip's, or the first that is noted. No note: never touched."""
    gains = [sound.gain for sound in (clip, *perturbed) if sound.gain is not None]
    common = gains[0] if gains else None
    clean, *others = [_with_gain(sound, common) for sound in (clip, *perturbed)]
    return clean, others


def _with_gain(clip: Clip, gain: float | None) -> Clip:
    if gain is None or clip.gain == gain:
        return clip
    return replace(clip, samples=clip.samples * (gain / (clip.gain or 1.0)), gain=gain)


def _as_they_are(clip: Clip, perturbed: Sequence[Clip]) -> tuple[Clip, list[Clip]]:
    """As if all had the gain that some of them note: editors lose notes, and keep samples."""
    gain = next(sound.gain for sound in (clip, *perturbed) if sound.gain is not None)
    clean, *others = [replace(sound, gain=gain) for sound in (clip, *perturbed)]
    return clean, others


def _first_misfit(clean: Clip, perturbed: Sequence[Clip]) -> str | None:
    return next(filter(None, (misfit(clean, other) for other in perturbed)), None)


def _size(clip: Clip) -> tuple[int, int]:
    return clip.sample_rate, len(clip.samples)


def _shown(clip: Clip) -> str:
    return f"{len(clip.samples)} samples at {clip.sample_rate} Hz"
