"""Flags are the fields of a verb: one line holds a flag's type, default, help and bounds.

argparse reads them. It keeps its sentences and needs 30 ms where typer, cyclopts and tyro need 200
to 500; and none of these reads the options of an attack without importing it, and torch with it.
"""

import argparse
import gc
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import MISSING, dataclass, field, fields, replace
from importlib import import_module
from pathlib import Path
from types import NoneType
from typing import Any, ClassVar, Self, dataclass_transform, get_args, get_origin, get_type_hints

from robustaudio import declared, threads
from robustaudio.cli.files import check_apart, check_writable
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
    options: tuple[declared.Option, ...] = ()  # of a dataclass, instead of a flag of its own


def flag(
    default: Any = None,
    help: str | None = None,
    *,
    make: Callable[[], Any] | None = None,
    **more: Any,
) -> Any:
    """A field that is a flag: `seed: int = flag(0, "seed of all randomness")`.

    A `bool` is a switch, with a `--no-` form unless it is False by default; a `tuple` is a flag
    that may be repeated; `...` as a default is none: the flag is needed. `make` makes a default
    that depends on the surroundings.
    """
    about = {"flag": Flag(help, **more)}
    if make is not None:
        return field(default_factory=make, metadata=about)
    return field(metadata=about) if default is ... else field(default=default, metadata=about)


def options_of(module: str, name: str) -> Any:
    """A field that holds the options of a dataclass, by name: one flag each."""
    return _holding(
        replace(option, help=f"{option.help} (default {option.default})")
        for option in declared.options(module, name)
    )


def options_of_any(module: str, table: str) -> Any:
    """A field that holds those options that were given of the dataclasses in a table.

    Several of them may have an option of one name, each with a default and a help of its own.
    """
    known: dict[str, dict[str, declared.Option]] = {}
    for name, options in declared.options_of_each(module, table).items():
        for option in options:
            known.setdefault(option.name, {})[name] = option
    return _holding(map(_merged, known.values()))


def _merged(named: Mapping[str, declared.Option]) -> declared.Option:
    """One flag for the options of one name: its help says whose they are."""
    by_help: dict[str, list[str]] = {}
    for name, option in named.items():
        by_help.setdefault(option.help, []).append(f"{name} {option.default}")
    words = "; ".join(f"{text} ({', '.join(those)})" for text, those in by_help.items())
    return replace(next(iter(named.values())), default=None, help=words)


def _holding(options: Iterable[declared.Option]) -> Any:
    return field(default_factory=dict, metadata={"flag": Flag(options=tuple(options))})


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
        written = self.written()
        check_apart(written, list(self.read()))
        self.check_options()
        for option, path in written.items():
            check_writable(option, path)

    def check_options(self) -> None:
        """Refuses numbers out of range, and options that do nothing beside the others."""

    def written(self) -> dict[str, Path]:
        """The files that are written, by the flag that names each."""
        return {
            option(name): path
            for name, about in flags(type(self))
            if about.written and (path := getattr(self, name))
        }

    def read(self) -> Iterator[tuple[str, Path]]:
        """The files that are read, and what each is."""
        return iter(())

    def load(self) -> None:
        """Imports torch, and holds it to the threads that were asked for.

        Raises:
            ValueError: for a number of threads that cannot be, before the import.
        """
        count = threads.count(self.threads)
        with nullcontext() if "torch" in sys.modules else _without_collections():
            import_module(self.module)
        threads.limit(count)

    def run(self, progress: Progress) -> Any:
        """Does the work; the record to print, None for none."""
        raise NotImplementedError

    @classmethod
    def parsed(cls, arguments: argparse.Namespace) -> Self:
        """The verb, from what argparse read."""
        given: dict[str, Any] = {}
        for name, about in flags(cls):
            if about.options:
                values = {one.name: getattr(arguments, one.name) for one in about.options}
                given[name] = {key: value for key, value in values.items() if value is not None}
            else:
                value = getattr(arguments, name)
                given[name] = tuple(value) if isinstance(value, list) else value
        return cls(**given, argv=tuple(arguments.argv))


@contextmanager
def _without_collections() -> Iterator[None]:
    """Imports without garbage collections: they find nothing and take a third of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # nor does the end of the program look through what was imported
        gc.enable()


def flags(verb: type[Verb]) -> Iterator[tuple[str, Flag]]:
    """The fields of a verb that are flags, by name."""
    for known in fields(verb):
        if isinstance(about := known.metadata.get("flag"), Flag):
            yield known.name, about


def option(name: str) -> str:
    """The flag of a field.

    >>> option("level_db")
    '--level-db'
    """
    return f"--{name.replace('_', '-')}"


def add_flags(command: argparse.ArgumentParser, verb: type[Verb]) -> None:
    """Gives a command the flags of a verb."""
    kinds = get_type_hints(verb)
    for known in fields(verb):
        about = known.metadata.get("flag")
        if not isinstance(about, Flag):
            continue
        made = known.default if known.default_factory is MISSING else known.default_factory()
        for one in about.options:
            kind = one.type | None if one.type is bool else one.type
            _add(command, one.name, kind, one.default, Flag(one.help, one.choices))
        if not about.options:
            _add(command, known.name, kinds[known.name], made, about)


def _add(command: argparse.ArgumentParser, name: str, kind: Any, default: Any, about: Flag) -> None:
    types = {*(get_args(kind) or [kind])} - {NoneType, ...}
    words: dict[str, Any] = {"help": about.help, "default": default}
    if bool in types:
        plain = (kind, default) == (bool, False)
        words["action"] = "store_true" if plain else argparse.BooleanOptionalAction
    else:
        words |= {"type": types.pop(), "choices": about.choices, "metavar": about.metavar}
    if get_origin(kind) is tuple:
        words |= {"action": "append", "default": list(default)}
    if not about.positional:
        command.add_argument(option(name), **words)
    elif default is MISSING:
        command.add_argument(name, **words)
    else:
        command.add_argument(name, nargs="?", **words)
