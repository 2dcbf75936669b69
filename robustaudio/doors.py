"""The way in and the way out of every program: what is said of an error, and to whom.

An error of what was typed, of a file or of the machine is one sentence. Whatever else is raised is
a defect: one sentence as well, and its traceback where it is looked for (ROBUSTAUDIO_DEBUG=1).
"""

import atexit
import os
import re
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import TypeGuard

DEBUG = "ROBUSTAUDIO_DEBUG"  # anything but "" or 0 prints tracebacks
USER, DEFECT, CANCELLED = 2, 1, 130  # exit codes
ALLOCATORS = re.compile(  # of torch, numpy, CUDA and MPS
    r"can.?t allocate memory|cannot allocate memory|unable to allocate|out of memory|"
    r"not enough memory|storage size calculation overflowed|bad_alloc|invalid buffer size|"
    r"(numel|nbytes|size).* overflow",
    re.IGNORECASE,
)
ASKED = re.compile(r"tried to allocate ([\d.]+) ?(bytes|[KMGT]iB)", re.IGNORECASE)
BYTES = {"bytes": 1, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}
LONGEST = 400  # characters of what a library says


def main_of(program: str, run: Callable[[], int]) -> int:
    """Runs a program with streams that can be written to; its exit code.

    `run()` gives a code; an error becomes a sentence on stderr. SystemExit, argparse's, passes.
    """
    open_streams()
    interrupted = note_interruption()
    atexit.unregister(be_deaf)
    atexit.register(be_deaf)
    try:
        try:
            return run()
        finally:
            flush_stdout()
    except KeyboardInterrupt:
        return say(program, "cancelled.", CANCELLED)
    except BrokenPipeError:  # whoever reads, `head` say, has seen enough
        silence_stdout()
        return 0
    except Exception as error:
        if interrupted:  # in the middle of an import, a library makes its own error of it
            return say(program, "cancelled.", CANCELLED)
        return say(program, sentence(error), DEFECT if is_defect(error) else USER, error)


def note_interruption() -> list[int]:
    """Ctrl-C raises KeyboardInterrupt as ever, and is noted in the list as well."""
    seen: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        seen.append(number)
        signal.default_int_handler(number, frame)

    # a program that was started to ignore it goes on to do so
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        with suppress(ValueError):  # not the main thread
            signal.signal(signal.SIGINT, note)
    return seen


def be_deaf() -> None:
    """Ignores Ctrl-C from here on: while the interpreter ends, it would print a traceback."""
    with suppress(ValueError):  # not of the main thread
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def sentence(error: BaseException) -> str:
    """What is said of an error, to whoever typed the command."""
    if is_shortage(error):
        return shortage(error)
    if isinstance(error, OSError):
        return of_system(error)
    if is_missing(error):
        return f"the package {error.name} is missing; pip install {error.name} brings it."
    told = str(error).strip()
    if told and not is_defect(error):
        return told
    first = told.splitlines()[0][:LONGEST] if told else "no reason given"
    kind = type(error).__name__
    return f"something failed inside ({kind}: {first}); {DEBUG}=1 shows where."


def is_defect(error: BaseException) -> bool:
    """Whether an error is nobody's slip and not the machine's."""
    if isinstance(error, (ValueError, OSError)) or is_shortage(error) or is_missing(error):
        return False
    # these two are known only where their modules have been imported: both import torch or numpy
    names = {kind.__name__ for kind in type(error).__mro__}
    return not names & {"UnsupportedLayer", "NoStudy"}


def is_missing(error: BaseException) -> TypeGuard[ModuleNotFoundError]:
    """Whether a package of somebody else's is not installed."""
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return False
    return error.name.partition(".")[0] not in ("robustaudio", *sys.stdlib_module_names)


def is_shortage(error: BaseException) -> bool:
    """Whether memory is what is missing, whoever says so."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and bool(ALLOCATORS.search(str(error)))


def shortage(error: BaseException) -> str:
    """The sentence on missing memory, with the amount where the allocator names it."""
    wanted = ASKED.search(str(error))
    more = ""
    if wanted:
        size = float(wanted[1].rstrip(".")) * BYTES[wanted[2].lower()]
        more = f": {size / 1e9:,.3g} GB more were asked for at once"
    return f"there is not enough memory{more}; ask for less, or close other programs."


def of_system(error: OSError) -> str:
    """The file and what the system says of it."""
    where = error.filename if isinstance(error.filename, (str, os.PathLike)) else None
    return f"{os.fspath(where)}: {reason(error)}." if where else f"{reason(error)}."


def reason(error: BaseException) -> str:
    """What the system, or else a library, says of it, to stand at the end of a sentence."""
    told = (getattr(error, "strerror", None) or "").lower() or str(error) or type(error).__name__
    return told.strip().rstrip(".")


def say(program: str, words: str, code: int, error: BaseException | None = None) -> int:
    """Prints a sentence on stderr, after the traceback where somebody debugs; gives the code."""
    with suppress(OSError, ValueError):
        if error is not None and os.environ.get(DEBUG, "0") not in ("", "0"):
            traceback.print_exception(error)
        print(f"{program}: {words}", file=sys.stderr, flush=True)
    return code


def open_streams() -> None:
    """Gives a closed stdin, stdout or stderr the null device, and lets all print any character.

    A file that is opened later would otherwise take the place of a closed stream.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            with suppress(OSError):
                # the lowest number that is free, which is the stream's own
                descriptor = os.open(os.devnull, os.O_RDONLY if number == 0 else os.O_WRONLY)
                mode = "r" if number == 0 else "w"
                stream = os.fdopen(descriptor, mode, encoding="utf-8")
                setattr(sys, name, stream)
                setattr(sys, f"__{name}__", stream)  # which some libraries ask
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):  # a stream of somebody else's
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]


def flush_stdout() -> None:
    """Writes what was printed; what cannot be written is raised here, and nothing at the exit.

    Raises:
        BrokenPipeError: if nobody reads it.
        OSError: if there is no room for it.
    """
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        silence_stdout()
        raise OSError(error.errno, f"the result cannot be written: {error.strerror}") from error


def silence_stdout() -> None:
    """Sends what is left in the buffer nowhere: the interpreter would complain of it at its end."""
    with suppress(OSError, ValueError, AttributeError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
