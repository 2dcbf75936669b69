"""What the page is given once at the start: classifiers, clips, folders, listening studies."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from robustaudio.audio.clip import Clip
from robustaudio.audio.tasks import TASKS, Task
from robustaudio.classifiers.card import Card
from robustaudio.classifiers.classifier import Classifier
from robustaudio.listening.run.host import Host
from robustaudio.serving.limits import PRIVATE, Limits
from robustaudio.serving.streams import Streams
from robustaudio.ui.kept_files import Kept
from robustaudio.ui.prepared_clips import Prepared
from robustaudio.ui.sources import UPLOAD, NoClip, Source


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
    limits: Limits = PRIVATE
    streams: Streams | None = None

    @property
    def tasks(self) -> dict[str, Task]:
        """Those with a classifier, by name."""
        return {task.name: task for task in TASKS if self.classifiers_of(task.name)}

    def classifiers_of(self, task: str) -> list[str]:
        return [name for name, card in self.cards.items() if card.task == task]

    def start(self, task: str) -> tuple[str, Source]:
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
        names = self.classifiers_of(task) if representation == "waveform" else []
        sigmas = {name: self.cards[name].training.noise_sigma or 0 for name in names}
        return next((name for name, trained in sigmas.items() if sigma <= trained), None)

    def one_per_label(self, task: str) -> list[Source]:
        """A bundled clip of every label."""
        clips = self.tasks[task].one_per_label()
        return [Source(name, path, task) for name, path in clips.items()]

    def take(self, path: Path, source: Source, classifier: str | None = None) -> Source:
        """The visitor's own clip, kept as long as the visit, or what is wrong with the file.

        It is prepared for the `classifier` that the page shows (None, or unknown: for any).
        """
        upload = Source(UPLOAD, Path(path.name), source.task, uploaded=True, visit=source.visit)
        if classifier is None or classifier not in self.classifiers:
            classifier = next(iter(self.classifiers))
        try:
            clip = self.prepared.decoded(path, self.classifiers[classifier], [self.upload_folder])
            copy, visit = self.kept.keep(path, source.visit)
        except ValueError as error:
            return replace(upload, refused=_without(path, error))
        except OSError as error:
            sentence = f"{path.name} cannot be kept on the server: {error.strerror}."
            return replace(upload, refused=sentence)
        self.prepared.keep(copy, classifier, [self.kept.home], clip)
        return replace(upload, path=copy, visit=visit)

    def open(self, source: Source, classifier: str) -> tuple[Classifier, Clip]:
        """The classifier, and the source prepared for it.

        Raises:
            NoClip: one sentence, for anything wrong with the file.
            ValueError: for a classifier that there is not.
        """
        if source.refused:
            raise NoClip(source.refused)
        if classifier not in self.classifiers:
            raise ValueError(f"no classifier {classifier!r}; choose from {', '.join(self.cards)}.")
        if not source.path.is_file():
            raise NoClip(source.gone)
        chosen, within = self.classifiers[classifier], [self.kept.home] if source.uploaded else None
        try:
            clip = self.prepared.clip(source.path, classifier, chosen, within)
        except ValueError as error:
            raise NoClip(_without(source.path, error)) from error
        return chosen, clip.to(self.device)


def _without(path: Path, error: Exception) -> str:
    """A sentence without the folders of the server."""
    return str(error).replace(str(path), path.name)
