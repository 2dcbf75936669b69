"""docs/results/attacks.md: every attack against the digit classifiers, by level and by ear."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path

import torch

from robustaudio.attacks import (
    APGD,
    BIM,
    FGSM,
    JSMA,
    MIFGSM,
    PGD,
    CarliniWagner,
    CarliniWagnerAudio,
    DeepFool,
    Psychoacoustic,
)
from robustaudio.audio.datasets import open_dataset
from robustaudio.certification.verify import Verifier
from robustaudio.classifiers import checkpoints
from robustaudio.classifiers.classifier import Classifier
from robustaudio.evaluation.attack import Plan
from robustaudio.evaluation.batch import LabelledBatch, generator, load_clips
from robustaudio.evaluation.engine import run_kept
from robustaudio.evaluation.results import plain
from robustaudio.evaluation.smallest import (
    SmallestLevels,
    SmallestRow,
    SmallestSummary,
    attack_smallest,
    success_curve,
)
from robustaudio.perception.audibility import max_noise_to_mask_db, noise_to_mask_ratio
from robustaudio.perception.levels import l2
from robustaudio.perception.masking import masking_framing, masking_threshold
from robustaudio.reports.markdown import (
    Log,
    decimal,
    made_by,
    median_of,
    percent,
    table,
    write_page,
)
from robustaudio.reports.svg import curves_svg
from robustaudio.threats.norms import L2, LINF

KEPT = Path("runs") / "attacks"
CLASSIFIERS = ("digits-cnn", "digits-lstm", "digits-cnn-ibp", "digits-cnn-noise")
TARGETED = ("digits-cnn", "digits-lstm")
CLIPS = 100
SEED = 0
STEPS = 100  # of PGD and APGD alike: APGD plans its step sizes for so many
PLANS = {
    "FGSM, linf": Plan(FGSM()),
    "BIM, linf": Plan(BIM()),
    "PGD, linf": Plan(PGD(steps=STEPS)),
    "MI-FGSM, linf": Plan(MIFGSM()),
    "APGD (CE), linf": Plan(APGD(steps=STEPS)),
    "APGD (DLR), linf": Plan(APGD(steps=STEPS, loss="dlr")),
    "DeepFool, linf": Plan(DeepFool()),
    "C&W audio, linf": Plan(CarliniWagnerAudio()),
    "JSMA, linf": Plan(JSMA(at_once=64)),
    "PGD, l2": Plan(PGD(steps=STEPS), L2),
    "APGD (CE), l2": Plan(APGD(steps=STEPS), L2),
    "DeepFool, l2": Plan(DeepFool(), L2),
    "C&W, l2": Plan(CarliniWagner(), L2),
    "psychoacoustic": Plan(Psychoacoustic()),
}
TARGETED_PLANS = {name: PLANS[name] for name in ("C&W, l2", "C&W audio, linf", "psychoacoustic")}
LEVELS_DB = tuple(float(level) for level in range(-80, -9, 10))
DRAWN_DB = tuple(float(level) for level in range(-80, 1, 2))
Rows = Mapping[str, Sequence[SmallestRow]]  # by the name of the attack


@dataclass(frozen=True)
class Gap:
    """How far the quietest success of all attacks lies above the largest verified level."""

    clips: int
    contradicted: int
    smallest_gap_db: float
    median_gap_db: float


@dataclass(frozen=True)
class Targeted:
    """An attack towards random targets, and white noise of the same l2 against the threshold."""

    rows: Sequence[SmallestRow]
    white: list[float]


def attacked_digits(
    output: Path | None = None, *, limit: int | None = None, log: Log = print
) -> dict:
    """Smallest successful level of every attack, clip and classifier.

    Rows are kept in `runs/` by the checkpoint's sha256 and the attack's settings: a killed run goes
    on there.
    """
    split = open_dataset("fsdd").select("test", limit or CLIPS)
    untargeted: dict[str, Rows] = {}
    targeted: dict[str, dict[str, Targeted]] = {}
    sandwich: dict[str, dict[str, Gap]] = {}
    for name in CLASSIFIERS:
        log(name)
        classifier = checkpoints.load_classifier(name)
        batch = load_clips(classifier, split)
        rows = {label: _rows(classifier, batch, plan, False, log) for label, plan in PLANS.items()}
        untargeted[name], sandwich[name] = rows, _sandwich(classifier, batch, rows)
        if name in TARGETED:
            aimed = {a: _rows(classifier, batch, p, True, log) for a, p in TARGETED_PLANS.items()}
            targeted[name] = {
                label: Targeted(rows, _white(classifier, batch, rows))
                for label, rows in aimed.items()
            }
    pictures = {f"attacks-{name}.svg": _curves(rows) for name, rows in untargeted.items()}
    text = _page(made_by("attacks", limit, SEED), len(split), untargeted, targeted, sandwich)
    record = {
        "output": write_page(output, "attacks", text, pictures),
        "untargeted": {
            name: {label: _shares(rows) for label, rows in by_attack.items()}
            for name, by_attack in untargeted.items()
        },
        "targeted": {
            name: {label: _shares(each.rows) for label, each in by_attack.items()}
            for name, by_attack in targeted.items()
        },
        "sandwich": sandwich,
    }
    return plain(record)


def _rows(
    classifier: Classifier, batch: LabelledBatch, plan: Plan, targeted: bool, log: Log
) -> list[SmallestRow]:
    """The rows of one attack, measured or read."""
    log(f"  {type(plan.attack).__name__} {plan.norm}{' targeted' if targeted else ''}")
    asked = SmallestLevels(plan, LEVELS_DB, targeted)
    return run_kept(KEPT, attack_smallest, classifier, batch, asked, seed=SEED)


def _shares(rows: Sequence[SmallestRow]) -> SmallestSummary:
    return SmallestLevels(Plan(FGSM()), LEVELS_DB).summary(rows)


def _sandwich(classifier: Classifier, batch: LabelledBatch, attacked: Rows) -> dict[str, Gap]:
    """How far the quietest success of all attacks lies above the largest verified level."""
    verifier, gaps = Verifier(classifier, method="crown"), {}
    right = torch.tensor([row.attackable for row in next(iter(attacked.values()))])
    for norm in (LINF, L2):
        levels = [
            [inf if row.smallest_db is None else row.smallest_db for row in attacked[label]]
            for label, plan in PLANS.items()
            if plan.norm is norm
        ]
        least = torch.tensor(levels, dtype=torch.float64).amin(0)
        gap = (least - verifier.largest_level(batch.waveforms, batch.labels, norm))[right]
        gaps[norm.name] = Gap(
            int(right.sum()), int((gap <= 0).sum()), float(gap.min()), float(gap.median())
        )
    return gaps


def _white(
    classifier: Classifier, batch: LabelledBatch, rows: Sequence[SmallestRow]
) -> list[float]:
    """Maximum noise-to-mask ratio of white noise of the same l2, over the clip's own samples."""
    fallen = {i: r.snr_db for i, r in enumerate(rows) if r.attackable and r.snr_db is not None}
    x = batch.waveforms[list(fallen)]
    noise = torch.randn(x.shape, generator=generator(SEED, x.device), device=x.device) * (x != 0)
    size = l2(x) * 10 ** (-x.new_tensor(list(fallen.values())) / 20)
    noise = noise * (size / l2(noise))[:, None]
    rate = classifier.sample_rate
    threshold = masking_threshold(x, masking_framing(rate), rate)
    return max_noise_to_mask_db(noise_to_mask_ratio(noise, threshold)).tolist()


def _curves(attacked: Rows) -> str:
    curves = {
        label: [
            (point.level_db, 100 * point.success_rate)
            for point in success_curve(attacked[label], DRAWN_DB)
        ]
        for label, plan in PLANS.items()
        if plan.norm is LINF
    }
    return curves_svg(curves, "level of the perturbation (dB)", "fooled (%)")


# --- the page ------------------------------------------------------------------------------------


def _page(
    made: str, clips: int, untargeted: Mapping[str, Rows],
    targeted: Mapping[str, Mapping[str, Targeted]], sandwich: Mapping[str, Mapping[str, Gap]],
) -> str:  # fmt: skip
    parts = [_classifier_part(name, rows) for name, rows in untargeted.items()]
    return f"""# Every attack against the spoken digits

{made} on {clips} clips spread evenly over FSDD's test \
split (indices 0-4). Every attack leaves the label, and shares are per cent of the clips that are \
classified correctly; towards a random target, of those that are not taken for it already. The \
smallest level is found per clip: by bisection to 0.06 dB for an attack in a ball, in one run for \
one that minimises by itself. Levels are relative to the clip's peak \
(linf) or to its l2 norm (l2: minus the SNR). SNR and noise-to-mask ratio (NMR: total, and the \
largest of all bands and frames of 32 ms) are medians of the successes; "16 bit" is the share that \
is still fooled after the perturbed clip was rounded to 16 bits. The psychoacoustic attack looks \
for the lowest noise-to-mask ratio, not for the lowest level: it is loud, and hidden. Masking \
figures are predictions of a model, not of a listener.

PGD and APGD take {STEPS} steps per level, JSMA 64 samples at once; the other settings are the \
attacks' defaults.

{chr(10).join(parts)}
## Towards a random target

{_targeted_table(targeted)}

"white" is the largest noise-to-mask ratio of white noise of the same l2, over the clip's own \
samples: at equal energy it is that much more audible to the model.

## APGD against PGD

The largest lead of PGD over APGD of as many steps, at any level of -80 to 0 dB by 2 dB: how much \
larger the share of clips is that PGD fools there.

{_leads_table(untargeted)}

## Nothing found below what is proven

The quietest success of all attacks, against the largest level verified by CROWN-IBP, per clip.

{_sandwich_table(sandwich)}
"""


def _medians(shares: SmallestSummary) -> list[str]:
    """Level, SNR and both noise-to-mask ratios."""
    ratios = (shares.median_noise_to_mask_db, shares.median_max_noise_to_mask_db)
    return [*map(decimal, (shares.median_smallest_db, shares.median_snr_db, *ratios))]


def _classifier_part(name: str, attacked: Rows) -> str:
    head = ["attack", "fooled", "16 bit", "median level", "SNR", "NMR", "max NMR", "queries",
            "s per clip"]  # fmt: skip
    lines, curves = [], []
    for label, rows in attacked.items():
        shares = _shares(rows)
        fooled = map(percent, (shares.success_rate, shares.success_after_rounding))
        cost = [f"{shares.median_queries:.0f}", f"{shares.seconds / len(rows):.2f}"]
        lines.append([label, *fooled, *_medians(shares), *cost])
        curves.append([label, *(percent(level.success_rate) for level in shares.levels)])
    levels = [f"{level:.0f} dB" for level in LEVELS_DB]
    return f"""## {name}

{table(head, lines)}

Fooled at a level of its norm or below:

{table(["attack", *levels], curves)}

![Share of clips fooled against the level, linf](attacks-{name}.svg)
"""


def _targeted_table(targeted: Mapping[str, Mapping[str, Targeted]]) -> str:
    head = ["classifier", "attack", "fooled", "median level", "SNR", "NMR", "max NMR",
            "max NMR <= 0 dB", "white", "s per clip"]  # fmt: skip
    lines = []
    for name, by_attack in targeted.items():
        for label, each in by_attack.items():
            loudest = [row.max_noise_to_mask_db for row in each.rows if row.attackable]
            hidden = sum(db is not None and db <= 0 for db in loudest) / len(loudest)
            shares = _shares(each.rows)
            lines.append([
                name, label, percent(shares.success_rate), *_medians(shares), percent(hidden),
                median_of(each.white), f"{shares.seconds / len(each.rows):.2f}",
            ])  # fmt: skip
    return table(head, lines)


def _leads_table(untargeted: Mapping[str, Rows]) -> str:
    pairs = [(a, f"PGD, {plan.norm}") for a, plan in PLANS.items() if a.startswith("APGD")]
    lines = []
    for name, by_attack in untargeted.items():
        curves = {
            label: [point.success_rate for point in success_curve(rows, DRAWN_DB)]
            for label, rows in by_attack.items()
        }
        leads = [
            max(0.0, *(b - a for a, b in zip(curves[apgd], curves[pgd], strict=True)))
            for apgd, pgd in pairs
        ]
        lines.append([name, *(f"{100 * lead:.1f} points" for lead in leads)])
    return table(["classifier", *(apgd for apgd, _ in pairs)], lines)


def _sandwich_table(sandwich: Mapping[str, Mapping[str, Gap]]) -> str:
    head = ["classifier", "norm", "clips", "contradicted", "smallest gap", "median gap"]
    lines = []
    for name, norms in sandwich.items():
        for norm, gap in norms.items():
            gaps = (f"{db:.1f} dB" for db in (gap.smallest_gap_db, gap.median_gap_db))
            lines.append([name, norm, str(gap.clips), str(gap.contradicted), *gaps])
    return table(head, lines)
