"""Attacks every certificate with all that PGD has: `python -m benchmarks.soundness --restarts 10`.

For each shipped classifier: the largest verified ball of every test clip, then PGD in float64 on
the whole ball (the waveform's bounds do not hold it back), in both norms. One success is a defect
of the first order. More restarts and steps take as long as you have; a slice of this runs in the
tests.
"""

import argparse
import sys
import time
from math import inf

import torch

from robustaudio.attacks import PGD
from robustaudio.audio.datasets import open_dataset
from robustaudio.certification.verify import Verifier
from robustaudio.classifiers import checkpoints
from robustaudio.evaluation.clips import load_clips
from robustaudio.perception.metrics import epsilon_at
from robustaudio.threats.criterion import Misclassification
from robustaudio.threats.threat_model import ThreatModel


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--classifier", action="append", help="default: all that ship")
    parser.add_argument("--dataset", default="fsdd")
    parser.add_argument("--split", default="test")
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--restarts", type=int, default=10)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    broken = 0
    for name in options.classifier or checkpoints.names():
        for norm in ("linf", "l2"):
            broken += attack_certificates(name, norm, options)
    print("no certificate was contradicted" if not broken else f"{broken} CONTRADICTED")
    return int(broken > 0)


def attack_certificates(name: str, norm: str, options: argparse.Namespace) -> int:
    """Certificates of one classifier that PGD contradicts; prints a line."""
    started = time.monotonic()
    classifier = checkpoints.load_classifier(name)
    split = open_dataset(options.dataset).select(options.split, options.limit)
    clips, verifier = load_clips(classifier, split), Verifier(classifier)
    label = verifier.predict(clips.waveforms)
    level = verifier.largest_level(clips.waveforms, label, norm)
    proven = level > -inf
    x, label = clips.waveforms[proven].double(), label[proven]
    epsilon = epsilon_at(level[proven], x, norm)
    threat = ThreatModel(norm, epsilon, bounds=(-inf, inf))
    result = PGD(steps=options.steps, restarts=options.restarts)(
        classifier.double(),
        x,
        Misclassification(label),
        threat,
        generator=torch.Generator().manual_seed(options.seed),
    )
    broken = int(result.is_adversarial.sum())
    median = f"{level[proven].median():7.1f} dB" if len(x) else "         –"
    print(
        f"{name:<18}{norm:<6}{len(x):>4} of {len(proven)} clips proven, median {median}, "
        f"{options.restarts} restarts x {options.steps} steps: {broken} contradicted "
        f"({time.monotonic() - started:.0f} s)",
        flush=True,
    )
    return broken


if __name__ == "__main__":
    sys.exit(main())
