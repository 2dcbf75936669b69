"""Installs robustaudio into .venv, with the build of torch that this computer can use.

    python3 install.py                         what the app needs
    python3 install.py requirements-dev.txt    what its tests need, too

On Linux, PyPI's torch brings 2.5 GB of CUDA. Without an NVIDIA GPU, the CPU build is installed from
PyTorch's own index instead; where only PyPI or a mirror of it can be reached, all comes from there.
All versions are those of the lock file beside the requirements. Standard library only.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent
CPU = "https://download.pytorch.org/whl/cpu"
CUDA = "https://download.pytorch.org/whl/cu130"
INDEXES = {("linux", "cpu"): CPU, ("win32", "gpu"): CUDA}  # elsewhere PyPI holds that build


def has_gpu() -> bool:
    """Whether a driver of NVIDIA names a GPU."""
    if any(Path("/proc/driver/nvidia/gpus").glob("*")):
        return True
    if Path(os.environ.get("SYSTEMROOT", "/"), "System32", "nvcuda.dll").is_file():
        return True
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return listed.returncode == 0 and b"GPU 0" in listed.stdout


def answers(url: str, seconds: float = 5) -> bool:
    """Whether `url` answers within `seconds`: a thread, as looking up a name has no time limit."""
    answered = []

    def ask() -> None:
        try:
            request = urllib.request.Request(url + "/torch/", method="HEAD")
            with urllib.request.urlopen(request, timeout=seconds):
                answered.append(True)
        except (OSError, ValueError):
            pass

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    return bool(answered)


def torch_pin(lock: Path) -> str:
    """The lock's line on torch, such as "torch==2.13.0"."""
    lines = lock.read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line.startswith("torch=="))


def installed_torch(python: Path) -> str:
    """Version of torch in the environment of `python`, without its build; "" for none."""
    code = "from importlib.metadata import version; print(version('torch'))"
    asked = subprocess.run([str(python), "-c", code], capture_output=True, text=True)
    return asked.stdout.strip().partition("+")[0]


def make_environment(folder: Path) -> Path:
    """The Python of the virtual environment in `folder`, which is made unless it has a pip."""
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if python.exists():
        asked = subprocess.run([str(python), "-m", "pip", "--version"], capture_output=True)
        if asked.returncode == 0:
            return python
    if subprocess.call([sys.executable, "-m", "venv", str(folder)]):
        sys.exit(f"No environment could be made in {folder}; the lines above say why.")
    return python


def pip(python: Path, *arguments: str) -> int:
    """Runs pip's `install` in the environment of `python`; its exit code, 0 for success."""
    command = [str(python), "-m", "pip", "install", "--disable-pip-version-check", *arguments]
    return subprocess.call(command)


def install_torch(python: Path, pin: str, build: str) -> None:
    """Installs torch alone where this `build` (auto, cpu or gpu) is not what pip finds by itself.

    Nothing is installed where the index does not answer, and nothing is an error: the step after
    this one takes whatever is missing from pip's own index.
    """
    chosen = build
    if build == "auto":
        if installed_torch(python) == pin.partition("==")[2]:
            return
        chosen = "gpu" if has_gpu() else "cpu"
        print(f"{'An' if chosen == 'gpu' else 'No'} NVIDIA GPU was found.", flush=True)
    index = INDEXES.get((sys.platform, chosen))
    if index is None:
        if build != "auto":
            pip(python, "--force-reinstall", "--no-deps", pin)
        return
    again = [] if build == "auto" else ["--force-reinstall"]
    if not answers(index) or pip(python, *again, "--no-deps", "--index-url", index, pin):
        print(
            f"{index} cannot be used from here, so torch comes from pip's own index: "
            + ("PyPI's build for Linux holds CUDA, a download of 3.0 GB in place of 0.5 GB."
               if chosen == "cpu" else "PyPI's build for Windows computes without the GPU."),
            flush=True,
        )  # fmt: skip


def main() -> None:
    options = argparse.ArgumentParser(description="Installs robustaudio into .venv.")
    add = options.add_argument
    add("requirements", nargs="?", default="requirements.txt",
        choices=["requirements.txt", "requirements-dev.txt"],
        help="what to install (default: requirements.txt, all that the app needs)")  # fmt: skip
    add("--torch", choices=["auto", "cpu", "gpu"], default="auto",
        help="build of torch (default: auto, gpu where an NVIDIA GPU is found)")  # fmt: skip
    add("--venv", type=Path, default=ROOT / ".venv", metavar="FOLDER",
        help="the environment (default: .venv beside this file)")  # fmt: skip
    arguments = options.parse_args()
    if not (3, 11) <= sys.version_info < (3, 15):
        sys.exit(f"Python 3.11 to 3.14 is needed; this is {sys.version.split()[0]}. Run install.py "
                 "by another one, such as python3.12 install.py.")  # fmt: skip
    requirements = ROOT / arguments.requirements
    lock = requirements.with_suffix(".lock")
    python = make_environment(arguments.venv)
    install_torch(python, torch_pin(lock), arguments.torch)
    if code := pip(python, "-r", str(requirements), "-c", str(lock)):
        sys.exit(code)
    print(f"Installed. {python} app.py opens the page.")


if __name__ == "__main__":
    main()
