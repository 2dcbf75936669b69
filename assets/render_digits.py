"""Render spoken English digits with flite and espeak-ng, to train on and to ship.

    python assets/render_digits.py --training DIR   # DIR/audio/*.wav and DIR/metadata.csv
    python assets/render_digits.py --bundled        # its part of assets/clips

Both programs are Debian packages (apt-get install flite espeak-ng). Equal versions of them render
equal files: nothing here is random. The bundled voice settings are never among the training ones.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from rendering import Rendered, Task, faded, parse, run, write_bundled, write_training
from scipy import signal

SAMPLE_RATE = 8000  # Hz, that of the Free Spoken Digit Dataset
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TASK = Task("digits", SAMPLE_RATE, duration_s=(0.2, 0.9), max_peak=0.9)


@dataclass(frozen=True)
class Setting:
    """One way to speak: an engine's voice, its speed and its pitch, in the engine's own units.

    flite: `speed` is duration_stretch (above 1 is slower), `pitch` the mean in Hz (None: its own).
    espeak-ng: `speed` is in words per minute, `pitch` from 0 to 99.
    """

    engine: str
    voice: str
    speed: float
    pitch: int | None = None

    @property
    def name(self) -> str:
        pitch = "" if self.pitch is None else f"-p{self.pitch}"
        return f"{self.voice.replace('+', '-')}-s{self.speed:g}{pitch}"

    @property
    def options(self) -> list[str]:
        if self.engine == "espeak-ng":
            return ["-v", self.voice, "-s", f"{self.speed:g}", "-p", str(self.pitch)]
        options = ["-voice", self.voice, "--setf", f"duration_stretch={self.speed:g}"]
        return options + (["--setf", f"int_f0_target_mean={self.pitch}"] if self.pitch else [])

    def command(self, text: str, wav: str) -> list[str]:
        if self.engine == "espeak-ng":
            return [self.engine, *self.options, "-w", wav, text]
        return [self.engine, *self.options, "-t", text, "-o", wav]


def flite(voice: str, *speeds_and_pitches: tuple[float, int | None]) -> list[Setting]:
    return [Setting("flite", voice, speed, pitch) for speed, pitch in speeds_and_pitches]


def espeak(accent: str, *variants: tuple[str, int, int]) -> list[Setting]:
    return [Setting("espeak-ng", accent + v, speed, pitch) for v, speed, pitch in variants]


# rms keeps its own pitch whatever int_f0_target_mean says, so only its speed varies.
TRAINING = [
    *flite("awb", (0.75, None), (0.9, 115), (0.85, 140), (1.05, 90)),
    *flite("kal", (0.9, 85), (1.1, 120)),
    *flite("kal16", (0.8, None), (0.95, 130), (1.05, 80)),
    *flite("rms", (0.7, None), (0.8, None), (0.9, None), (1.1, None)),
    *flite("slt", (0.75, None), (0.9, 150), (0.85, 195), (1.05, 180)),
    *espeak("en-gb", ("", 165, 50), ("+m1", 155, 35), ("+m4", 185, 45), ("+f1", 170, 55)),
    *espeak("en-us", ("", 155, 40), ("+m2", 180, 50), ("+m5", 165, 30), ("+f2", 160, 60)),
    *espeak("en-us", ("+f5", 175, 45), ("+m7", 150, 55)),
    *espeak("en-gb-scotland", ("", 160, 55), ("+m3", 170, 40), ("+f4", 180, 50)),
    *espeak("en-gb-x-rp", ("", 175, 35), ("+m6", 155, 50), ("+f3", 165, 65), ("+f5", 155, 40)),
    *espeak("en-029", ("", 170, 45), ("+m2", 150, 60), ("+f1", 180, 40)),
    *espeak("en-gb-x-gbclan", ("", 165, 60), ("+f2", 155, 45), ("+m4", 175, 30)),
    *espeak("en-us-nyc", ("", 170, 50), ("+f4", 150, 60)),
]

BUNDLED = [
    ("zero", Setting("flite", "rms", 1)),
    ("one", Setting("flite", "awb", 1)),
    ("two", Setting("flite", "slt", 1)),
    ("three", Setting("flite", "kal16", 1)),
    ("four", Setting("flite", "rms", 0.95)),
    ("five", Setting("flite", "awb", 0.95)),
    ("six", Setting("espeak-ng", "en-gb-x-rp+f2", 160, 50)),
    ("seven", Setting("flite", "slt", 0.95)),
    ("eight", Setting("espeak-ng", "en-us+m3", 150, 45)),
    ("nine", Setting("espeak-ng", "en-gb-scotland+m1", 155, 50)),
    ("three", Setting("espeak-ng", "en-us+f3", 150, 50)),
    ("nine", Setting("flite", "slt", 1.1)),
]

assert not {setting for _, setting in BUNDLED} & set(TRAINING), "bundled settings never train"


def split(index: int) -> str:
    """Every sixth setting validates, whole: all ten of its digits."""
    return "val" if index % 6 == 5 else "train"


def versions() -> dict[str, str]:
    """Engine name to what it calls itself, such as "flite-2.2-current Sep 2018"."""
    flite_line = next(x for x in run(["flite", "--version"]).splitlines() if "version:" in x)
    return {
        "flite": flite_line.split("version:")[1].split("(")[0].strip(),
        "espeak-ng": "espeak-ng-" + run(["espeak-ng", "--version"]).split(":")[1].split()[0],
    }


def trim(samples: np.ndarray, threshold_db: float = -45, keep_s: float = 0.01) -> np.ndarray:
    """Cut what lies before and after the 10 ms frames within `threshold_db` of the loudest one.

    flite's voices hiss through their pauses, so a frame must also stand 4 dB above
    the quietest tenth of all frames (counted as at most -29 dB, should a clip hold no pause).
    """
    frame = SAMPLE_RATE // 100
    power = np.array([np.mean(samples[i : i + frame] ** 2) for i in range(0, len(samples), frame)])
    floor = min(np.quantile(power, 0.1), power.max() * 10**-2.9)
    loud = np.flatnonzero(power > max(power.max() * 10 ** (threshold_db / 10), floor * 10**0.4))
    keep = int(keep_s * SAMPLE_RATE)
    return samples[max(0, loud[0] * frame - keep) : (loud[-1] + 1) * frame + keep]


def finish(samples: np.ndarray) -> np.ndarray:
    """Trim, fade both ends, and lower the level only where the peak passes the task's.

    espeak-ng's vowels ride on a slow drift below any voice: a 40 Hz high-pass takes it out first.
    """
    high_pass = signal.butter(2, 40, "highpass", fs=SAMPLE_RATE, output="sos")
    samples = faded(trim(signal.sosfiltfilt(high_pass, samples)), SAMPLE_RATE)
    return samples * min(1, TASK.max_peak / np.abs(samples).max())


def render(digit: str, setting: Setting) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        wav = str(Path(folder, "clip.wav"))
        run(setting.command(digit, wav))
        samples, sample_rate = soundfile.read(wav)
    return finish(soxr.resample(samples, sample_rate, SAMPLE_RATE))


def render_all(jobs: list[tuple[str, str, str, Setting]]) -> Iterator[Rendered]:
    """A clip for each (file, digit, split, setting)."""
    version = versions()
    for file, digit, split_name, setting in jobs:
        engine, options = setting.engine, " ".join(setting.options)
        yield Rendered(
            file, render(digit, setting), str(DIGITS.index(digit)), f"{engine} {setting.voice}",
            setting.name, split_name, f"{version[engine]}: {engine} {options}", digit,
        )  # fmt: skip


def training_jobs() -> list[tuple[str, str, str, Setting]]:
    return [
        (f"audio/{digit}-{setting.name}.wav", digit, split(index), setting)
        for index, setting in enumerate(TRAINING)
        for digit in DIGITS
    ]


def bundled_jobs() -> list[tuple[str, str, str, Setting]]:
    return [
        (f"{digit}-{setting.voice.replace('+', '-')}.wav", digit, "bundled", setting)
        for digit, setting in BUNDLED
    ]


def main() -> None:
    folder = parse(__doc__.splitlines()[0])
    if folder:
        write_training(TASK, render_all(training_jobs()), folder)
    else:
        write_bundled(TASK, render_all(bundled_jobs()))


if __name__ == "__main__":
    main()
