"""A clip, opened for a classifier: what a run works on, and what is written down about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from robustaudio.audio.clip import Clip
from robustaudio.classifiers.classifier import Classifier
from robustaudio.evaluation.report import make_report, save_perturbed
from robustaudio.evaluation.results import PerturbedClip
from robustaudio.paths import HOME
from robustaudio.ui.downloads import file_name
from robustaudio.ui.sources import Source


@dataclass(frozen=True)
class Opened:
    """A source, and the clip that it is for a classifier."""

    source: Source
    classifier: Classifier
    clip: Clip

    def file_name(self, last: str) -> str:
        """A name for a download, without a suffix."""
        return file_name(self.source.path.stem, self.classifier.name, last)

    def report(self, verb: str, options: Mapping, record: dict) -> dict:
        """A report on a result, with the command that makes it again."""
        command = command_line(verb, self.source, self.classifier.name, options)
        return make_report(self.classifier, self.clip, command, record)

    def save(self, result: PerturbedClip, path: Path, subtype: str = "FLOAT") -> dict:
        """Writes the perturbed clip; returns what a record says of the file."""
        file = save_perturbed(self.classifier, self.clip, result, path, subtype)
        return file | {"output": path.name}


def command_line(verb: str, source: Source, classifier: str, options: Mapping) -> list[str]:
    """The command that makes a result of the page again."""
    path = source.path
    if source.uploaded:
        path = Path(path.name)
    elif path.is_relative_to(HOME):  # the folder that the README's commands run in
        path = path.relative_to(HOME)
    command = ["python", "-m", "robustaudio", verb, str(path), "--classifier", classifier]
    for name, value in options.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            command.append(f"--{flag}" if value else f"--no-{flag}")
        elif value is not None:
            command.append(f"--{flag}={value}")
    return command
