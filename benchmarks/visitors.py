"""How long a listener waits between an answer and the next trial, when a whole class listens.

Starts `robustaudio listen serve` with a store on disk, and thirty visitors at once, each of whom
answers as soon as the three sounds of a trial have arrived (people take seconds):

    python -m benchmarks.visitors [--visitors 30] [--study assets/studies/can-you-hear-it.yaml]

With `--chromium` they are thirty pages, each with its own storage and its own running sound, in one
Chromium on the same cores as the server; without, thirty clients that fetch what a page fetches.
"""

import argparse
import asyncio
import json
import shutil
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

from robustaudio.listening.run.headphones import beep_count
from robustaudio.listening.run.open_store import open_store
from robustaudio.listening.run.session import session_of

HOME = Path(__file__).resolve().parents[1]
TRIALS = 8  # that each page answers
HOW = {"response_time_s": 1.0, "plays": 1, "switches": 2}


def visit(home: str, store: str, think_s: float, together: threading.Barrier) -> list[list[float]]:
    """Seconds from each answer to the next trial's words, and to its sounds."""
    token, waits = home.rsplit("/", 1)[1], []
    with httpx.Client(base_url=home + "/", timeout=60) as client:
        state = client.post("start", json={"agreed": True}).json()
        client.headers["X-Listener"] = code = state["code"]
        seed = check_seed(store, token, code)
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


def check_seed(store: str, token: str, code: str) -> int:
    """From which the number of beeps is drawn: pages are not told it."""
    return open_store(store).read(token, session_of(code))[0].data["check_seed"]


# The headphone test, failed and left.
UNSCREENED = """async () => {
  const code = localStorage.getItem("robustaudio.listen" + location.pathname);
  const headers = {"Content-Type": "application/json", "X-Listener": code};
  const post = (path, told) =>
    fetch(`${location.pathname}/${path}`, {method: "POST", headers, body: JSON.stringify(told)});
  await post("screening", {answers: [0, 0, 0, 0, 0, 0]});
  await post("unscreened", {});
}"""
# Plays every sound of a trial, thinks, answers: seconds until the next is shown, and can be played.
LISTENING = """async ([think, count]) => {
  const press = (key) =>
    document.body.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
  const pause = (s) => new Promise((done) => setTimeout(done, 1000 * s));
  const asked = () => document.getElementById("progress").innerText;
  const playable = () => document.querySelectorAll("#places button:not(:disabled)").length >= 3;
  const waits = [];
  while (waits.length < count) {
    while (!playable()) await pause(0.05);
    for (const key of "abx") { press(key); await pause(0.3); }
    await pause(think * (0.5 + Math.random()));
    const before = asked();
    press(String(1 + Math.floor(2 * Math.random())));
    await pause(0.05);
    const started = performance.now();
    press("Enter");
    while (asked() === before) await pause(0.005);
    const shown = performance.now();
    while (!playable()) await pause(0.005);
    waits.push([(shown - started) / 1000, (performance.now() - started) / 1000]);
  }
  return waits;
}"""


def as_clients(home: str, store: str, visitors: int, think_s: float) -> list[list[float]]:
    """Seconds from each answer to the next trial's words, and to its sounds."""
    together = threading.Barrier(visitors)
    with ThreadPoolExecutor(visitors) as people:
        jobs = [people.submit(visit, home, store, think_s, together) for _ in range(visitors)]
        return [wait for job in jobs for wait in job.result()]


def in_chromium(home: str, store: str, visitors: int, think_s: float) -> list[list[float]]:
    """The same of thirty pages: until the next trial is shown, and until it can be played."""
    return asyncio.run(_in_chromium(home, store, visitors, think_s))


async def _in_chromium(home: str, store: str, visitors: int, think_s: float) -> list[list[float]]:
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"],
        )
        pages = []
        for _ in range(visitors):
            page = await (await browser.new_context()).new_page()
            await page.goto(home)
            await page.check("#agree")
            await page.click("#begin")
            await page.click("#beeps")
            await page.click("#devices button[data-value=headphones]")
            stored = "localStorage.getItem('robustaudio.listen' + location.pathname)"
            seed = check_seed(store, home.rsplit("/", 1)[1], await page.evaluate(stored))
            await page.click(f"#counts button[data-value='{beep_count(seed)}']")
            await page.locator("#screening").wait_for()
            await page.evaluate(UNSCREENED)
            await page.reload()
            await page.locator("#level").wait_for()
            await page.keyboard.press(" ")
            await page.click("#lock")
            await page.locator("#places button").first.wait_for()
            pages.append(page)
        told = [page.evaluate(LISTENING, [think_s, TRIALS]) for page in pages]
        waits = [wait for one in await asyncio.gather(*told) for wait in one]
        await browser.close()
    return waits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--visitors", type=int, default=30)
    parser.add_argument("--think", type=float, default=3.0, help="mean seconds before an answer")
    parser.add_argument(
        "--study", type=Path, default=HOME / "assets" / "studies" / "can-you-hear-it.yaml"
    )
    parser.add_argument("--store", help="default: JSON Lines in a folder that is deleted")
    parser.add_argument("--chromium", action="store_true", help="pages, not clients")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port, store = free.getsockname()[1], arguments.store or f"{folder}/answers"
        free.close()
        command = [sys.executable, "-m", "robustaudio", "listen", "serve", str(arguments.study)]
        command += ["--store", store, "--port", str(port)]
        server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=HOME)
        try:
            assert server.stderr is not None
            home = server.stderr.readline().split()[-1]
            while socket.socket().connect_ex(("127.0.0.1", port)):
                time.sleep(0.1)
            take = in_chromium if arguments.chromium else as_clients
            waits = np.array(take(home, store, arguments.visitors, arguments.think))
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
