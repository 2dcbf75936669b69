"""Python in a process of its own, which may take so much memory and time and no more."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
MEASURED = """
import resource, sys
import torch, robustaudio.listening.design.study_file, robustaudio.evaluation.hearing_thresholds
_before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
def _status():
    text = open("/proc/self/status").read() if sys.platform == "linux" else ""
    return int(text.split("VmSize:")[1].split()[0]) if "VmSize:" in text else 0
if size := _status():
    resource.setrlimit(resource.RLIMIT_AS, (1024 * size + {bytes}, -1))
"""


def run_limited(
    code: str, *, seconds: float, megabytes: int, arguments: tuple[str, ...] = ()
) -> str:
    """What the code prints; it may take so many MB more than torch and the app's own modules have.

    Raises:
        AssertionError: if it ends with an error: MemoryError where it takes more.
        subprocess.TimeoutExpired: if it takes longer.
    """
    start = MEASURED.format(bytes=megabytes * 10**6)
    done = subprocess.run(
        [sys.executable, "-c", start + code, *arguments],
        capture_output=True, text=True, timeout=seconds, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3_000:]
    return done.stdout
