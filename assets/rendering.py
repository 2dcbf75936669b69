"""What the rendering scripts share: running a program, checking its sound, writing the tables."""

import argparse
import csv
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

CLIPS = Path(__file__).parent / "clips"
COLUMNS = (
    "file", "label", "task", "speaker_or_source", "group", "fold", "split",
    "licence", "origin", "duration_s", "sample_rate", "note",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Rendered:
    """One clip and what its row says of it."""

    file: str
    samples: np.ndarray
    label: str
    source: str
    group: str
    split: str
    origin: str
    note: str


@dataclass(frozen=True)
class Task:
    """What the clips of a task are for, and what each of them must keep to."""

    name: str
    sample_rate: int  # Hz
    duration_s: tuple[float, float]  # both ends allowed
    max_peak: float

    def row(self, clip: Rendered) -> dict[str, str]:
        duration_s = f"{len(clip.samples) / self.sample_rate:.3f}"
        values = (
            clip.file, clip.label, self.name, clip.source, clip.group, "", clip.split,
            "CC0-1.0", clip.origin, duration_s, str(self.sample_rate), clip.note,
        )  # fmt: skip
        return dict(zip(COLUMNS, values, strict=True))


def run(command: list[str]) -> str:
    """The program's output. Exits with one sentence if it is missing or fails."""
    if shutil.which(command[0]) is None:
        sys.exit(f"{command[0]} not found: apt-get install {command[0]}")
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    if result.returncode and "--version" not in command:  # flite --version exits with 1
        sys.exit(f"failed: {' '.join(command)}: {result.stderr.strip()}")
    return result.stdout


def faded(samples: np.ndarray, sample_rate: int, fade_s: float = 0.005) -> np.ndarray:
    """Both ends brought to zero by a line."""
    fade = np.linspace(0, 1, int(fade_s * sample_rate))
    samples = samples.copy()
    samples[: len(fade)] *= fade
    samples[-len(fade) :] *= fade[::-1]
    return samples


def parse(description: str) -> Path | None:
    """The command line: the folder of --training, or None for --bundled."""
    parser = argparse.ArgumentParser(description=description)
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--training", type=Path, metavar="DIR", help="some 500 clips into DIR")
    target.add_argument("--bundled", action="store_true", help="the dozen clips of assets/clips")
    return parser.parse_args().training


def write_training(task: Task, clips: Iterable[Rendered], folder: Path) -> None:
    rows = _write_clips(task, clips, folder)
    _write_table(rows, folder)
    _report(rows, folder)


def write_bundled(task: Task, clips: Iterable[Rendered]) -> None:
    """The task's clips and rows beside those of the other tasks, and ATTRIBUTION.md of all."""
    with (CLIPS / "metadata.csv").open(newline="") as table:
        others = [row for row in csv.DictReader(table) if row["task"] != task.name]
    rows = _write_clips(task, clips, CLIPS)
    both = sorted([*others, *rows], key=lambda row: row["task"])
    _write_table(both, CLIPS)
    (CLIPS / "ATTRIBUTION.md").write_text(_attribution(both))
    _report(rows, CLIPS)


def _write_clips(task: Task, clips: Iterable[Rendered], folder: Path) -> list[dict[str, str]]:
    """The rows. Exits with one sentence at a clip that is wrong."""
    rows, seen = [], {}
    for clip in clips:
        duration_s, peak = len(clip.samples) / task.sample_rate, np.abs(clip.samples).max()
        if not task.duration_s[0] <= duration_s <= task.duration_s[1]:
            sys.exit(f"{clip.file} lasts {duration_s:.3f} s, not within {task.duration_s}")
        twin = seen.setdefault(clip.samples.tobytes(), clip.file)
        if twin != clip.file:  # espeak-ng, for one, ignores unknown variants
            sys.exit(f"{clip.file} sounds exactly like {twin}: change its setting")
        if not 0.01 < peak <= task.max_peak + 1e-9:
            sys.exit(f"{clip.file} is almost silent or clipped: peak {peak:.3f}")
        path = folder / clip.file
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, clip.samples, task.sample_rate, subtype="PCM_16")
        rows.append(task.row(clip))
    return rows


def _write_table(rows: list[dict[str, str]], folder: Path) -> None:
    with (folder / "metadata.csv").open("w", newline="") as table:
        writer = csv.DictWriter(table, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _report(rows: list[dict[str, str]], folder: Path) -> None:
    durations = [float(row["duration_s"]) for row in rows]
    splits = dict(Counter(row["split"] for row in rows))
    print(f"{len(rows)} clips in {folder}: {splits}, {min(durations)} to {max(durations)} s")


def _attribution(rows: list[dict[str, str]]) -> str:
    parts = [ATTRIBUTION]
    for task, about in ABOUT.items():
        lines = [f"| `{row['file']}` | `{row['origin']}` |" for row in rows if row["task"] == task]
        parts.append(about.format(table="\n".join(lines)))
    return "\n".join(parts)


ATTRIBUTION = """# Where these clips come from

No one was recorded for them: two scripts made every file here (this page and `metadata.csv` too)
with programs from Debian. The project dedicates them to the public domain: CC0-1.0.
"""

ABOUT = {
    "digits": """## Spoken digits

`python assets/render_digits.py --bundled`: two speech synthesisers, resampled to 8 kHz,
high-passed at 40 Hz, trimmed and faded.

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
""",
    "instruments": """## Musical instruments

`python assets/render_instruments.py --bundled`: phrases of the project's own, played by a
synthesiser from a sound font, averaged to mono, resampled to 22.05 kHz, faded, at a peak of 0.7.

| file | made by (program version, sound font version: bank and program, what is played) |
|---|---|
{table}

- **Fluid (R3) General MIDI sound font** by Frank Wen and others (Debian's `fluid-soundfont-gm`;
  © 2000-2002, 2008 Frank Wen, © 2008 Toby Smithe). Its samples sound in these clips. Debian's
  `/usr/share/doc/fluid-soundfont-gm/copyright` quotes: "I hereby release Fluid under the MIT
  license". The sound font itself is not shipped here.
- **fluidsynth** is LGPL-2.1-or-later (`/usr/share/doc/fluidsynth/copyright`); the program is not
  shipped here, and its output is not the program.
""",
}
