"""Two hours' uploads and runs in minutes, and whether disk and memory level off.

    python -m benchmarks.soak [--minutes 6]

One tab stays and runs the default attack again and again, as at an exhibit (350 times); others
come, upload a clip, attack it, verify, some open a listening test, and leave. All that ages on the
server ages faster: an hour is `HOUR_S` seconds for uploads, for visits that have ended and for
results to download. So five minutes see as many ages as half a day, with two hours' traffic.

`--root` measures the app of another checkout, `--options` are options of its command line.
"""

import argparse
import functools
import math
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "tests")]

HOUR_S = 20.0
ALL_DAY, VISITORS = 350, 150  # runs of the tab that stays, tabs that come and go
AT_ONCE = 4  # of the latter
CLIP_S = 10.0  # of stereo at 48 kHz: 1.9 MB each
ROWS = 12


def serve(arguments: list[str]) -> None:
    """The app, with short ages."""
    import gradio as gr
    from gradio import state_holder

    from robustaudio.__main__ import main
    from robustaudio.ui import kept_files

    init = gr.Blocks.__init__

    @functools.wraps(init)
    def short(self, *args, **kwargs):
        if "delete_cache" in kwargs:
            kwargs["delete_cache"] = (HOUR_S / 4, HOUR_S)
        init(self, *args, **kwargs)

    gr.Blocks.__init__ = short
    begun = state_holder.SessionState.__init__

    @functools.wraps(begun)
    def closing(self, *args, **kwargs):
        begun(self, *args, **kwargs)
        self.STATE_TTL_WHEN_CLOSED = HOUR_S

    state_holder.SessionState.__init__ = closing
    kept_files.Recent.__init__.__defaults__ = (8 * HOUR_S,)
    with suppress(ImportError):
        from robustaudio.gate import uploads

        uploads.SWEEP_S, uploads.EMPTY_S = HOUR_S / 4, HOUR_S / 6
        uploads.Uploads.sweep.__defaults__ = (HOUR_S,)
    with suppress(ImportError):
        from robustaudio.ui import session_state

        session_state.KEPT = timedelta(seconds=HOUR_S)
    main(["app", *arguments])


def measure(root: Path, options: list[str], minutes: float) -> None:
    from crowding import open_test, served
    from visiting import Refused, Tab

    counted: Counter[str] = Counter()
    over = threading.Event()

    def stays(url: str) -> None:
        with Tab(url, "127.0.0.3") as tab, tab.stays():
            while counted["all day"] < ALL_DAY and not over.is_set():
                tab.click("perturb")
                counted["all day"] += 1

    def comes(url: str, number: int, clip: Path) -> None:
        if over.is_set():
            return
        with Tab(url, f"127.0.1.{1 + number % 250}") as tab, tab.stays():
            try:
                tab.heard()
                tab.put["upload"] = tab.upload(clip, f"{number}.wav")
                tab.click("upload", "upload")
                tab.heard()
                for what in ("perturb", "verify"):
                    tab.click(what)
                if number % 3 == 0:
                    open_test(tab)
                counted["visits"] += 1
            except Refused as refusal:
                counted[str(refusal)] += 1

    command = [str(Path(__file__).resolve()), "--serve"]
    with (
        tempfile.TemporaryDirectory() as name,
        served(Path(name), *options, root=root, command=command) as app,
    ):
        clips = [clip_of(app.folder, number) for number in range(8)]
        began, shown_at = time.monotonic(), -math.inf
        print(
            "| s | all-day runs | visits | memory, MB | uploads, MB | own clips | other scratch |"
        )
        print("|---|---|---|---|---|---|---|")

        def row() -> None:
            counts = time.monotonic() - began, counted["all day"], counted["visits"]
            numbers = *counts, app.memory_mb(), *disks(app)
            print("| " + " | ".join(f"{number:.0f}" for number in numbers) + " |", flush=True)

        with ThreadPoolExecutor(AT_ONCE + 1) as people:
            done = [people.submit(stays, app.url)]
            done += [people.submit(comes, app.url, n, clips[n % 8]) for n in range(VISITORS)]
            while not all(one.done() for one in done):
                now = time.monotonic() - began
                if now - shown_at >= 60 * minutes / ROWS:
                    shown_at = now
                    row()
                if now > 60 * minutes:
                    over.set()
                time.sleep(1)
        row()
        time.sleep(2 * HOUR_S)
        row()  # when everybody has left, and what they left is old
        for one in done:
            one.result()
    print(f"\n{dict(counted)}")


def disks(app) -> list[float]:
    """MB of the uploads' folder, of clips that visits keep, and of all other temporary files."""
    visits = sum(
        app.disk_mb(f"tmp/{name}") for name in os.listdir(app.folder / "tmp") if "visits" in name
    )
    return [app.disk_mb("uploads"), visits, app.disk_mb("tmp") - visits]


def clip_of(folder: Path, seed: int) -> Path:
    """A clip of a visitor's own: a tone in noise."""
    import soundfile

    rng = np.random.default_rng(seed)
    time_s = np.arange(int(CLIP_S * 48_000)) / 48_000
    sound = 0.3 * np.sin(2 * np.pi * 300 * (1 + seed) * time_s) + 0.1 * rng.standard_normal(
        len(time_s)
    )
    path = folder / f"own-{seed}.wav"
    soundfile.write(path, np.stack([sound, sound], 1), 48_000, "PCM_16")
    return path


def main() -> None:
    if sys.argv[1:2] == ["--serve"]:
        serve([*sys.argv[2:], "--no-open"])
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[1])
    parser.add_argument("--options", nargs="*", default=["--public"], help="of its app")
    parser.add_argument("--minutes", type=float, default=6.0, help="at most")
    arguments = parser.parse_args()
    measure(arguments.root, arguments.options, arguments.minutes)


if __name__ == "__main__":
    main()
