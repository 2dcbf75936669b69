"""One command per verb; readable text for people, --json for machines, errors in one sentence.

Arguments are parsed and files checked before torch is imported: `--help` and errors come at once.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import fields
from functools import partial

from robustaudio import __version__, doors
from robustaudio.cli import listen, verbs
from robustaudio.cli.app import App
from robustaudio.cli.options import Verb, add_flags
from robustaudio.cli.progress import shown
from robustaudio.plain_json import as_json


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; 0 on success, else an error's code (its sentence goes to stderr)."""
    argv = sys.argv[1:] if argv is None else argv
    return doors.main_of("robustaudio", partial(answer, argv))


def answer(argv: Sequence[str]) -> int:
    """Runs one command and prints its record; 0."""
    verb = read(argv)
    verb.check()
    verb.load()
    with shown() as progress:
        record = verb.run(progress)
    if record is None:  # of the app
        return 0
    if verb.json:
        print(as_json(record, indent=2), flush=True)
    else:
        from robustaudio.cli.text import as_text  # rich is not needed for help and errors

        print(as_text(record), flush=True)
    return 0


def read(argv: Sequence[str]) -> Verb:
    """The verb that a command line names, with its flags; SystemExit, argparse's, passes."""
    arguments = parser().parse_args(with_numbers(argv), argparse.Namespace(argv=argv))
    return arguments.run(arguments)


def parser() -> argparse.ArgumentParser:
    """The parser; what it reads has a function `run` that makes a `Verb` of it."""
    top = argparse.ArgumentParser("robustaudio", description="Hear, break and prove a classifier.")
    top.add_argument("--version", action="version", version=__version__)
    commands = top.add_subparsers(required=True, metavar="VERB")
    _add(commands, [App])
    about = listen.__doc__
    tests = commands.add_parser("listen", help=about, description=about)
    _add(tests.add_subparsers(required=True, metavar="VERB"), listen.VERBS)
    _add(commands, verbs.VERBS)
    return top


def _add(commands: argparse._SubParsersAction, kinds: Iterable[type[Verb]]) -> None:
    for kind in kinds:
        command = commands.add_parser(
            kind.__name__.lower(), help=kind.__doc__, description=kind.__doc__
        )
        command.set_defaults(run=kind.parsed)
        add_flags(command, fields(kind))


def with_numbers(argv: Sequence[str]) -> list[str]:
    """Joins an option to a negative number, which argparse takes for an option in some notations.

    >>> with_numbers(["--level-db", "-1e2"])
    ['--level-db=-1e2']
    """
    joined: list[str] = []
    for word in argv:
        if joined and joined[-1].startswith("--") and "=" not in joined[-1] and _is_negative(word):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def _is_negative(word: str) -> bool:
    try:
        return word.startswith("-") and float(word) is not None
    except ValueError:
        return False
