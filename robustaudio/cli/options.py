"""Flags are the fields of a verb: one line holds a flag's type, default, help and bounds.

argparse reads them. It keeps its sentences and needs 30 ms where typer, cyclopts and tyro need 200
to 500; and none of these reads the options of an attack without importing it, and torch with it.
"""

import argparse
import gc
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from importlib import import_module
from pathlib import Path
from types import NoneType
from typing import Any, ClassVar, Self, dataclass_transform, get_args, get_origin

from robustaudio import threads
from robustaudio.cli.files import check_apart, check_writable
from robustaudio.options import option_of
from robustaudio.progress import Progress


@dataclass(frozen=True)
class Flag:
    """What the command line says of a field."""

    help: str | None = None
    choices: Sequence[str] | None = None
    metavar: str | None = None
    positional: bool = False
    of_data: bool = False  # belongs to a data set, not to a single clip
    written: bool = False  # names a file that is written
    check: Callable[[str, Any], None] | None = None  # refuses a value of that name
    options: tuple[Field, ...] = ()  # of a dataclass, instead of a flag of its own


def flag(default: Any = None, help: str | None = None, **more: Any) -> Any:
    """A field that is a flag: `seed: int = flag(0, "seed of all randomness")`.

    A `bool` is a switch, with a `--no-` form unless it is False by default; a `tuple` is a flag
    that may be repeated; `...` as a default is none: the flag is needed. A function makes a default
    that depends on the surroundings. The others are as in `Flag`.
    """
    about = {"flag": Flag(help, **more)}
    if callable(default):
        return field(default_factory=default, metadata=about)
    return field(default=MISSING if default is ... else default, metadata=about)


def options_of(**each: Iterable[Field]) -> Any:
    """A field that holds the options that were given, one flag for each name of an option.

    `each` are the options of some dataclasses, by the names of these. Several may have an option
    of one name, each with a default and a help of its own.
    """
    named: dict[str, dict[str, Field]] = {}
    for name, options in each.items():
        for option in options:
            named.setdefault(option.name, {})[name] = option
    about = Flag(options=tuple(map(_merged, named.values())))
    return field(default_factory=dict, metadata={"flag": about})


def _merged(named: Mapping[str, Field]) -> Field:
    """One flag for the options of one name: its help says whose they are."""
    by_help: dict[str, list[str]] = {}
    for name, option in named.items():
        by_help.setdefault(option_of(option).help, []).append(f"{name} {option.default}")
    words = "; ".join(f"{text} ({', '.join(those)})" for text, those in by_help.items())
    first = next(iter(named.values()))
    merged = flag(None, words, choices=option_of(first).choices or None)
    merged.name, merged.type = first.name, first.type
    return merged


@dataclass_transform(frozen_default=True, kw_only_default=True)
@dataclass(frozen=True, kw_only=True)
class Verb:
    """A verb of the command line; its docstring is the help. Subclasses are dataclasses as well."""

    def __init_subclass__(cls) -> None:
        dataclass(frozen=True, kw_only=True)(cls)

    module: ClassVar[str] = "robustaudio.evaluation.attack"  # imports what takes long

    json: bool = flag(False, "print JSON")
    threads: int | None = flag(None, threads.HELP, metavar="N")
    argv: tuple[str, ...] = ()  # the words of the command

    def check(self) -> None:
        """Refuses what can be refused without torch; makes the folders of what is written.

        Raises:
            ValueError: for a file to write that is read as well, for options that do not fit each
                other, and for a file that cannot be written; one sentence.
        """
        written = {
            option(known.name): path
            for known, about in flags(fields(self))
            if about.written and (path := getattr(self, known.name))
        }
        check_apart(written, list(self.read()))
        for known, about in flags(fields(self)):
            if about.check and (value := getattr(self, known.name)) is not None:
                about.check(known.name, value)
        self.check_options()
        for name, path in written.items():
            check_writable(name, path)

    def check_options(self) -> None:
        """Refuses options that do nothing beside the others."""

    def read(self) -> Iterator[tuple[str, Path]]:
        """The files that are read, and what each is."""
        return iter(())

    def load(self) -> None:
        """Imports torch, and holds it to the threads that were asked for.

        Raises:
            ValueError: for a number of threads that cannot be, before the import.
        """
        threads.count(self.threads)
        if "torch" not in sys.modules:
            gc.disable()  # collections would find nothing, and take a third of the time
        import_module(self.module)
        if not gc.isenabled():
            gc.freeze()  # nor does the end of the program look through what was imported
            gc.enable()
        threads.limit(self.threads)

    def run(self, progress: Progress) -> Any:
        """Does the work; the record to print, None for none."""
        raise NotImplementedError

    @classmethod
    def parsed(cls, arguments: argparse.Namespace) -> Self:
        """The verb, from what argparse read."""
        given: dict[str, Any] = {}
        for known, about in flags(fields(cls)):
            value = getattr(arguments, known.name, None)
            if about.options:
                values = {part.name: getattr(arguments, part.name) for part in about.options}
                value = {name: value for name, value in values.items() if value is not None}
            given[known.name] = tuple(value) if isinstance(value, list) else value
        return cls(**given, argv=tuple(arguments.argv))


def flags(fields: Iterable[Field]) -> Iterator[tuple[Field, Flag]]:
    """Those of the fields that are flags."""
    return ((known, known.metadata["flag"]) for known in fields if "flag" in known.metadata)


def option(name: str) -> str:
    """The flag of a field.

    >>> option("level_db")
    '--level-db'
    """
    return f"--{name.replace('_', '-')}"


def add_flags(command: argparse.ArgumentParser, fields: Iterable[Field]) -> None:
    """Gives a command the flags of some fields, such as those of a verb."""
    for known, about in flags(fields):
        add_flags(command, about.options)
        if not about.options:
            _add(command, known, about)


def _add(command: argparse.ArgumentParser, known: Field, about: Flag) -> None:
    kind = known.type
    default = known.default if known.default_factory is MISSING else known.default_factory()
    types = {*(get_args(kind) or [kind])} - {NoneType, ...}
    words: dict[str, Any] = {"help": about.help, "default": default}
    if bool in types:
        plain = (kind, default) == (bool, False)
        words["action"] = "store_true" if plain else argparse.BooleanOptionalAction
    else:
        words |= {"type": types.pop(), "choices": about.choices, "metavar": about.metavar}
    if get_origin(kind) is tuple:
        words |= {"action": "append", "default": []}
    if about.positional and default is not MISSING:
        words["nargs"] = "?"
    command.add_argument(known.name if about.positional else option(known.name), **words)
