"""Are these headphones? Two tests that loudspeakers fail, six questions of three sounds each.

Antiphase (Woods et al. 2017): which of three tones is quietest? One is 6 dB softer; another has
its ears in opposite phase, which loudspeakers cancel in the room, so that it seems the quietest
there. Huggins pitch (Milne et al. 2021): which of three noises holds a faint tone? It exists only
between the ears. Mono, most Bluetooth speakers and some hearing aids fail both, so that nobody is
sent away: who fails may go on, and the answers say so.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from robustaudio.listening.stimulus import RATE

QUESTIONS, ALTERNATIVES = 6, 3
PASSES_AT = 5  # of 6: by guessing 1.8 % get there
TONE_HZ, TONE_S, GAP_S, RAMP_S = 200.0, 0.9, 0.35, 0.08
SOFTER_DB = -6.0
LEVEL = 0.2  # amplitude of the tones, RMS of the noises times sqrt(2)
PITCH_HZ, PITCH_BANDWIDTH = 600.0, 0.06
TOP_HZ = 4_000.0  # of the noises
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
        gap = np.zeros((round(GAP_S * RATE), 2))
        return np.concatenate([piece for part in parts for piece in (part, gap)])

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
    """The same noise in both ears; with a pitch, one ear's phase turns by 360 degrees around it."""
    count = round(TONE_S * RATE)
    hz = np.fft.rfftfreq(count, 1 / RATE)
    drawn = rng.standard_normal((2, len(hz)))
    spectrum = (drawn[0] + 1j * drawn[1]) * ((hz > 0) & (hz < TOP_HZ))
    low, high = PITCH_HZ * (1 - PITCH_BANDWIDTH / 2), PITCH_HZ * (1 + PITCH_BANDWIDTH / 2)
    turn = 2 * np.pi * np.clip((hz - low) / (high - low), 0, 1) if pitch else 0 * hz
    ears = np.stack([np.fft.irfft(spectrum * np.exp(1j * phase), count) for phase in (0, turn)], 1)
    return _ramped(ears * (LEVEL / np.sqrt(2) / ears[:, 0].std()))


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
