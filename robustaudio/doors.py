"""How every program begins and ends: its streams, Ctrl-C, exit codes, and one sentence per error.

What was typed, a file or the machine can be at fault: that is exit code 2. Any other exception is a
defect of the program, 1; ROBUSTAUDIO_DEBUG=1 prints its traceback. After Ctrl-C it is 130.
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
LONGEST = 400  # characters of a library's words


def main_of(program: str, run: Callable[[], int]) -> int:
    """Runs a program; its exit code. An error becomes a sentence on stderr; SystemExit passes."""
    open_streams()
    interrupts = note_interrupts()
    atexit.unregister(ignore_interrupts)
    atexit.register(ignore_interrupts)
    try:
        try:
            return run()
        finally:
            flush_stdout()
    except KeyboardInterrupt:
        return say(program, "cancelled.", CANCELLED)
    except BrokenPipeError:  # the reader, `head` for instance, needs no more
        silence_stdout()
        return 0
    except Exception as error:
        if interrupts:  # a library that is being imported turns Ctrl-C into an error of its own
            return say(program, "cancelled.", CANCELLED)
        return say(program, sentence(error), DEFECT if is_defect(error) else USER, error)


def note_interrupts() -> list[int]:
    """A list that each Ctrl-C is added to; it raises KeyboardInterrupt as usual."""
    interrupts: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        interrupts.append(number)
        signal.default_int_handler(number, frame)

    # a program that was started to ignore Ctrl-C goes on to do so
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        with suppress(ValueError):  # outside the main thread
            signal.signal(signal.SIGINT, note)
    return interrupts


def ignore_interrupts() -> None:
    """Ignores Ctrl-C: while the interpreter ends, it would print a traceback."""
    with suppress(ValueError):  # outside the main thread
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def sentence(error: BaseException) -> str:
    """The sentence on an error, for a person who typed a command."""
    if is_shortage(error):
        return shortage(error)
    if isinstance(error, OSError):
        return of_system(error)
    if is_missing(error):
        return f"the package {error.name} is missing; pip install {error.name} brings it."
    words = str(error).strip()
    if words and not is_defect(error):
        return words
    first = words.splitlines()[0][:LONGEST] if words else "no reason given"
    return f"something failed inside ({type(error).__name__}: {first}); {DEBUG}=1 shows where."


def is_defect(error: BaseException) -> bool:
    """Whether the program is at fault: not what was typed, a file or the machine."""
    if isinstance(error, (ValueError, OSError)) or is_shortage(error) or is_missing(error):
        return False
    names = {kind.__name__ for kind in type(error).__mro__}
    return not names & {"UnsupportedLayer", "NoStudy"}  # by name: their modules import torch


def is_missing(error: BaseException) -> TypeGuard[ModuleNotFoundError]:
    """Whether a package that is needed is not installed."""
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return False
    return error.name.partition(".")[0] not in ("robustaudio", *sys.stdlib_module_names)


def is_shortage(error: BaseException) -> bool:
    """Whether memory is missing, by Python or by a library's allocator."""
    by_library = isinstance(error, RuntimeError) and ALLOCATORS.search(str(error))
    return isinstance(error, MemoryError) or bool(by_library)


def shortage(error: BaseException) -> str:
    """The sentence on missing memory, with the amount where the allocator names it."""
    more = ""
    if wanted := ASKED.search(str(error)):
        size = float(wanted[1].rstrip(".")) * BYTES[wanted[2].lower()]
        more = f": {size / 1e9:,.3g} GB more were asked for at once"
    return f"there is not enough memory{more}; ask for less, or close other programs."


def of_system(error: OSError) -> str:
    """The sentence on an error of the system, with the file if it names one."""
    named = isinstance(error.filename, (str, os.PathLike)) and error.filename
    return f"{os.fspath(named)}: {reason(error)}." if named else f"{reason(error)}."


def reason(error: BaseException) -> str:
    """The system's words for an error, or a library's, to end a sentence with."""
    words = (getattr(error, "strerror", None) or "").lower() or str(error) or type(error).__name__
    return words.strip().rstrip(".")


def say(program: str, words: str, code: int, error: BaseException | None = None) -> int:
    """Prints a sentence on stderr, below the traceback if ROBUSTAUDIO_DEBUG=1; returns `code`."""
    with suppress(OSError, ValueError):
        if error is not None and os.environ.get(DEBUG, "0") not in ("", "0"):
            traceback.print_exception(error)
        print(f"{program}: {words}", file=sys.stderr, flush=True)
    return code


def open_streams() -> None:
    """Opens stdin, stdout and stderr on the null device where they are closed: a file that is
    opened later would otherwise take their numbers. Characters a stream lacks are printed as "?".
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            with suppress(OSError):
                mode = "r" if number == 0 else "w"
                # it gets the lowest number that is free, which is the closed stream's
                stream = open(os.devnull, mode, encoding="utf-8")  # noqa: SIM115
                setattr(sys, name, stream)
                setattr(sys, f"__{name}__", stream)  # read by some libraries
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):  # replaced by a library
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]


def flush_stdout() -> None:
    """Writes what was printed: an error is raised here, and not once more at the exit.

    Raises:
        BrokenPipeError: if its reader is gone.
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
    """Drops what is left in the buffer: the interpreter would report it at its end."""
    with suppress(OSError, ValueError, AttributeError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
