"""Attacks every certificate with all that PGD has: `python -m benchmarks.soundness --restarts 10`.

For each shipped classifier and each norm: the largest verified level of every test clip, then PGD
in float64 on the whole set (the waveform's bounds do not hold it back); for the masking set,
projected onto it. One success is a defect of the first order. More restarts and steps take as
long as you have; a slice of this runs in the tests.
"""

import argparse
import sys
import time
from math import inf

import torch

from robustaudio.attacks import PGD
from robustaudio.audio.datasets import open_dataset
from robustaudio.certification.verify import METHODS, Verifier
from robustaudio.classifiers import checkpoints
from robustaudio.evaluation.batch import load_clips
from robustaudio.threats.criterion import Misclassification
from robustaudio.threats.norms import NORMS, Norm, norm_named

BATCH = 100  # clips at a time


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--classifier", action="append", help="default: all that ship")
    parser.add_argument("--norm", action="append", choices=NORMS, help="default: all")
    parser.add_argument("--method", default="crown", choices=METHODS)
    parser.add_argument("--dataset", default="fsdd")
    parser.add_argument("--split", default="test")
    parser.add_argument("--limit", type=int, help="default: all clips")
    parser.add_argument("--restarts", type=int, default=10)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    broken = 0
    for name in options.classifier or checkpoints.names(task="digits"):
        for norm in map(norm_named, options.norm or NORMS):
            broken += attack_certificates(name, norm, options)
    print("no certificate was contradicted" if not broken else f"{broken} CONTRADICTED")
    return int(broken > 0)


def attack_certificates(name: str, norm: Norm, options: argparse.Namespace) -> int:
    """Certificates of one classifier that PGD contradicts; prints a line."""
    started = time.monotonic()
    classifier = checkpoints.load_classifier(name)
    split = open_dataset(options.dataset).select(options.split, options.limit)
    verifier = Verifier(classifier, method=options.method)
    attack = PGD(steps=options.steps, restarts=options.restarts)
    generator = torch.Generator().manual_seed(options.seed)
    levels, broken, done = [], 0, 0
    for waveforms in load_clips(classifier, split).waveforms.split(BATCH):
        label = verifier.predict(waveforms)
        level = verifier.largest_level(waveforms, label, norm)
        proven = level > -inf
        levels.append(level[proven])
        done += len(level)
        if not proven.any():
            continue
        x, label = waveforms[proven].double(), label[proven]
        threat = verifier.threat_at(x, level[proven], norm)
        criterion = Misclassification(label)
        result = attack(verifier.classifier, x, criterion, threat, generator=generator)
        broken += int(result.is_adversarial.sum())
        print(f"{name} {norm}: {done} clips, {broken} contradicted", file=sys.stderr, flush=True)
    found = torch.cat(levels)
    median = f"{found.median():7.1f} dB" if len(found) else "         –"
    print(
        f"{name:<18}{norm:<8}{len(found):>4} of {done} clips proven by {options.method}, "
        f"median {median}, {options.restarts} restarts x {options.steps} steps: "
        f"{broken} contradicted ({time.monotonic() - started:.0f} s)",
        flush=True,
    )
    return broken


if __name__ == "__main__":
    sys.exit(main())
