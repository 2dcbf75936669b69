"""What others wait while one visitor takes all that there is: `python -m benchmarks.crowd`.

The app is served in a process of its own, public. One visitor, from one address, puts 66 of the
heaviest runs into the queue, opens 200 listening tests, starts 2 000 sessions of somebody's, sends
30 files of 20 MB, and has a file of 100 s, 192 kHz and 8 channels classified 8 times at once.
Others load the page, attack, verify, upload, open a test and take one, before and meanwhile.

`--root` measures the app of another checkout, `--limits` names options of its command line.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from crowding import HOME, Served, Tab, Visit, greedy, medians, open_test, served, visit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=HOME, help="of a checkout; default: this one")
    parser.add_argument("--options", nargs="*", default=["--public"], help="of its app")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=60.0, help="of the crowd, at most")
    arguments = parser.parse_args()
    clip = HOME / "assets" / "clips" / "nine-slt.wav"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with served(folder, *arguments.options, root=arguments.root) as app:
            measure(app, clip, arguments.rounds, arguments.seconds)


def measure(app: Served, clip: Path, rounds: int, seconds: float) -> None:
    with Tab(app.url, "127.0.0.4") as owner:
        token = open_test(owner)
    addresses = (f"127.0.1.{number}" for number in range(1, 255))

    def visitor() -> Visit:
        return visit(app.url, token, next(addresses), clip, patience_s=20)

    visitor()  # the first of all waits for caches
    idle = [visitor() for _ in range(rounds)]
    print(f"before: memory {app.memory_mb():.0f} MB, disk {app.disk_mb():.1f} MB")
    until = time.monotonic() + seconds
    with greedy(app.url, token, app.folder) as process:
        time.sleep(1)
        meanwhile = [visitor()]
        while process.poll() is None and time.monotonic() < until:
            meanwhile.append(visitor())
        took = "ended by us" if process.poll() is None else "at its end"
        process.terminate()
        told = json.loads(process.communicate()[0])
    print(f"meanwhile: memory {app.memory_mb():.0f} MB, at most {app.memory_mb('VmHWM'):.0f} MB")
    print(f"disk {app.disk_mb('uploads'):.0f} MB of uploads, {app.disk_mb():.0f} MB in all")
    print(f"the one who takes all ({took}):")
    print(json.dumps(told, indent=1, ensure_ascii=False))
    refusals = Counter(refusal for one in meanwhile for refusal in one.refusals)
    print(f"{len(meanwhile)} visits meanwhile; refused:", *refusals.items(), sep="\n  ")
    print(f"\n{'seconds':<20}{'idle':>8}{'crowd':>8}{'ratio':>8}")
    crowded = medians(meanwhile)
    for what, wait in medians(idle).items():
        print(f"{what:<20}{wait:>8.2f}{crowded[what]:>8.2f}{crowded[what] / wait:>8.1f}")


if __name__ == "__main__":
    main()
