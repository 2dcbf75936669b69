"""Render notes and phrases of eleven instruments with fluidsynth, to train on and to ship.

    python assets/render_instruments.py --training DIR   # DIR/audio/*.wav and DIR/metadata.csv
    python assets/render_instruments.py --bundled        # its part of assets/clips

Both the program and the sound font are Debian packages (apt-get install fluidsynth
fluid-soundfont-gm). Equal versions of them render equal files: nothing here is random. What the
bundled clips play is never among what is trained on.
"""

import math
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import soundfile
import soxr
from rendering import Rendered, Task, faded, parse, run, write_bundled, write_training

SAMPLE_RATE, SYNTHESIS_RATE = 22_050, 44_100  # Hz
DURATION_S = (1.0, 2.0)
RELEASE_S = 0.3  # heard after the last note's end
PEAK = 0.7
TASK = Task("instruments", SAMPLE_RATE, DURATION_S, PEAK)
SOUND_FONT = "/usr/share/sounds/sf2/FluidR3_GM.sf2"
TAKES = 48  # training clips of a label
PITCH_STEP = 7  # semitones from a take to the next, so that figures meet high and low notes
VELOCITIES = (64, 88, 112)


@dataclass(frozen=True)
class Preset:
    """A sound of the sound font and the MIDI notes that its phrases may begin on."""

    name: str
    bank: int
    program: int
    lowest: int
    highest: int


PRESETS = {
    "acoustic_guitar": (
        Preset("Nylon String Guitar", 0, 24, 43, 72),
        Preset("Steel String Guitar", 0, 25, 43, 72),
        Preset("12 String Guitar", 8, 25, 45, 69),
    ),
    "cello": (Preset("Cello", 0, 42, 37, 68),),
    "clarinet": (Preset("Clarinet", 0, 71, 51, 84),),
    "electric_guitar": (
        Preset("Jazz Guitar", 0, 26, 43, 74),
        Preset("Clean Guitar", 0, 27, 43, 74),
        Preset("Overdrive Guitar", 0, 29, 43, 72),
        Preset("Distortion Guitar", 0, 30, 41, 70),
    ),
    "flute": (Preset("Flute", 0, 73, 60, 88),),
    "organ": (
        Preset("Drawbar Organ", 0, 16, 41, 76),
        Preset("Percussive Organ", 0, 17, 41, 76),
        Preset("Church Organ", 0, 19, 41, 76),
        Preset("Reed Organ", 0, 20, 43, 74),
        Preset("Church Organ 2", 8, 19, 41, 72),
    ),
    "piano": (
        Preset("Yamaha Grand Piano", 0, 0, 33, 88),
        Preset("Bright Yamaha Grand", 0, 1, 38, 84),
    ),
    "saxophone": (
        Preset("Soprano Sax", 0, 64, 57, 80),
        Preset("Alto Sax", 0, 65, 50, 74),
        Preset("Tenor Sax", 0, 66, 45, 68),
        Preset("Baritone Sax", 0, 67, 37, 60),
    ),
    "trumpet": (
        Preset("Trumpet", 0, 56, 54, 77),
        Preset("Muted Trumpet", 0, 59, 55, 77),
    ),
    "violin": (
        Preset("Violin", 0, 40, 56, 89),
        Preset("Slow Violin", 8, 40, 56, 86),
        Preset("Fiddle", 0, 110, 56, 86),
    ),
    "voice": (
        Preset("Ahh Choir", 0, 52, 44, 74),
        Preset("Ohh Voices", 0, 53, 46, 74),
    ),
}
PLAYS_CHORDS = ("acoustic_guitar", "electric_guitar", "organ", "piano")

Note = tuple[int, int, int]  # semitones above the first note, start and length in ms


def phrase(length_ms: int, *semitones: int) -> tuple[Note, ...]:
    """Equal notes, each as the one before ends."""
    return tuple((s, i * length_ms, length_ms) for i, s in enumerate(semitones))


def chord(length_ms: int, spread_ms: int, *semitones: int) -> tuple[Note, ...]:
    """All notes up to a common end; `spread_ms` lies between their starts."""
    return tuple((s, i * spread_ms, length_ms - i * spread_ms) for i, s in enumerate(semitones))


MELODIES = {
    "note": phrase(1500, 0),
    "short-note": phrase(750, 0),
    "fifth": phrase(700, 0, 7),
    "triad": phrase(500, 0, 4, 7),
    "minor-triad": phrase(450, 0, 3, 7),
    "scale": phrase(300, 0, 2, 4, 5, 7),
    "fall": phrase(400, 0, -2, -4, -5),
    "turn": phrase(280, 0, 2, 0, -1, 0),
    "repeat": phrase(350, 0, 0, 0, 0),
}
CHORDS = {
    "major": chord(1500, 0, 0, 4, 7),
    "minor": chord(1200, 0, 0, 3, 7, 12),
    "strummed": chord(1600, 40, 0, 7, 12, 16),
}
BUNDLED_FIGURES = {
    "call": phrase(350, 0, 7, 5, 4, 0),
    "leap": phrase(440, 0, 9, 7, 12),
    "sigh": phrase(580, 0, 5, 4),
    "suspension": chord(1600, 25, 0, 5, 7, 12),
    "seventh": chord(1500, 60, 0, 4, 7, 10),
}
FIGURES = MELODIES | CHORDS | BUNDLED_FIGURES


@dataclass(frozen=True)
class Take:
    """One performance: who plays which figure from which MIDI note, how hard."""

    label: str
    preset: Preset
    pitch: int
    figure: str
    velocity: int

    @property
    def group(self) -> str:
        """What must not lie in two splits: one sound at one pitch."""
        return f"{self.preset.bank}-{self.preset.program}-{self.pitch}"

    @property
    def note(self) -> str:
        return f"{self.figure} from MIDI note {self.pitch} at velocity {self.velocity}"


BUNDLED = (
    Take("acoustic_guitar", PRESETS["acoustic_guitar"][0], 52, "suspension", 96),
    Take("cello", PRESETS["cello"][0], 48, "sigh", 96),
    Take("clarinet", PRESETS["clarinet"][0], 62, "call", 96),
    Take("electric_guitar", PRESETS["electric_guitar"][1], 55, "leap", 96),
    Take("electric_guitar", PRESETS["electric_guitar"][2], 50, "call", 96),
    Take("flute", PRESETS["flute"][0], 74, "leap", 96),
    Take("organ", PRESETS["organ"][0], 60, "suspension", 96),
    Take("organ", PRESETS["organ"][2], 55, "call", 96),
    Take("piano", PRESETS["piano"][0], 57, "seventh", 96),
    Take("saxophone", PRESETS["saxophone"][1], 58, "call", 96),
    Take("trumpet", PRESETS["trumpet"][0], 64, "leap", 96),
    Take("violin", PRESETS["violin"][0], 69, "sigh", 96),
    Take("voice", PRESETS["voice"][0], 57, "sigh", 96),
)


def training_takes() -> Iterator[Take]:
    for label, number in product(PRESETS, range(TAKES)):
        presets, figures = PRESETS[label], list(MELODIES)
        if label in PLAYS_CHORDS:
            figures += CHORDS
        preset, turn = presets[number % len(presets)], number // len(presets)
        pitches = preset.highest - preset.lowest + 1
        pitch = preset.lowest + turn * PITCH_STEP % pitches
        velocity = VELOCITIES[(turn + turn // len(figures)) % len(VELOCITIES)]
        yield Take(label, preset, pitch, figures[turn % len(figures)], velocity)


def split(take: Take) -> str:
    """By the first note: every sixth pitch validates."""
    return "val" if take.pitch % 6 == 5 else "train"


def midi(take: Take) -> bytes:
    """A standard MIDI file of one track; 500 ticks a quarter at its 120 bpm make a tick 1 ms."""
    events = []
    for semitones, start, length in FIGURES[take.figure]:
        pitch = take.pitch + semitones
        events.append((start, bytes([0x90, pitch, take.velocity])))  # note on
        events.append((start + length, bytes([0x80, pitch, 0])))  # note off, so first at a tie
    select = [(0, bytes([0xB0, 0, take.preset.bank])), (0, bytes([0xC0, take.preset.program]))]
    end = (math.ceil(DURATION_S[1] * 1000), bytes([0xFF, 0x2F, 0]))
    track, now = b"", 0
    for time, event in [*select, *sorted(events), end]:
        track += variable_length(time - now) + event
        now = time
    header = b"MThd" + bytes([0, 0, 0, 6, 0, 0, 0, 1]) + (500).to_bytes(2, "big")
    return header + b"MTrk" + len(track).to_bytes(4, "big") + track


def variable_length(number: int) -> bytes:
    """MIDI's numbers: seven bits a byte, the high bit on all but the last."""
    digits = [number & 0x7F]
    while number := number >> 7:
        digits.append(number & 0x7F | 0x80)
    return bytes(reversed(digits))


def synthesise(take: Take) -> np.ndarray:
    """What fluidsynth plays, without reverb or chorus, as mono at the task's rate."""
    with tempfile.TemporaryDirectory() as folder:
        played, wav = Path(folder, "take.mid"), Path(folder, "take.wav")
        played.write_bytes(midi(take))
        options = ["-niq", "-R", "0", "-C", "0", "-r", str(SYNTHESIS_RATE), "-T", "wav"]
        options += ["-O", "float", "-o", "synth.dynamic-sample-loading=1", "-F", str(wav)]
        run(["fluidsynth", *options, SOUND_FONT, str(played)])
        samples, _ = soundfile.read(wav)
    return soxr.resample(samples.mean(axis=1), SYNTHESIS_RATE, SAMPLE_RATE)


def finish(samples: np.ndarray, duration_s: float) -> np.ndarray:
    """That much of it, faded, at the peak that all clips have."""
    samples = faded(samples[: round(duration_s * SAMPLE_RATE)], SAMPLE_RATE)
    return samples * (PEAK / np.abs(samples).max())


def training_duration_s(take: Take) -> float:
    end_ms = max(start + length for _, start, length in FIGURES[take.figure])
    return min(end_ms / 1000 + RELEASE_S, DURATION_S[1])


def render(take: Take, file: str, duration_s: float, split_name: str, made_with: str) -> Rendered:
    bank, program = take.preset.bank, take.preset.program
    return Rendered(
        file, finish(synthesise(take), duration_s), take.label, f"FluidR3 {take.preset.name}",
        take.group, split_name, f"{made_with}: bank {bank} program {program}, {take.note}",
        take.figure,
    )  # fmt: skip


def versions() -> str:
    """Program and sound font, such as "fluidsynth-2.3.1, fluid-soundfont-gm-3.1-5.3"."""
    program = run(["fluidsynth", "--version"]).splitlines()[0].split()[-1]
    font = run(["dpkg-query", "-W", "-f", "${Version}", "fluid-soundfont-gm"])
    return f"fluidsynth-{program}, fluid-soundfont-gm-{font}"


def training(made_with: str) -> Iterator[Rendered]:
    for take in training_takes():
        file = f"audio/{take.label}-{take.group}-{take.figure}-{take.velocity}.wav"
        yield render(take, file, training_duration_s(take), split(take), made_with)


def bundled(made_with: str) -> Iterator[Rendered]:
    for take in BUNDLED:
        file = f"{take.label.replace('_', '-')}-{take.figure}.wav"
        yield render(take, file, DURATION_S[1], "bundled", made_with)


def main() -> None:
    folder = parse(__doc__.splitlines()[0])
    if folder:
        write_training(TASK, training(versions()), folder)
    else:
        write_bundled(TASK, bundled(versions()))


assert not BUNDLED_FIGURES.keys() & (MELODIES | CHORDS).keys(), "bundled figures never train"

if __name__ == "__main__":
    main()
