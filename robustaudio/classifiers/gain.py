"""The one gain that a clip is given before a classifier looks at it: a value on the card."""

from collections.abc import Callable
from dataclasses import dataclass

from robustaudio.audio.clip import Clip


@dataclass(frozen=True)
class Gain:
    """A gain policy: `factor` gives what the samples of a clean clip are multiplied by, once.

    >>> str(PEAK)
    'peak: the clean clip is scaled once, to a peak of 1'
    """

    name: str
    about: str
    factor: Callable[[Clip], float]

    def __call__(self, clip: Clip) -> Clip:
        """The clip with its gain; one that carries a gain already keeps that."""
        return clip if clip.gain is not None else clip.scaled(self.factor(clip))

    def __str__(self) -> str:
        return f"{self.name}: {self.about}"


def _to_peak(clip: Clip) -> float:
    return 1 / clip.peak


def _as_recorded(clip: Clip) -> float:
    return 1.0


PEAK = Gain("peak", "the clean clip is scaled once, to a peak of 1", _to_peak)
NONE = Gain("none", "the clip keeps the level of its recording", _as_recorded)
GAINS = (PEAK, NONE)


def read_gain(text: str) -> Gain:
    """The policy that a card names, as "peak" or "peak: <what that is>".

    Raises:
        ValueError: for an unknown one.
    """
    name = text.partition(":")[0].strip()
    for gain in GAINS:
        if gain.name == name:
            return gain
    raise ValueError(f"no gain {name!r}; choose from {', '.join(gain.name for gain in GAINS)}")
