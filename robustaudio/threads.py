"""How many threads torch computes with: one rule for the app, the command line and benchmarks.

One thread unless told otherwise. A clip of a second is too little work for a team of threads: on
an idle machine two are 0 to 40 % faster, but beside other busy programs the members of the team
wait for each other and everything becomes several times slower (benchmarks/doors.py).
"""

import os

VARIABLES = ("ROBUSTAUDIO_THREADS", "OMP_NUM_THREADS")  # the first that is set counts
MOST = max(256, os.cpu_count() or 1)  # thousands that a system cannot start end the program
HELP = f"threads to compute with (default: {', or '.join(f'${name}' for name in VARIABLES)}, or 1)"


def count(asked: int | None = None) -> int:
    """The number of threads: what was asked for, else the environment's, else one.

    Raises:
        ValueError: for a number below 1 or above `MOST`, or a variable that holds none.
    """
    if asked is not None:
        return _checked("--threads", str(asked))
    for name in VARIABLES:
        if value := os.environ.get(name, "").strip():
            return _checked(name, value.partition(",")[0])  # OpenMP: a number per level of nesting
    return 1


def limit(asked: int | None = None) -> int:
    """Holds torch to `count` threads; returns their number.

    Raises:
        ValueError: as `count`.
    """
    threads = count(asked)
    import torch  # after the check: it takes a second

    torch.set_num_threads(threads)
    return threads


def _checked(name: str, value: str) -> int:
    try:
        threads = int(value)
    except ValueError:
        threads = 0
    if threads < 1:
        raise ValueError(f"{name} {value} must be a whole number of 1 or more.")
    if threads > MOST:
        raise ValueError(f"{name} {value} is too many; at most {MOST}, please.")
    return threads
