"""The command that makes a result of the page again."""

from collections.abc import Mapping
from pathlib import Path

from robustaudio.paths import HOME
from robustaudio.ui.sources import Source


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


def _shown_path(path: Path) -> str:
    """Relative to the folder that the README's commands run in, where it lies inside it."""
    return str(path.relative_to(HOME)) if path.is_relative_to(HOME) else str(path)
