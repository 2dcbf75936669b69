"""The tables of docs/results, each made by one command: `python -m robustaudio table NAME`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from robustaudio.attacks import PGD
from robustaudio.audio.datasets import open_dataset
from robustaudio.certification.smoothing import Smoothing
from robustaudio.classifiers import checkpoints
from robustaudio.classifiers.classifier import Classifier
from robustaudio.evaluation.attack import AttackLevels, Plan, attack_levels
from robustaudio.evaluation.batch import LabelledBatch, load_clips
from robustaudio.evaluation.certify import CertifiedSummary, CertifyRadii, certify_radii
from robustaudio.evaluation.engine import run
from robustaudio.evaluation.results import to_json
from robustaudio.evaluation.verify import VerifyLevels, verify_levels
from robustaudio.reports.attacked_digits import attacked_digits
from robustaudio.reports.attacked_instruments import attacked_instruments
from robustaudio.reports.markdown import Log, decimal, made_by, percent, table, write_page
from robustaudio.reports.verified_digits import seeds, verified_digits
from robustaudio.threats.norms import LINF
from robustaudio.training.recipes import CERTIFIED

LEVELS_DB = (-110.0, -100.0, -90.0, -80.0, -70.0, -60.0, -50.0, -40.0)
RADII = (0.05, 0.1, 0.25, 0.5)
SMOOTHED_CLIPS = 100
SMOOTHED_LEVELS_CLASSIFIERS = ("digits-cnn", "digits-cnn-noise")
ATTACK = PGD(steps=40, restarts=2)
SMOOTHING = Smoothing(sigma=0.25, n0=100, n=1000, alpha=0.001)
SEED = 0


@dataclass(frozen=True, kw_only=True)
class Levels:
    """A classifier's shares by level in dB, verified and attacked."""

    classifier: str
    clean_accuracy: float
    bundled_accuracy: float | None
    verified: dict[float, float]
    provability: dict[float, float]
    robust: dict[float, float | None]
    verify_seconds: float
    attack_seconds: float


def digits(output: Path | None = None, *, limit: int | None = None, log: Log = print) -> dict:
    """The spoken-digit classifiers that were not trained for proofs: clean, attacked, smoothed."""
    names = [name for name in checkpoints.names(task="digits") if name not in CERTIFIED]
    split = open_dataset("fsdd").select("test", limit)
    some = split.select("test", min(SMOOTHED_CLIPS, len(split)))
    smoothing = CertifyRadii(SMOOTHING, RADII)
    rows, smoothed, records = [], {}, []
    for name in names:
        log(name)
        classifier = checkpoints.load_classifier(name)
        rows.append(_levels(classifier, load_clips(classifier, split)))
        if name in SMOOTHED_LEVELS_CLASSIFIERS:
            batch = load_clips(classifier, some)
            votes = run(certify_radii, classifier, batch, smoothing, seed=SEED)
            smoothed[name] = smoothing.summary(votes)
            records.append(smoothing.about(classifier, batch, SEED) | to_json(smoothed[name]))
    text = _digits_page(made_by("digits", limit, SEED), len(split), rows, len(some), smoothed)
    return {
        "output": write_page(output, "digits", text),
        "classifiers": [to_json(row) for row in rows],
        "smoothed": records,
    }


def _levels(classifier: Classifier, batch: LabelledBatch) -> Levels:
    """Verified accuracy, and the robust accuracy that PGD leaves, at every level."""
    proving, attacking = VerifyLevels(LINF, LEVELS_DB), AttackLevels(Plan(ATTACK), LEVELS_DB)
    verified = proving.summary(run(verify_levels, classifier, batch, proving))
    attacked = attacking.summary(run(attack_levels, classifier, batch, attacking, seed=SEED))
    return Levels(
        classifier=classifier.name,
        clean_accuracy=verified.clean_accuracy,
        bundled_accuracy=checkpoints.read_card(classifier.name).bundled_accuracy,
        verified={level.level_db: level.verified_accuracy for level in verified.levels},
        provability={level.level_db: level.provability for level in verified.levels},
        robust={level.level_db: level.robust_accuracy for level in attacked.levels},
        verify_seconds=verified.seconds,
        attack_seconds=attacked.seconds,
    )


def _digits_page(
    made: str, clips: int, rows: list[Levels], few: int, smoothed: Mapping[str, CertifiedSummary]
) -> str:
    levels = [f"{level:.0f} dB" for level in LEVELS_DB]

    def by_level(shares: Callable[[Levels], Mapping[float, float | None]]) -> str:
        lines = [
            [row.classifier, *map(percent, (row.clean_accuracy, *shares(row).values()))]
            for row in rows
        ]
        return table(["classifier", "clean", *levels], lines)

    by_radius, times = [], []
    for name, summary in smoothed.items():
        shares = (summary.abstained, *(radius.certified_accuracy for radius in summary.radii))
        by_radius.append([name, *map(percent, shares), f"{summary.seconds / few:.2f}"])
    for row in rows:
        seconds = map(decimal, (row.verify_seconds, row.attack_seconds))
        times.append([row.classifier, percent(row.bundled_accuracy), *seconds])
    time_head = ["classifier", "bundled clips correct", "verify, all levels (s)",
                 "attack, all levels (s)"]  # fmt: skip
    return f"""# Spoken digits: clean, attacked, proven

{made} on {clips} clips of the test \
split of FSDD (indices 0-4; 300 is all of it). Shares are per cent of ALL clips unless a heading \
says otherwise. \
Levels are those of the perturbation relative to the clip's peak, 20 log10(max|d| / max|x|), \
for the linf ball around the whole second that the classifier looks at. The classifiers that were \
trained for proofs have a page of their own: [verified-digits.md](verified-digits.md).

## Verified accuracy (interval bounds, float64)

Correct, and proven: no perturbation of that level changes the decision.

{by_level(lambda row: row.verified)}

## Provability: the share of the CORRECT clips that is proven

{by_level(lambda row: row.provability)}

## Robust accuracy under PGD ({ATTACK.steps} steps, {ATTACK.restarts} restarts)

Still correct after the attack: an upper bound of what any proof can reach.

{by_level(lambda row: row.robust)}

One 16-bit step lies at -90.3 dB for a clip whose peak is full scale: what stays below it mostly \
vanishes when a clip is saved in 16 bit.

## Randomized smoothing at the waveform

sigma {SMOOTHING.sigma}, n0 {SMOOTHING.n0}, n {SMOOTHING.n}, alpha {SMOOTHING.alpha}; \
certified accuracy at l2 radius r in units of full scale, of {few} clips \
spread evenly over the split. It speaks of the smoothed classifier, with confidence 1 - alpha \
per clip.

{table(["classifier", "abstained", *(f"r = {r}" for r in RADII), "s per clip"], by_radius)}

## Bundled clips and time

{table(time_head, times)}
"""


TABLES = {
    "digits": digits,
    "attacks": attacked_digits,
    "instruments": attacked_instruments,
    "verified-digits": verified_digits,
    "seeds": seeds,
}
