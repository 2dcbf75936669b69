"""The edge of the page: what a visitor chose becomes back-end values, results become sounds."""

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from robustaudio.audio.clip import Clip
from robustaudio.audio.tasks import TASKS, Task
from robustaudio.classifiers.card import Card
from robustaudio.classifiers.classifier import Classifier
from robustaudio.evaluation.report import save_report
from robustaudio.evaluation.results import Exhibit, NoisePair, PerturbedClip
from robustaudio.limits import PRIVATE, Limits
from robustaudio.listening.run.host import Host
from robustaudio.paths import HOME
from robustaudio.serving import Serving
from robustaudio.streams import Streams
from robustaudio.ui.kept import Kept
from robustaudio.ui.player import Track, amplification_db, player_value
from robustaudio.ui.prepared import Prepared

ANY_OTHER = "any other"
UPLOAD = "your own clip"
GONE = "your clip is no longer on the server; upload it again."
RANGES = {"seed": (0, 10**15), "sigma": (0, 1_000), "n0": (1, 100_000), "n": (1, 100_000)}
FORBIDDEN = re.compile(r'[\\/:*?"<>|\x00-\x1f]+| · ')  # in the name of a file, somewhere
MAX_PART = 60  # characters of each part of a download's name: a file system may hold 255 bytes
COUNTS = ("seed", "n0", "n")


@dataclass(frozen=True)
class Services:
    """What the page is given once at the start, and the open listening studies.

    `classifiers` and `cards` are by name, `clips` by task and the name shown. `streams` knows which
    pages are open; without it all are.
    """

    classifiers: Mapping[str, Classifier]
    cards: Mapping[str, Card]
    clips: Mapping[str, Mapping[str, Path]]
    upload_folder: Path
    device: torch.device
    rooms: Host
    kept: Kept = field(default_factory=Kept)
    prepared: Prepared = field(default_factory=Prepared)
    serving: Serving = field(default_factory=Serving)
    limits: Limits = PRIVATE
    streams: Streams | None = None

    @property
    def tasks(self) -> dict[str, Task]:
        """Those with a classifier, by name."""
        return {task.name: task for task in TASKS if self.classifiers_of(task.name)}

    def classifiers_of(self, task: str) -> list[str]:
        return [name for name, card in self.cards.items() if card.task == task]

    def start(self, task: str) -> tuple[str, "Source"]:
        """The classifier and the clip that a task begins with; what is not there gives way."""
        names, clips, wanted = self.classifiers_of(task), self.clips[task], self.tasks[task]
        classifier = wanted.classifier if wanted.classifier in names else names[0]
        clip = wanted.clip if wanted.clip in clips else next(iter(clips))
        return classifier, Source(clip, clips[clip], task)

    def forget(self, visit: str) -> None:
        """Delete what was kept of a visit that is over."""
        if visit:
            self.prepared.forget(self.kept.home / visit)
        self.kept.forget(visit)

    def for_noise(self, task: str, sigma: float, representation: str) -> str | None:
        """The classifier that was trained under such noise, which was added to waveforms."""
        for name in self.classifiers_of(task):
            trained = self.cards[name].training.noise_sigma
            if trained and sigma <= trained:
                return name if representation == "waveform" else None
        return None

    def one_per_label(self, task: str) -> list["Source"]:
        """A bundled clip of every label."""
        clips = self.tasks[task].one_per_label()
        return [Source(name, path, task) for name, path in clips.items()]


@dataclass(frozen=True)
class Source:
    """Which clip a visitor works on, in which task; `path` was chosen from the list or uploaded.

    `visit` is the folder of the visitor's own clips, once there is one. `refused` is the sentence
    on a file that cannot be used: it is all that there is of it.
    """

    name: str
    path: Path
    task: str
    uploaded: bool = False
    visit: str = ""
    refused: str = ""

    @property
    def label(self) -> str | None:
        """What the clip is, as it is shown ("label · source"); None of a visitor's own."""
        return None if self.uploaded else self.name.split(" · ")[0]

    @property
    def shown(self) -> dict:
        """As much of it as the page needs to know which clip it speaks of."""
        return {"task": self.task, "name": self.name, "uploaded": self.uploaded}


class NoClip(ValueError):
    """Raised where there is no clip to work on; its sentence stands where a verdict would."""


def take_upload(
    services: Services, path: Path, source: Source, classifier: str | None = None
) -> Source:
    """The visitor's own clip, kept as long as the visit, or what is wrong with the file.

    It is prepared for the `classifier` that the page shows (None, or unknown: for any).
    """
    name, more = path.name, {"uploaded": True, "visit": source.visit}
    if classifier is None or classifier not in services.classifiers:
        classifier = next(iter(services.classifiers))
    chosen = services.classifiers[classifier]
    try:
        clip = services.prepared.decoded(path, chosen, [services.upload_folder])
        path, more["visit"] = services.kept.keep(path, source.visit)
        services.prepared.keep(path, classifier, [services.kept.home], clip)
    except ValueError as error:
        return Source(UPLOAD, Path(name), source.task, **more, refused=_without(path, error))
    except OSError as error:
        words = f"{name} cannot be kept on the server: {error.strerror}."
        return Source(UPLOAD, Path(name), source.task, **more, refused=words)
    return Source(UPLOAD, path, source.task, **more)


def open_source(services: Services, source: Source, classifier: str) -> tuple[Classifier, Clip]:
    """The classifier, and the source prepared for it.

    Raises:
        NoClip: one sentence, for anything wrong with the file.
        ValueError: for a classifier that there is not.
    """
    if source.refused:
        raise NoClip(source.refused)
    if classifier not in services.classifiers:
        raise ValueError(f"no classifier {classifier!r}; choose from {', '.join(services.cards)}.")
    chosen = services.classifiers[classifier]
    if not source.path.is_file():
        raise NoClip(
            GONE
            if source.uploaded
            else f"the clip {source.name!r} is no longer on the server; choose another one."
        )
    within = [services.kept.home] if source.uploaded else None
    try:
        clip = services.prepared.clip(source.path, classifier, chosen, within)
    except ValueError as error:
        raise NoClip(_without(source.path, error)) from error
    return chosen, clip.to(services.device)


def _without(path: Path, error: Exception) -> str:
    """A sentence without the folders of the server."""
    return str(error).replace(str(path), path.name)


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


def live_tracks(clean: Tensor, best: Tensor, sample_rate: int) -> dict:
    """The same of a search that goes on; what plays goes on, too."""
    gain_db = amplification_db(best - clean, clean)
    tracks = [
        Track("A", "clean", clean),
        Track("B", "best so far", best),
        Track("D", "difference", best - clean, gain_db),
    ]
    return player_value(tracks, sample_rate, goes_on=True)


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


def report_file(folder: Path, name: str, report: dict) -> str:
    """The path of a report, `name` with its suffix, to be downloaded."""
    path = folder / f"{name}.json"
    save_report(report, path)
    return str(path)


def file_name(*parts: str) -> str:
    """A name for a download, without a suffix: of a clip, a classifier, and what was done.

    >>> file_name("7 · flite slt", "digits-cnn", "abx")
    '7-flite slt-digits-cnn-abx'
    """
    return "-".join(FORBIDDEN.sub("-", part)[:MAX_PART] for part in parts)


def _shown_path(path: Path) -> str:
    """Relative to the folder that the README's commands run in, where it lies inside it."""
    return str(path.relative_to(HOME)) if path.is_relative_to(HOME) else str(path)
