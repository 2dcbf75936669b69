"""The same speed on every door: `python -m benchmarks.doors [--training]` prints tables.

How long the work takes with one thread of torch and with two, on an idle machine and beside as
many busy processes as there are cores; a ruler on the command line beside the page's, from the
click to the picture in a Chromium (`CHROMIUM` names it); and help and errors.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CLIP, CLASSIFIER = "assets/clips/seven-slt.wav", "digits-strong"
THREADS = (1, 2)
SHORT = (
    ["--help"], ["attack", "--help"], ["attack", "nosuch.wav"], ["fly"],
    ["attack", CLIP, "--loud"], ["attack", CLIP, "--attack", "hammer"],
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--training", action="store_true", help="an epoch of a recipe as well")
    parser.add_argument("--work", type=int, metavar="N", help="only this, with N threads: JSON")
    parser.add_argument("--ruler", action="store_true", help="only the two rulers")
    arguments = parser.parse_args()
    if arguments.ruler:
        print_rulers()
        return
    if arguments.work:
        print(json.dumps(seconds_of_work(arguments.work, arguments.training)))
        return
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start\n")
    measured = {}
    for load in ("idle", "busy"):
        with busy(load == "busy"):
            for threads in THREADS:
                measured[f"{load}, {threads}"] = work_elsewhere(threads, arguments.training)
    print(f"{'seconds':<44}" + "".join(f"{name:>10}" for name in measured))
    for what in next(iter(measured.values())):
        print(f"{what:<44}" + "".join(f"{made[what]:>10.2f}" for made in measured.values()))
    print_rulers()
    print("\nhelp and errors, seconds (the slowest of 3)")
    for words in SHORT:
        slowest = max(timed(lambda words=words: command(*words)) for _ in range(3))
        print(f"  {'robustaudio ' + ' '.join(words):<60}{slowest:>6.2f}")


def print_rulers() -> None:
    """The same ruler on the page and on the command line, in one run each."""
    print(f"\nruler, {CLASSIFIER}{'page':>18}{'command':>10}{'ratio':>8}")
    for load in ("idle", "busy"):
        with served() as url, busy(load == "busy"):
            page = on_the_page(url)
        with busy(load == "busy"):
            whole = timed(lambda: command("ruler", CLIP, "--classifier", CLASSIFIER, "--json"))
        print(f"  {load:<18}{page:>20.2f}{whole:>10.2f}{whole / page:>8.2f}")


@contextmanager
def served() -> Iterator[str]:
    """The app in a process of its own; gives its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    app = subprocess.Popen(
        [sys.executable, "app.py", "--no-open", "--port", str(port)], cwd=ROOT,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        app.kill()
        app.wait()


def on_the_page(url: str) -> float:
    """Seconds from the click on Measure to the ruler, in a page whose first run is over."""
    from playwright.sync_api import expect, sync_playwright

    from benchmarks.screenshots import ARGS, SLOW_MS, choose, tab

    expect.set_options(timeout=SLOW_MS)
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=ARGS)
        page = browser.new_page()
        for _ in range(120):  # until the server answers
            try:
                page.goto(url, wait_until="domcontentloaded")
                break
            except Exception:
                time.sleep(0.5)
        expect(page.locator("#perturb-words strong").first).to_be_visible()
        choose(page, "classifier", CLASSIFIER)
        expect(page.locator("#perturb-words")).to_contain_text(CLASSIFIER)
        expect(page.locator(".ra-progress")).to_have_count(0)
        tab(page, "Ruler")
        expect(page.locator("#measure")).to_be_visible()

        def measure() -> None:
            page.locator("#measure").click()
            expect(page.locator("#ruler figure")).to_be_visible()

        seconds = timed(measure)
        browser.close()
    return seconds


def command(*arguments: str) -> str:
    """What the command line prints; the exit code is not looked at."""
    words = [sys.executable, "-m", "robustaudio", *arguments]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True).stdout


def work_elsewhere(threads: int, training: bool = False) -> dict[str, float]:
    """`seconds_of_work` in a process of its own."""
    words = [sys.executable, "-m", "benchmarks.doors", "--work", str(threads)]
    words += ["--training"] if training else []
    made = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(made.stdout)


def seconds_of_work(threads: int, training: bool) -> dict[str, float]:
    """What the page runs, by the same functions, in a process that has all of it loaded."""
    from robustaudio import threads as rule

    rule.limit(threads)
    return {name: timed(job) for name, job in jobs(training).items()}


def jobs(training: bool) -> dict[str, Callable[[], object]]:
    from robustaudio.attacks import Genetic, Psychoacoustic
    from robustaudio.audio.clip import Clip
    from robustaudio.audio.datasets import open_dataset
    from robustaudio.certification.smoothing import Smoothing
    from robustaudio.classifiers.checkpoints import load_classifier
    from robustaudio.evaluation.attack import Attacking, Plan, attack
    from robustaudio.evaluation.batch import load_clips
    from robustaudio.evaluation.engine import measure_clip, run
    from robustaudio.evaluation.ruler import Measuring, measure_ruler
    from robustaudio.evaluation.verify import Verifying, VerifyLevels, verify, verify_levels
    from robustaudio.threats.norms import LINF

    classifier = load_classifier(CLASSIFIER)
    x = classifier.prepare(Clip.load(ROOT / CLIP)).samples
    classifier.probabilities(x[None])  # the first call sets torch up
    hidden, mutated = Plan(Psychoacoustic()), Plan(Genetic(queries=1000, stops=False))
    found: dict[str, Callable[[], object]] = {
        "ruler": lambda: measure_clip(measure_ruler, classifier, x, Measuring(Smoothing())),
        "psychoacoustic attack": lambda: measure_clip(attack, classifier, x, Attacking(hidden, 0)),
        "verify, CROWN-IBP": lambda: measure_clip(
            verify, classifier, x, Verifying(LINF, -70, "crown")
        ),
        "genetic attack, 1000 queries": lambda: measure_clip(
            attack, classifier, x, Attacking(mutated, -40)
        ),
    }
    try:
        clips = load_clips(classifier, open_dataset("fsdd").select("test"))
    except ValueError:  # not at hand
        return found
    found[f"verify, {len(clips.labels)} clips, 9 levels"] = lambda: run(
        verify_levels, classifier, clips, VerifyLevels(LINF, tuple(range(-110, -29, 10)))
    )
    if training:
        found["training, two epochs of digits-cnn"] = two_epochs()
    return found


def two_epochs() -> Callable[[], object]:
    """The loop that trains, on the recordings of FSDD."""
    import torch

    from robustaudio.audio.datasets import open_dataset
    from robustaudio.training.loop import Schedule, train
    from robustaudio.training.objectives import Plain
    from robustaudio.training.recipes import CNN

    classifier = CNN.build("digits-cnn")
    x, y = classifier.prepare_dataset(open_dataset("fsdd").select("train"))
    return lambda: train(
        classifier, x, y, Plain(), Schedule(epochs=2, max_tempo=0.1), generator=torch.Generator(),
        log=lambda line: None,
    )  # fmt: skip


def timed(job: Callable[[], object]) -> float:
    started = time.perf_counter()
    job()
    return time.perf_counter() - started


@contextmanager
def busy(wanted: bool) -> Iterator[None]:
    """As many processes that never rest as there are cores."""
    count = os.cpu_count() if wanted else 0
    others = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count or 0)
    ]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


if __name__ == "__main__":
    main()
