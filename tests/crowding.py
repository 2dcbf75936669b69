"""A crowd before one served app: one visitor who takes all that there is, and others beside.

`python -m tests.crowding URL TOKEN FOLDER` is the one who takes; `benchmarks/crowd.py` prints what
the others wait, and `tests/ui/test_crowd.py` asserts it.
"""

import argparse
import asyncio
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
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import soundfile
from visiting import Listener, Refused, Tab, checked, client_at

HOME = Path(__file__).resolve().parents[1]
GREEDY = "127.0.0.2"
ENTRIES, STUDIES, SESSIONS, UPLOADS, UPLOAD_MB, PREDICTS = 66, 200, 2_000, 30, 20, 8
TABS, LISTENING = 22, 6  # that the entries are of; how many of them listen
AT_ONCE, CONNECTIONS = 20, 400
IMPATIENT_S = 2.0  # after which a connection is given up, and the next one begun
SHOWN = 70  # characters of a sentence that are counted
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
        tab = Tab(self.url, GREEDY)
        with ThreadPoolExecutor(5) as people:
            made = (self.wait, self.open, self.start, self.upload, self.predict)
            for done in [people.submit(one, tab.again()) for one in made]:
                done.result()

    def tried(self, name: str, what: Callable[[], Any]) -> None:
        try:
            what()
            outcome = "done"
        except Refused as refusal:
            outcome = f"{refusal.status} {refusal.sentence[:SHOWN]}"
        except httpx.HTTPError as error:
            outcome = type(error).__name__
        self.told.setdefault(name, Counter())[outcome] += 1

    def often(self, times: int, at_once: int, name: str, what: Callable[[int], Any]) -> None:
        """Tries something many times, some of them at once."""
        with ThreadPoolExecutor(at_once) as people:
            tries = [people.submit(self.tried, name, partial(what, n)) for n in range(times)]
        for one in tries:
            one.result()

    def wait(self, tab: Tab) -> None:
        """The queue is filled with the heaviest runs: all steps and restarts, and nobody falls.

        Some tabs listen for what becomes of them, and some have several runs.
        """
        for widget in tab.widgets.values():
            name = widget["props"].get("elem_id")
            if name in ("pgd-steps", "pgd-restarts"):
                tab.put[name] = widget["props"]["maximum"]
        tab.put["level"] = -120
        event = tab.event("perturb")
        tabs = [tab.again() for _ in range(TABS)]

        def join(number: int) -> None:
            tabs[number % TABS].join(event)

        def listen(tab: Tab) -> None:
            with suppress(Refused, httpx.HTTPError):
                for _ in tab.messages():
                    pass

        self.often(TABS, TABS, "heavy runs", join)
        for listens in tabs[:LISTENING]:
            threading.Thread(target=listen, args=(listens,), daemon=True).start()
        self.often(ENTRIES - TABS, TABS, "heavy runs", join)

    def open(self, tab: Tab) -> None:
        self.often(STUDIES, AT_ONCE, "listening tests", lambda _: open_test(tab.again()))

    def start(self, tab: Tab) -> None:
        """Sessions of somebody's listening test, from as many connections as there may be."""
        asyncio.run(self._start())

    async def _start(self) -> None:
        limits = httpx.Limits(max_connections=CONNECTIONS)
        transport = httpx.AsyncHTTPTransport(local_address=GREEDY, limits=limits)
        async with httpx.AsyncClient(
            base_url=self.url, transport=transport, timeout=IMPATIENT_S
        ) as client:
            turns = iter(range(SESSIONS))
            await asyncio.gather(*(self._begun(client, turns) for _ in range(CONNECTIONS)))

    async def _begun(self, client: httpx.AsyncClient, turns: Iterator[int]) -> None:
        for _ in turns:  # all connections share them
            await self._begin(client)

    async def _begin(self, client: httpx.AsyncClient) -> None:
        outcome = "done"
        try:
            begun = await client.post(f"/listen/{self.token}/start", json={"agreed": True})
            checked(begun)
        except Refused as refusal:
            outcome = f"{refusal.status} {refusal.sentence[:SHOWN]}"
        except httpx.HTTPError as error:
            outcome = type(error).__name__
        self.told.setdefault("sessions", Counter())[outcome] += 1

    def upload(self, tab: Tab) -> None:
        path = self.folder / "large.bin"
        path.write_bytes(b"\0" * (UPLOAD_MB * 10**6))
        self.often(UPLOADS, 4, "uploads", lambda _: tab.again().upload(path))

    def predict(self, tab: Tab) -> None:
        """A file that is small, and long, wide and fast once it is decoded, heard many times."""
        path = self.folder / "wide.flac"
        write_wide_flac(path)
        self.tried("wide upload", lambda: tab.put.update(upload=tab.upload(path)))
        if "upload" in tab.put:
            self.tried("wide clip", lambda: tab.click("upload", "upload"))
            self.often(PREDICTS, PREDICTS, "predictions", lambda _: tab.heard())


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
