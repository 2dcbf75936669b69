"""The command line: words in; a record on stdout and an exit code out.

Each verb is a class in `verbs`, `listen` or `app`: its fields are the flags, its docstring is the
help, and `run` does the work. `options` turns the fields into flags, `files` checks the files that
they name, `text` prints a record for people and `progress` shows how far a long verb is.
"""

from robustaudio.cli.main import main, parser

__all__ = ["main", "parser"]
