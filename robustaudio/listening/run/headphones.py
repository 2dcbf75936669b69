"""Are these headphones? Two tests that loudspeakers fail, six questions of three sounds each.

Antiphase (Woods et al. 2017): which of three tones is quietest? One is 6 dB softer; another has
its ears in opposite phase, which loudspeakers cancel in the room, so that it seems the quietest
there. Huggins pitch (Milne et al. 2021): which of three noises holds a faint tone? It exists only
between the ears. Mono, most Bluetooth speakers and some hearing aids fail both, so that nobody is
sent away: who fails may go on, and the answers say so.

Milne's noise is white, 1 s long and 1 s apart; in the right ear its phase is turned by 180 degrees
within 6 % of 600 Hz, and their page passes six of six. All of that is kept here; level and ramps
are our own. In their study 80 % of headphone users passed, and 20 % with loudspeakers.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from robustaudio.listening.design.stimulus import RATE

QUESTIONS, ALTERNATIVES = 6, 3
PASSES_AT = {"antiphase": 5, "huggins": 6}  # of 6: by guessing 1.8 % get there, and 0.14 %
GAP_S = {"antiphase": 0.35, "huggins": 1.0}  # between the three sounds
TONE_HZ, TONE_S, NOISE_S, RAMP_S = 200.0, 0.9, 1.0, 0.08
SOFTER_DB = -6.0
LEVEL = 0.2  # amplitude of the tones, RMS of the noises times sqrt(2)
PITCH_HZ, PITCH_REACH = 600.0, 0.06  # the band reaches so far to both sides, of its middle
BEEP_HZ, BEEP_S, BEEP_GAP_S = 880.0, 0.12, 0.28

Stereo = Float[np.ndarray, "time 2"]


@dataclass(frozen=True)
class Screening:
    """The questions of one attempt, each from the seed: `kind` is "antiphase" or "huggins"."""

    kind: str
    seed: int

    def right(self, question: int) -> int:
        """Which of the three, from 0, is the quietest, or holds the tone."""
        return int(self._order(question)[0])

    def sound(self, question: int) -> Stereo:
        """Three sounds with pauses between them."""
        rng = np.random.default_rng([self.seed, question, 1])
        asked, other = self._order(question)[:2]
        parts = []
        for place in range(ALTERNATIVES):
            if self.kind == "antiphase":
                softer = 10 ** (SOFTER_DB / 20) if place == asked else 1.0
                parts.append(_tone(softer, antiphase=place == other))
            else:
                parts.append(_noise(rng, pitch=place == asked))
        gap = np.zeros((round(GAP_S[self.kind] * RATE), 2))
        return np.concatenate([parts[0], gap, parts[1], gap, parts[2]])

    def score(self, answers: list[int]) -> int:
        """How many of the answers are right.

        Raises:
            ValueError: unless there are six, each 0, 1 or 2.
        """
        whole = all(type(answer) is int and 0 <= answer < ALTERNATIVES for answer in answers)
        if len(answers) != QUESTIONS or not whole:
            raise ValueError(f"answers {answers} must be {QUESTIONS} numbers from 0 to 2.")
        return sum(answer == self.right(n) for n, answer in enumerate(answers))

    def _order(self, question: int) -> np.ndarray:
        return np.random.default_rng([self.seed, question]).permutation(ALTERNATIVES)


def _tone(gain: float, *, antiphase: bool) -> Stereo:
    tone = LEVEL * gain * np.sin(2 * np.pi * TONE_HZ * np.arange(round(TONE_S * RATE)) / RATE)
    return _ramped(np.stack([tone, -tone if antiphase else tone], 1))


def _noise(rng: np.random.Generator, *, pitch: bool) -> Stereo:
    """White noise, the same in both ears; with a pitch, a band of the right has its sign turned."""
    left = rng.standard_normal(round(NOISE_S * RATE))
    hz = np.fft.rfftfreq(len(left), 1 / RATE)
    turned = pitch & (np.abs(hz - PITCH_HZ) <= PITCH_REACH * PITCH_HZ)
    right = np.fft.irfft(np.fft.rfft(left) * np.where(turned, -1, 1), len(left))
    return _ramped(np.stack([left, right], 1) * (LEVEL / np.sqrt(2) / left.std()))


def _ramped(sound: Stereo) -> Stereo:
    ramp = np.sin(np.linspace(0, np.pi / 2, round(RAMP_S * RATE)))[:, None] ** 2
    sound[: len(ramp)] *= ramp
    sound[-len(ramp) :] *= ramp[::-1]
    return sound


def beep_count(seed: int) -> int:
    """Two to five."""
    return 2 + seed % 4


def beeps(seed: int) -> Float[np.ndarray, " time"]:
    """Some beeps, to be counted: who can has sound."""
    time_s = np.arange(round(BEEP_S * RATE)) / RATE
    beep = LEVEL * np.sin(2 * np.pi * BEEP_HZ * time_s) * np.sin(np.pi * time_s / BEEP_S) ** 2
    gap = np.zeros(round(BEEP_GAP_S * RATE))
    return np.concatenate([gap, *([beep, gap] * beep_count(seed))])
