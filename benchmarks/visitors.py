"""How long a listener waits between an answer and the next trial, when a whole class listens.

Starts `robustaudio listen serve` with a store on disk, and thirty visitors at once, each of whom
answers as soon as the three sounds of a trial have arrived (people take seconds):

    python -m benchmarks.visitors [--visitors 30] [--study assets/studies/can-you-hear-it.yaml]
"""

import argparse
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np

from robustaudio.listening.headphones import beep_count
from robustaudio.listening.session import session_of
from robustaudio.listening.store import open_store

HOME = Path(__file__).resolve().parents[1]
HOW = {"response_time_s": 1.0, "plays": 1, "switches": 2}


def visit(home: str, store: str, think_s: float, together: threading.Barrier) -> list[list[float]]:
    """Seconds from each answer to the next trial's words, and to its sounds."""
    token, waits = home.rsplit("/", 1)[1], []
    with httpx.Client(base_url=home + "/", timeout=60) as client:
        state = client.post("start", json={"agreed": True}).json()
        client.headers["X-Listener"] = code = state["code"]
        seed = open_store(store).read(token, session_of(code))[0].data["seed"]
        told = {"beeps": beep_count(seed), "sample_rate": 48_000, "device": "headphones"}
        state = client.post("sound", json=told).json()
        if state["step"] == "screening":
            client.post("screening", json={"answers": [0] * 6})
            state = client.post("unscreened", json={}).json()
        state = client.post("level", json={"gain_db": -20}).json()
        together.wait()
        rng = np.random.default_rng(seed)
        while state["step"] == "trial":
            time.sleep(think_s * rng.uniform(0.5, 1.5))
            started = time.perf_counter()
            told = {"trial": state["trial"]["number"], "answer": int(rng.integers(2)), **HOW}
            state = client.post("answer", json=told).raise_for_status().json()
            answered = time.perf_counter()
            for place in range(state["trial"]["sounds"] if state["trial"] else 0):
                client.get(f"trial/{state['trial']['number']}/{place}").raise_for_status()
            waits.append([answered - started, time.perf_counter() - started])
    return waits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--visitors", type=int, default=30)
    parser.add_argument("--think", type=float, default=3.0, help="mean seconds before an answer")
    parser.add_argument(
        "--study", type=Path, default=HOME / "assets" / "studies" / "can-you-hear-it.yaml"
    )
    parser.add_argument("--store", help="default: JSON Lines in a folder that is deleted")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port, store = free.getsockname()[1], arguments.store or folder
        free.close()
        command = [sys.executable, "-m", "robustaudio", "listen", "serve", str(arguments.study)]
        command += ["--store", store, "--port", str(port)]
        server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=HOME)
        try:
            assert server.stderr is not None
            home = server.stderr.readline().split()[-1]
            while socket.socket().connect_ex(("127.0.0.1", port)):
                time.sleep(0.1)
            together = threading.Barrier(arguments.visitors)
            with ThreadPoolExecutor(arguments.visitors) as people:
                jobs = [
                    people.submit(visit, home, store, arguments.think, together)
                    for _ in range(arguments.visitors)
                ]
                waits = np.array([wait for job in jobs for wait in job.result()])
        finally:
            server.terminate()
            server.wait()
    quantiles = np.quantile(waits, [0.5, 0.95, 1], axis=0).round(3)
    print(json.dumps({
        "study": arguments.study.name, "visitors": arguments.visitors, "answers": len(waits),
        "to_next_trial_s": dict(zip(("median", "p95", "max"), quantiles[:, 0], strict=True)),
        "to_its_sounds_s": dict(zip(("median", "p95", "max"), quantiles[:, 1], strict=True)),
    }, indent=1))  # fmt: skip


if __name__ == "__main__":
    main()
