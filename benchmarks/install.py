"""What the README's first command downloads, by build of torch and with nothing cached.

    python -m benchmarks.install [--real]

Sizes are those of the files that pip would take from PyPI (`--dry-run --report`). The CPU build's
own file is looked for in PyTorch's index, then where this computer's settings of pip say. `--real`
also runs install.py into a temporary folder, with this computer's settings, and takes the time.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from install import CPU, ROOT, answers, torch_pin

LOCK = ROOT / "requirements.lock"
ONLY_CUDA = ("nvidia-", "cuda-", "triton")  # what PyPI's torch needs and its CPU build does not


def report(*arguments: str, only_pypi: bool = False) -> list[dict]:
    """What `pip install` would install into an empty environment: name, version and URL of each."""
    environment = dict(os.environ)
    if only_pypi:
        environment = {k: v for k, v in environment.items() if not k.startswith("PIP_")}
        environment["PIP_CONFIG_FILE"] = os.devnull
        if "PIP_CERT" in os.environ:
            environment["PIP_CERT"] = os.environ["PIP_CERT"]
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--ignore-installed",
               "--report", "-", *arguments]  # fmt: skip
    asked = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return [
        {
            "name": package["metadata"]["name"].lower().replace("_", "-"),
            "version": package["metadata"]["version"],
            "url": package["download_info"]["url"],
        }
        for package in json.loads(asked.stdout)["install"]
    ]


def megabytes(url: str) -> float:
    """Size of the file at `url`, in MB of 10^6 bytes."""
    if url.startswith("file://"):
        return Path(urllib.request.url2pathname(url.removeprefix("file://"))).stat().st_size / 1e6
    request = urllib.request.Request(url, method="HEAD")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return int(answer.headers["Content-Length"]) / 1e6


def cpu_build() -> dict | None:
    """The CPU build of torch that can be reached from here; None where there is none."""
    where = ["--index-url", CPU] if answers(CPU) else []
    (package,) = report("--no-deps", *where, torch_pin(LOCK))
    return package if "+cpu" in package["version"] or sys.platform != "linux" else None


def folder_megabytes(folder: Path) -> float:
    """Size of all files in `folder`, in MB of 10^6 bytes."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def real() -> None:
    """Runs install.py into a folder that is removed again; prints seconds and MB on disk."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        command = [sys.executable, str(ROOT / "install.py"), "--venv", folder]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - began
        print(f"\ninstall.py: {seconds:.0f} s, {folder_megabytes(Path(folder)):.0f} MB on disk")


def main() -> None:
    options = argparse.ArgumentParser(description="What the first command downloads.")
    options.add_argument("--real", action="store_true", help="install once and take the time")
    arguments = options.parse_args()
    packages = report("-r", str(ROOT / "requirements.txt"), "-c", str(LOCK), only_pypi=True)
    rows = {"all from PyPI (the only way before)": packages}
    light = [package for package in packages if not package["name"].startswith(ONLY_CUDA)]
    if cpu := cpu_build():
        rows["CPU build of torch"] = [
            cpu if package["name"] == "torch" else package for package in light
        ]
    print(f"| Python {sys.version_info[0]}.{sys.version_info[1]}, {sys.platform} | packages "
          "| MB to download | of which torch |\n|---|---|---|---|")  # fmt: skip
    sizes = {url: megabytes(url) for row in rows.values() for url in {each["url"] for each in row}}
    for name, row in rows.items():
        (torch,) = [each["url"] for each in row if each["name"] == "torch"]
        total = sum(sizes[each["url"]] for each in row)
        print(f"| {name} | {len(row)} | {total:.0f} | {sizes[torch]:.0f} |")
    if arguments.real:
        real()


if __name__ == "__main__":
    main()
