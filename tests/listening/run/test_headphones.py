"""Two tests of headphones: what loudspeakers make of their sounds."""

import numpy as np
import pytest
from listening.over_http import Listener
from listening.small_study import small_study

from robustaudio.listening.design.stimulus import RATE
from robustaudio.listening.run.headphones import GAP_S, Screening


def thirds(screening: Screening, question: int) -> list[np.ndarray]:
    """The three sounds of a question, without the pauses between them."""
    sound, pause = screening.sound(question), round(GAP_S[screening.kind] * RATE)
    length = (len(sound) - 2 * pause) // 3
    return [sound[n * (length + pause) :][:length] for n in range(3)]


def test_loudspeakers_make_the_tone_in_antiphase_the_quietest():
    screening = Screening("antiphase", 3)
    parts, right = thirds(screening, 0), screening.right(0)
    rms = [float(part[:, 0].std()) for part in parts]
    summed = [float(part.sum(1).std() / part[:, 0].std()) for part in parts]
    assert min(rms) == rms[right] == pytest.approx(max(rms) / 2, rel=0.01)
    assert sorted(summed) == pytest.approx([0, 2, 2], abs=1e-6)
    assert summed[right] > 1  # the softer one is in phase


def band_db(sounds: list[np.ndarray]) -> float:
    """Power within 6 % of 600 Hz, relative to that of an octave around it, over many noises."""
    power = sum(np.abs(np.fft.rfft(sound)) ** 2 for sound in sounds)
    hz = np.fft.rfftfreq(len(sounds[0]), 1 / RATE)
    band = np.abs(hz - 600) <= 36
    around = (hz > 400) & (hz < 800) & ~band
    return 10 * np.log10(power[band].mean() / power[around].mean())


def test_a_huggins_pitch_is_between_the_ears_and_nowhere_else():
    """Each ear alone is flat, and loudspeakers, which add the two, make no peak."""
    screenings = [
        (Screening("huggins", seed), question) for seed in range(5) for question in range(6)
    ]
    pitched = [thirds(one, question)[one.right(question)] for one, question in screenings]
    plain = [thirds(one, question)[one.right(question) - 1] for one, question in screenings]
    assert all(np.allclose(sound[:, 0], sound[:, 1], atol=1e-9) for sound in plain)
    assert len(pitched[0]) == RATE  # 1 s
    left, right = ([sound[:, ear] for sound in pitched] for ear in (0, 1))
    assert band_db(left) == pytest.approx(0, abs=0.5) and band_db(right) == pytest.approx(
        0, abs=0.5
    )
    assert np.abs(np.fft.rfft(left[0]))[12_000:].std() > 1  # up to the top of the band
    assert band_db([sound.sum(1) for sound in pitched]) < -10  # of a tone, a peak would be left
    assert band_db([sound[:, 0] - sound[:, 1] for sound in pitched]) > 20  # what ears subtract


def test_a_huggins_pitch_is_passed_by_all_six_as_its_authors_have_it(rooms):
    room, _ = rooms.open(small_study(screening="huggins"))
    listener = Listener(rooms, room.token)
    listener.begin()
    screening = listener.session.screening
    answers = [screening.right(question) for question in range(6)]
    answers[5] = (answers[5] + 1) % 3
    assert listener.post("screening", answers=answers).json()["step"] == "screening"
