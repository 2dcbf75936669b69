"""The edge of the page: what a visitor chose becomes back-end values, results become sounds."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from robustaudio.audio.clip import Clip
from robustaudio.audio.datasets import open_dataset
from robustaudio.classifiers.classifier import Classifier
from robustaudio.evaluation.exhibits import Exhibit
from robustaudio.evaluation.perturbed import PerturbedClip
from robustaudio.evaluation.report import save_report
from robustaudio.evaluation.verify import NoisePair
from robustaudio.listening.rooms import Rooms
from robustaudio.ui.player import Track, amplification_db, player_value

ANY_OTHER = "any other"
UPLOAD = "your own clip"
CORPUS_CLIPS = 40  # of a data set's test split, offered beside the bundled ones
RANGES = {"seed": (0, 10**15), "sigma": (0, 1_000), "n0": (1, 100_000), "n": (1, 100_000)}
COUNTS = ("seed", "n0", "n")


@dataclass(frozen=True)
class Services:
    """What the page is given once at the start: classifiers and clips by name, open studies."""

    classifiers: Mapping[str, Classifier]
    cards: Mapping[str, dict]
    clips: Mapping[str, Path]
    upload_folder: Path
    device: torch.device
    rooms: Rooms


@dataclass(frozen=True)
class Source:
    """Which clip a visitor works on; `path` was chosen from the list or uploaded."""

    name: str
    path: Path
    uploaded: bool = False


def listed_clips() -> dict[str, Path]:
    """Bundled clips first, then some of the real corpora where they are at hand."""
    bundled = open_dataset("bundled")
    clips = {
        f"{row['label']} · {row['speaker_or_source']}": bundled.folder / row["file"]
        for row in bundled.rows
    }
    try:
        corpus = open_dataset("fsdd").select("test", CORPUS_CLIPS)
    except ValueError:
        return clips
    return clips | {
        f"{row['label']} · FSDD {Path(row['file']).stem}": corpus.folder / row["file"]
        for row in corpus.rows
    }


def open_source(services: Services, source: Source, classifier: str) -> tuple[Classifier, Clip]:
    """The classifier, and the source prepared for it.

    Raises:
        ValueError: one sentence, for anything wrong with the file or the name.
    """
    if classifier not in services.classifiers:
        raise ValueError(f"no classifier {classifier!r}; choose from {', '.join(services.cards)}.")
    chosen = services.classifiers[classifier]
    within = [services.upload_folder] if source.uploaded else None
    clip = chosen.prepare(Clip.load(source.path, within=within))
    return chosen, clip.to(services.device)


def command_line(verb: str, source: Source, classifier: str, options: Mapping) -> list[str]:
    """The command that makes a result of the page again."""
    path = source.path.name if source.uploaded else _shown_path(source.path)
    command = ["python", "-m", "robustaudio", verb, path, "--classifier", classifier]
    for name, value in options.items():
        flag = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            command.append(flag if value else f"--no-{name.replace('_', '-')}")
        elif value is not None:
            command.append(f"{flag}={value}")
    return command


def player_tracks(result: PerturbedClip, sample_rate: int) -> dict:
    """Clean, perturbed, and the perturbation alone with the amplification that its label says."""
    gain_db = amplification_db(result.perturbation, result.clean)
    tracks = [
        Track("A", "clean", result.clean),
        Track("B", "perturbed", result.perturbed),
        Track("D", "difference", result.perturbation, gain_db),
    ]
    return player_value(tracks, sample_rate)


def exhibit_tracks(clean: Tensor, shown: Sequence[Exhibit], sample_rate: int) -> dict:
    """Clean and the exhibits, all at the clip's own level."""
    names = zip("BCD", ("perturbed", "noise", "shifted"), shown, strict=True)
    tracks = [Track(key, name, exhibit.perturbed) for key, name, exhibit in names]
    return player_value([Track("A", "clean", clean), *tracks], sample_rate)


def noise_tracks(clean: Tensor, noise: NoisePair, sample_rate: int) -> dict:
    """Clean, clean with each noise, and the noises alone, which share one amplification."""
    gain_db = amplification_db(torch.cat([noise.shaped, noise.white]), clean)
    tracks = [
        Track("A", "clean", clean),
        Track("B", "+ shaped noise", clean + noise.shaped),
        Track("C", "+ white noise", clean + noise.white),
        Track("D", "shaped alone", noise.shaped, gain_db),
        Track("E", "white alone", noise.white, gain_db),
    ]
    return player_value(tracks, sample_rate)


def required(**numbers: float | None) -> None:
    """Refuses a number field that was left empty, and what the page does not offer.

    Raises:
        ValueError: one sentence that names the field.
    """
    for name, number in numbers.items():
        if number is None:
            shown = name.replace("_db", " in dB").replace("_", " ")
            raise ValueError(f"{shown} is empty; a number would be right.")
        if name not in RANGES:
            continue
        (low, high), whole = RANGES[name], name in COUNTS
        if not low <= number <= high or (whole and number != int(number)):
            kind = "a whole number" if whole else "a number"
            raise ValueError(f"{name} {number:g} must be {kind} from {low:g} to {high:g}.")


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder for the files of one answer; Gradio has copied what it serves when it goes."""
    with tempfile.TemporaryDirectory(prefix="robustaudio-") as folder:
        yield Path(folder)


def report_file(folder: Path, report: dict) -> str:
    path = folder / "report.json"
    save_report(report, path)
    return str(path)


def _shown_path(path: Path) -> str:
    """Relative to the folder that the README's commands run in, where it lies inside it."""
    home = Path(__file__).resolve().parents[2]
    return str(path.relative_to(home)) if path.is_relative_to(home) else str(path)
