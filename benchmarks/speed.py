"""How long a visitor waits: `python -m benchmarks.speed [--device cuda]` prints a table.

The first row needs playwright and a Chromium; it is left out where they are missing.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import torch

from robustaudio import threads
from robustaudio.attacks import PGD
from robustaudio.audio.clip import Clip
from robustaudio.audio.datasets import BUNDLED, Dataset, open_dataset
from robustaudio.certification.smoothing import Smoothing
from robustaudio.certification.verify import Verifier
from robustaudio.classifiers import checkpoints
from robustaudio.evaluation.attack import Attacking, Plan, attack
from robustaudio.evaluation.batch import load_clips
from robustaudio.evaluation.certify import Certifying, certify
from robustaudio.evaluation.engine import measure_clip
from robustaudio.evaluation.predict import predict
from robustaudio.evaluation.ruler import Measuring, measure_ruler
from robustaudio.evaluation.verify import Verifying, verify
from robustaudio.threats.norms import LINF, NORMS

ROOT = Path(__file__).resolve().parents[1]
PORT = 7955
URL = f"http://127.0.0.1:{PORT}"
REPEATS = 5
CLIP = BUNDLED / "seven-slt.wav"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    device = parser.parse_args().device
    count = threads.limit()  # as the app does
    name = torch.cuda.get_device_name() if device == "cuda" else f"{os.cpu_count()} cores"
    print(f"torch {torch.__version__}, {device} ({name}), threads: {count}")
    print(f"median of {REPEATS} after a warm-up\n")
    print(f"{'command to usable page':<44}{time_to_page():>9.2f} s")
    split = test_split()
    for classifier_name in checkpoints.names(task="digits"):
        classifier = checkpoints.load_classifier(classifier_name, device)
        clip = classifier.prepare(Clip.load(CLIP)).to(device)
        print(f"\n{classifier_name}")
        for what, job in jobs(classifier, clip.samples).items():
            print(f"  {what:<42}{median_seconds(job):>9.3f} s")
        for what, job in proofs(classifier, split).items():
            print(f"  {what:<42}{median_seconds(job):>9.3f} s")


def jobs(classifier, waveform) -> dict[str, Callable[[], object]]:
    """What the page runs, by the same functions."""
    # a target that is out of reach at -90 dB, so that no early stop shortens the 40 steps
    steps = Plan(PGD(steps=40))
    smoothing = Smoothing(sigma=0.25, n0=100, n=1000)
    return {
        "load and predict": lambda: measure_clip(
            predict,
            classifier,
            classifier.prepare(Clip.load(CLIP)).samples.to(waveform.device),
            None,
        ),
        "PGD, 40 steps": lambda: measure_clip(
            attack, classifier, waveform, Attacking(steps, -90, 2)
        ),
        "verify, with bisection": lambda: measure_clip(
            verify, classifier, waveform, Verifying(LINF, -70)
        ),
        "certify, n = 1000": lambda: measure_clip(
            certify, classifier, waveform, Certifying(smoothing)
        ),
        "ruler": lambda: measure_clip(measure_ruler, classifier, waveform, Measuring(smoothing)),
    }


def test_split() -> Dataset | None:
    try:
        return open_dataset("fsdd").select("test")
    except ValueError:  # not at hand
        return None


def proofs(classifier, split: Dataset | None) -> dict[str, Callable[[], object]]:
    """Verification alone: of one clip under every threat, and of a whole test split."""
    clip = classifier.prepare(Clip.load(CLIP)).samples[None]
    clip = clip.to(classifier.device)
    verifier, crown = Verifier(classifier), Verifier(classifier, method="crown")
    label = verifier.predict(clip)
    found: dict[str, Callable[[], object]] = {
        f"bisection under three threats, {name}": lambda by=by: [
            by.largest_level(clip, label, norm) for norm in NORMS.values()
        ]
        for name, by in {"interval": verifier, "CROWN-IBP": crown}.items()
    }
    found |= {
        "CROWN-IBP at one level": lambda: crown.verified_at(clip, label, -60.0, LINF),
    }
    if split is not None:
        clips = load_clips(classifier, split)
        for norm in NORMS.values():
            found[f"{len(split)} clips at one level, {norm}"] = lambda norm=norm: (
                verifier.verified_at(clips.waveforms, clips.labels, -60.0, norm)
            )
    return found


def median_seconds(job: Callable[[], object]) -> float:
    job()
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        job()
        seconds.append(time.perf_counter() - started)
    return sorted(seconds)[REPEATS // 2]


def is_served() -> bool:
    try:
        return urllib.request.urlopen(URL, timeout=5).status == 200
    except OSError:
        return False


def time_to_page() -> float:
    """From the start of `python app.py` to the first verdict on the page in a Chromium."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return float("nan")
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        return float("nan")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        started = time.perf_counter()
        command = [sys.executable, "app.py", "--port", str(PORT), "--no-open"]
        app = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        try:
            while not is_served():
                time.sleep(0.05)
            page.goto(URL, wait_until="domcontentloaded")
            page.locator("#perturb-words strong").first.wait_for(timeout=60_000)
            return time.perf_counter() - started
        finally:
            app.terminate()
            browser.close()


if __name__ == "__main__":
    main()
