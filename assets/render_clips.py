"""Render spoken English digits with flite and espeak-ng, to train on and to ship.

    python assets/render_clips.py --training DIR   # DIR/audio/*.wav and DIR/metadata.csv
    python assets/render_clips.py --bundled        # assets/clips: wav, metadata.csv, ATTRIBUTION.md

Both programs are Debian packages (apt-get install flite espeak-ng). Equal versions of them render
equal files: nothing here is random. The bundled voice settings are never among the training ones.
"""

import argparse
import csv
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from scipy import signal

SAMPLE_RATE = 8000  # Hz, that of the Free Spoken Digit Dataset
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
CLIPS = Path(__file__).parent / "clips"
COLUMNS = (
    "file", "label", "speaker_or_source", "group", "fold", "split",
    "licence", "origin", "duration_s", "sample_rate", "note",
)  # fmt: skip
DURATION_S = (0.2, 0.9)  # what an isolated digit may last


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


def run(command: list[str]) -> str:
    """The program's output. Exits with one sentence if it is missing or fails."""
    if shutil.which(command[0]) is None:
        sys.exit(f"{command[0]} not found: apt-get install {command[0]}")
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    if result.returncode and "--version" not in command:  # flite --version exits with 1
        sys.exit(f"failed: {' '.join(command)}: {result.stderr.strip()}")
    return result.stdout


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


def finish(samples: np.ndarray, fade_s: float = 0.005, max_peak: float = 0.9) -> np.ndarray:
    """Trim, fade both ends, and lower the level only where the peak passes `max_peak`.

    espeak-ng's vowels ride on a slow drift below any voice: a 40 Hz high-pass takes it out first.
    """
    high_pass = signal.butter(2, 40, "highpass", fs=SAMPLE_RATE, output="sos")
    samples = trim(signal.sosfiltfilt(high_pass, samples))
    fade = np.linspace(0, 1, int(fade_s * SAMPLE_RATE))
    samples[: len(fade)] *= fade
    samples[-len(fade) :] *= fade[::-1]
    return samples * min(1, max_peak / np.abs(samples).max())


def render(digit: str, setting: Setting) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        wav = str(Path(folder, "clip.wav"))
        run(setting.command(digit, wav))
        samples, sample_rate = soundfile.read(wav)
    return finish(soxr.resample(samples, sample_rate, SAMPLE_RATE))


def write(jobs: list[tuple[str, str, str, Setting]], folder: Path) -> list[dict[str, object]]:
    """Render (file, digit, split, setting) jobs into `folder` with its metadata.csv; the rows."""
    version, rows, seen = versions(), [], {}
    for file, digit, split_name, setting in jobs:
        samples = render(digit, setting)
        duration_s = len(samples) / SAMPLE_RATE
        if not DURATION_S[0] <= duration_s <= DURATION_S[1]:
            sys.exit(f"{file} lasts {duration_s:.3f} s, not within {DURATION_S}: change its speed")
        twin = seen.setdefault(samples.tobytes(), file)  # espeak-ng ignores unknown variants
        if twin != file:
            sys.exit(f"{file} sounds exactly like {twin}: change its setting")
        if not 0.01 < np.abs(samples).max() <= 0.9 + 1e-9:
            sys.exit(f"{file} is almost silent or clipped: peak {np.abs(samples).max():.3f}")
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / file, samples, SAMPLE_RATE, subtype="PCM_16")
        options = " ".join(setting.options)
        values = (
            file, DIGITS.index(digit), f"{setting.engine} {setting.voice}", setting.name, "",
            split_name, "CC0-1.0", f"{version[setting.engine]}: {setting.engine} {options}",
            f"{duration_s:.3f}", SAMPLE_RATE, digit,
        )  # fmt: skip
        rows.append(dict(zip(COLUMNS, values, strict=True)))
    with open(folder / "metadata.csv", "w", newline="") as table:
        writer = csv.DictWriter(table, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return rows


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


def attribution(rows: list[dict[str, object]]) -> str:
    table = "\n".join(f"| `{row['file']}` | `{row['origin']}` |" for row in rows)
    return ATTRIBUTION.format(table=table)


ATTRIBUTION = """# Where these clips come from

No one was recorded for them: `python assets/render_clips.py --bundled` made every file here (this
page and `metadata.csv` too) with two speech synthesisers from Debian, resampled to 8 kHz,
high-passed at 40 Hz, trimmed and faded. The project dedicates them to the public domain: CC0-1.0.

| file | made by (program version: command, before the digit's name) |
|---|---|
{table}

- **flite** and its built-in voices awb, kal16, rms and slt (Carnegie Mellon University). Debian's
  `/usr/share/doc/flite/copyright` gives the sources outside a few named files a permissive licence:
  "free of charge, to use and distribute this software and its documentation without restriction",
  keeping notices, marking changes and endorsing nothing. It does not mention synthesised speech.
- **espeak-ng** is GPL-3.0-or-later (`/usr/share/doc/espeak-ng/copyright`, which does not mention
  synthesised speech). Section 2 of that licence: "The output from running a covered work is covered
  by this License only if the output, given its content, constitutes a covered work." These
  clips hold sound, none of the program's text. Neither program nor any voice file is shipped here.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--training", type=Path, metavar="DIR", help="about 400 clips into DIR")
    target.add_argument("--bundled", action="store_true", help="the dozen clips of assets/clips")
    arguments = parser.parse_args()
    folder = CLIPS if arguments.bundled else arguments.training
    rows = write(bundled_jobs() if arguments.bundled else training_jobs(), folder)
    if arguments.bundled:
        (folder / "ATTRIBUTION.md").write_text(attribution(rows))
    durations = [float(row["duration_s"]) for row in rows]
    print(
        f"{len(rows)} clips in {folder}: {dict(Counter(row['split'] for row in rows))},"
        f" {min(durations)} to {max(durations)} s"
    )


if __name__ == "__main__":
    main()
