"""A crowd before one served app: one visitor who takes all that there is, and others beside.

`python -m tests.crowding URL TOKEN FOLDER` is the one who takes; `benchmarks/crowd.py` prints what
the others wait, and `tests/ui/test_crowd.py` asserts it.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import soundfile
from visiting import Listener, Refused, Tab, client_at

HOME = Path(__file__).resolve().parents[1]
GREEDY = "127.0.0.2"
ENTRIES, STUDIES, SESSIONS, UPLOADS, UPLOAD_MB, PREDICTS = 66, 200, 2_000, 30, 20, 8
WITH_STREAM = 6  # of the entries: their tab listens
NICE = 10  # the greedy visitor computes elsewhere, and not on the server's own cores
TRIALS = 3


@dataclass(frozen=True)
class Served:
    """An app in a process of its own: its address, its process, the folders that it writes to."""

    url: str
    process: subprocess.Popen
    folder: Path

    def memory_mb(self, of: str = "VmRSS") -> float:
        """Resident memory now, or the most of it so far ("VmHWM"); of Linux alone, else NaN."""
        with suppress(OSError):
            for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
                if line.startswith(of):
                    return int(line.split()[1]) / 1e3
        return float("nan")

    def disk_mb(self, below: str = "") -> float:
        """What lies in its folders: uploads, clips of visits, answers, scratch."""
        total = 0
        for folder, _, names in os.walk(self.folder / below):
            for name in names:
                with suppress(OSError):  # deleted meanwhile
                    total += os.lstat(os.path.join(folder, name)).st_size
        return total / 1e6


@contextmanager
def served(
    folder: Path, *options: str, root: Path = HOME, command: Sequence[str] = ("app.py", "--no-open")
) -> Iterator[Served]:
    """The app of the checkout `root`, whose files all lie in `folder`, until the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "tmp").mkdir()
    places = {
        "TMPDIR": str(folder / "tmp"), "GRADIO_TEMP_DIR": str(folder / "uploads"),
        "ROBUSTAUDIO_LISTENING": str(folder / "answers"), "OMP_NUM_THREADS": "1",
        "ROBUSTAUDIO_LIMITS": "", "PYTHONPATH": str(root),
    }  # fmt: skip
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *command, "--port", str(port), *options],
            cwd=root, env=os.environ | places, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_up(url, process, folder / "server.log")
        yield Served(url, process, folder)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_up(url: str, process: subprocess.Popen, log: Path, patience_s: float = 120) -> None:
    until = time.monotonic() + patience_s
    while time.monotonic() < until and process.poll() is None:
        with suppress(httpx.TransportError), client_at(url, "127.0.0.1") as client:
            if client.get("/config").is_success:
                return
        time.sleep(0.2)
    raise RuntimeError(f"no app at {url}: {log.read_text(errors='replace')[-2_000:]}")


# --- others -----------------------------------------------------------------------------------


def open_test(tab: Tab) -> str:
    """Opens a listening test as the Listen tab does; returns its token."""
    tab.put |= {"listen-demo": False}
    told = tab.click("listen-open")
    opened = next(one for one in told if isinstance(one, dict) and "token" in one)
    return opened["token"]


class Visit:
    """What one visitor does, and the seconds that each thing took; infinite where it did not work.

    `refusals` says what they were told, or that their patience was over.
    """

    def __init__(self) -> None:
        self.waits: dict[str, float] = {}
        self.refusals: list[str] = []

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
            self.waits[name] = time.perf_counter() - started
        except (Refused, httpx.HTTPError) as error:
            self.waits[name] = float("inf")
            self.refusals.append(f"{name}: {error}")


def visit(url: str, token: str, address: str, clip: Path, patience_s: float = 60) -> Visit:
    """A tab is loaded, attacks, verifies, takes an upload and opens a listening test; then the test
    `token` is taken from the same address."""
    made = Visit()
    with Tab(url, address, patience_s) as tab:
        with made.timed("load the page"):
            tab.client.get("/").raise_for_status()
            assert "heard as" in tab.heard()
        with made.timed("attack"):
            assert "→" in tab.click("perturb")[0]
        with made.timed("verify"):
            assert "PROVEN" in tab.click("verify")[0]
        with made.timed("upload a clip"):
            tab.put["upload"] = tab.upload(clip)
            tab.click("upload", "upload")
            assert "your own clip" in tab.heard()
        with made.timed("open a test"):
            open_test(tab)
    listener = Listener(url, token, address, patience_s)
    with listener.client:
        with made.timed("begin a test"):
            listener.open_page()
            listener.check_in()
        with made.timed(f"{TRIALS} trials"):
            for _ in range(TRIALS):
                listener.answer()
    return made


def medians(visits: Sequence[Visit]) -> dict[str, float]:
    """Seconds of each thing, of several visits."""
    every = [one.waits for one in visits]
    return {name: float(np.median([waits[name] for waits in every])) for name in every[0]}


# --- the one who takes all --------------------------------------------------------------------


class Greedy:
    """One visitor with one address and as many tabs as they like."""

    def __init__(self, url: str, token: str, folder: Path) -> None:
        self.url, self.token, self.folder = url, token, folder
        self.told: dict[str, Counter[str]] = {}

    def everything(self) -> None:
        """All at once; `told` counts how often each was done or refused, and by which sentence."""
        made = (self.wait, self.open, self.start, self.upload, self.predict)
        threads = [threading.Thread(target=one) for one in made]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def tried(self, name: str, what: Callable[[], Any]) -> None:
        try:
            what()
            outcome = "done"
        except Refused as refusal:
            outcome = f"{refusal.status} {refusal.sentence[:60]}"
        except httpx.HTTPError as error:
            outcome = type(error).__name__
        self.told.setdefault(name, Counter())[outcome] += 1

    def heaviest(self) -> Tab:
        """A tab whose attack takes as long as any: all steps and restarts, and nobody falls."""
        tab = Tab(self.url, GREEDY)
        for widget in tab.widgets.values():
            if str(widget["props"].get("elem_id")) in ("pgd-steps", "pgd-restarts"):
                tab.put[widget["props"]["elem_id"]] = widget["props"]["maximum"]
        tab.put["level"] = -120
        return tab

    def wait(self) -> None:
        """Entries of the queue: from one tab, from tabs of their own, and some that listen."""
        tab = self.heaviest()
        event = tab.event("perturb")

        def listen() -> None:
            with suppress(Refused, httpx.HTTPError):
                for _ in tab.messages():
                    pass

        for number in range(ENTRIES):
            if number % 3:
                other = Tab(self.url, GREEDY)
                other.put, other.config, other.client = tab.put, tab.config, tab.client
            else:
                other = tab
            self.tried("heavy runs", lambda other=other: other.join(event))
            if number == WITH_STREAM:
                threading.Thread(target=listen, daemon=True).start()

    def open(self) -> None:
        tab = Tab(self.url, GREEDY)
        for _ in range(STUDIES):
            self.tried("listening tests", lambda: open_test(tab))

    def start(self) -> None:
        with client_at(self.url, GREEDY) as client:
            for _ in range(SESSIONS):
                self.tried("sessions", lambda: self.begun(client))

    def begun(self, client: httpx.Client) -> None:
        answer = client.post(f"/listen/{self.token}/start", json={"agreed": True})
        if answer.is_error:
            raise Refused(answer.status_code, answer.text)

    def upload(self) -> None:
        path = self.folder / "large.bin"
        path.write_bytes(b"\0" * (UPLOAD_MB * 10**6))
        with Tab(self.url, GREEDY) as tab:
            for _ in range(UPLOADS):
                self.tried("uploads", lambda: tab.upload(path))

    def predict(self) -> None:
        path = self.folder / "wide.flac"
        write_wide_flac(path)
        with Tab(self.url, GREEDY) as tab:
            self.tried("wide upload", lambda: tab.put.update(upload=tab.upload(path)))
            if "upload" not in tab.put:
                return
            self.tried("wide clip", lambda: tab.click("upload", "upload"))
            threads = [
                threading.Thread(target=self.tried, args=("predictions", tab.heard))
                for _ in range(PREDICTS)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()


def write_wide_flac(path: Path, seconds: int = 100, rate: int = 192_000, channels: int = 8) -> None:
    """Much sound in few bytes: a click, then silence."""
    second = np.zeros((rate, channels), np.int16)
    with soundfile.SoundFile(path, "w", rate, channels, "PCM_16", format="FLAC") as file:
        second[:100] = 10_000
        file.write(second)
        second[:] = 0
        for _ in range(seconds - 1):
            file.write(second)


@contextmanager
def greedy(url: str, token: str, folder: Path) -> Iterator[subprocess.Popen]:
    """The same in a process of its own, whose output is what it was told."""
    command = [sys.executable, str(Path(__file__)), url, token, str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("token")
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    os.nice(NICE)
    visitor = Greedy(arguments.url, arguments.token, arguments.folder)

    def end(*_: object) -> None:
        print(json.dumps({name: dict(told) for name, told in visitor.told.items()}), flush=True)
        os._exit(0)  # threads still wait for answers

    signal.signal(signal.SIGTERM, end)
    visitor.everything()
    end()


if __name__ == "__main__":
    main()
