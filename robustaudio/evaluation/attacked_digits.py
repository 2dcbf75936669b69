"""docs/results/attacks.md: every attack against the digit classifiers, by level and by ear."""

import json
import time
from collections.abc import Callable
from hashlib import sha256
from math import inf
from pathlib import Path
from statistics import median

import torch

from robustaudio import __version__
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
from robustaudio.evaluation.attack import (
    Plan,
    random_targets,
    smallest_rows,
    summary_of_smallest,
)
from robustaudio.evaluation.clips import LabelledClips, generator, load_clips, seconds_since
from robustaudio.evaluation.engine import kept
from robustaudio.evaluation.markdown import percent, table
from robustaudio.evaluation.svg import curves_svg
from robustaudio.paths import RESULTS
from robustaudio.perception.audibility import max_noise_to_mask_db, noise_to_mask_ratio
from robustaudio.perception.levels import l2
from robustaudio.perception.masking import masking_framing, masking_threshold
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

Log = Callable[[str], None]


def attacked_digits(
    output: Path | None = None, *, limit: int | None = None, log: Log = print
) -> dict:
    """Smallest successful level of every attack, clip and classifier.

    What was measured is kept in `runs/` by the checkpoint's sha256 and the attack's settings: a
    killed run goes on there.
    """
    split = open_dataset("fsdd").select("test", limit or CLIPS)
    found, targeted, sandwich = {}, {}, {}
    for name in CLASSIFIERS:
        log(name)
        classifier = checkpoints.load_classifier(name)
        clips = load_clips(classifier, split)
        found[name] = {
            attack: _kept(classifier, clips, plan, False, log) for attack, plan in PLANS.items()
        }
        sandwich[name] = _sandwich(classifier, clips, found[name])
        if name in TARGETED:
            rows = {a: _kept(classifier, clips, p, True, log) for a, p in TARGETED_PLANS.items()}
            targeted[name] = {
                attack: {"rows": found_rows, "white": _white(classifier, clips, found_rows)}
                for attack, found_rows in rows.items()
            }
    path = output or RESULTS / "attacks.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    for name in CLASSIFIERS:
        picture = path.with_name(f"attacks-{name}.svg")
        picture.write_text(_curves(found[name]), encoding="utf-8")
    command = "python -m robustaudio table attacks" + (f" --limit {limit}" if limit else "")
    page = _page(command, len(split), found, targeted, sandwich)
    path.write_text(page, encoding="utf-8")
    return {
        "output": str(path),
        "untargeted": _summaries(found),
        "targeted": _summaries(
            {n: {a: r["rows"] for a, r in by_attack.items()} for n, by_attack in targeted.items()}
        ),
        "sandwich": sandwich,
    }


def _kept(
    classifier: Classifier, clips: LabelledClips, plan: Plan, targeted: bool, log: Log
) -> list[dict]:
    """The rows of one attack and its seconds, measured or read."""
    settings = {**plan.settings, "targeted": targeted, "seed": SEED, "clips": len(clips.labels)}
    digest = sha256(json.dumps(settings).encode()).hexdigest()[:16]
    path = KEPT / classifier.sha256[:16] / f"{settings['attack']}-{digest}.json"

    def measure() -> dict:
        log(f"  {settings['attack']} {plan.norm}{' targeted' if targeted else ''}")
        x, y, started = clips.waveforms, clips.labels, time.monotonic()
        targets = random_targets(classifier, clips, SEED) if targeted else None
        rows = smallest_rows(classifier, x, y, targets, plan, generator(SEED, x.device))
        seconds = seconds_since(started) / len(rows)
        return {"settings": settings, "rows": [{**row, "seconds": seconds} for row in rows]}

    return kept(path, measure)["rows"]


def _sandwich(
    classifier: Classifier, clips: LabelledClips, found: dict[str, list[dict]]
) -> dict[str, dict]:
    """How far the quietest success of all attacks lies above the largest verified level."""
    verifier, gaps = Verifier(classifier, method="crown"), {}
    for norm in (LINF, L2):
        least = torch.full((len(clips.labels),), inf, dtype=torch.float64)
        for name, plan in PLANS.items():
            if plan.norm == norm:
                smallest = [row["smallest_db"] for row in found[name]]
                levels = [inf if level is None else level for level in smallest]
                least = torch.minimum(least, torch.tensor(levels, dtype=torch.float64))
        rows = next(iter(found.values()))
        right = torch.tensor([row["attackable"] for row in rows])
        verified = verifier.largest_level(clips.waveforms, clips.labels, norm)
        gap = (least - verified)[right]
        gaps[norm.name] = {
            "clips": int(right.sum()),
            "contradicted": int((gap <= 0).sum()),
            "smallest_gap_db": float(gap.min()),
            "median_gap_db": float(gap.median()),
        }
    return gaps


def _white(classifier: Classifier, clips: LabelledClips, rows: list[dict]) -> list[float]:
    """Maximum noise-to-mask ratio of white noise of the same l2, over the clip's own samples."""
    fallen = [i for i, row in enumerate(rows) if row["attackable"] and row["snr_db"] is not None]
    x = clips.waveforms[fallen]
    noise = torch.randn(x.shape, generator=generator(SEED, x.device), device=x.device) * (x != 0)
    snr = x.new_tensor([rows[i]["snr_db"] for i in fallen])
    size = l2(x) * 10 ** (-snr / 20)
    noise = noise * (size / l2(noise))[:, None]
    rate = classifier.sample_rate
    threshold = masking_threshold(x, masking_framing(rate), rate)
    return max_noise_to_mask_db(noise_to_mask_ratio(noise, threshold)).tolist()


def _summaries(found: dict[str, dict[str, list[dict]]]) -> dict:
    return {
        name: {attack: summary_of_smallest(rows, LEVELS_DB) for attack, rows in by_attack.items()}
        for name, by_attack in found.items()
    }


def _curves(found: dict[str, list[dict]]) -> str:
    curves = {
        name: [
            (point["level_db"], 100 * point["success_rate"])
            for point in summary_of_smallest(found[name], DRAWN_DB)["levels"]
        ]
        for name, plan in PLANS.items()
        if plan.norm is LINF
    }
    return curves_svg(curves, "level of the perturbation (dB)", "fooled (%)")


# --- the page ------------------------------------------------------------------------------------


def _page(command: str, clips: int, found: dict, targeted: dict, sandwich: dict) -> str:
    parts = [_classifier_part(name, rows) for name, rows in found.items()]
    return f"""# Every attack against the spoken digits

Made by `{command}` (robustaudio {__version__}, torch {torch.__version__}, \
{torch.get_num_threads()} thread, seed {SEED}) on {clips} clips spread evenly over FSDD's test \
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

{_leads_table(found)}

## Nothing found below what is proven

The quietest success of all attacks, against the largest level verified by CROWN-IBP, per clip.

{_sandwich_table(sandwich)}
"""


def _classifier_part(name: str, found: dict[str, list[dict]]) -> str:
    head = ["attack", "fooled", "16 bit", "median level", "SNR", "NMR", "max NMR", "queries",
            "s per clip"]  # fmt: skip
    rows, curves = [], []
    for attack, rows_of in found.items():
        s = summary_of_smallest(rows_of, LEVELS_DB)
        rows.append(
            [
                attack,
                percent(s["success_rate"]),
                percent(s["success_after_rounding"]),
                *(_db(s[f"median_{key}"]) for key in
                  ("smallest_db", "snr_db", "noise_to_mask_db", "max_noise_to_mask_db")),
                f"{s['median_queries']:.0f}",
                f"{rows_of[0]['seconds']:.2f}",
            ]
        )  # fmt: skip
        curves.append([attack, *(percent(level["success_rate"]) for level in s["levels"])])
    levels = [f"{level:.0f} dB" for level in LEVELS_DB]
    return f"""## {name}

{table(head, rows)}

Fooled at a level of its norm or below:

{table(["attack", *levels], curves)}

![Share of clips fooled against the level, linf](attacks-{name}.svg)
"""


def _targeted_table(targeted: dict[str, dict[str, dict]]) -> str:
    head = ["classifier", "attack", "fooled", "median level", "SNR", "NMR", "max NMR",
            "max NMR <= 0 dB", "white", "s per clip"]  # fmt: skip
    lines = []
    for name, by_attack in targeted.items():
        for attack, found in by_attack.items():
            rows = [row for row in found["rows"] if row["attackable"]]
            s = summary_of_smallest(found["rows"], LEVELS_DB)
            loudest = [row["max_noise_to_mask_db"] for row in rows]
            hidden = sum(db is not None and db <= 0 for db in loudest) / len(rows)
            keys = ("smallest_db", "snr_db", "noise_to_mask_db", "max_noise_to_mask_db")
            lines.append(
                [
                    name,
                    attack,
                    percent(s["success_rate"]),
                    *(_db(s[f"median_{key}"]) for key in keys),
                    percent(hidden),
                    _db(median(found["white"]) if found["white"] else None),
                    f"{found['rows'][0]['seconds']:.2f}",
                ]
            )
    return table(head, lines)


def _leads_table(found: dict[str, dict[str, list[dict]]]) -> str:
    pairs = [(a, f"PGD, {plan.norm}") for a, plan in PLANS.items() if a.startswith("APGD")]
    lines = []
    for name, by_attack in found.items():
        curves = {
            attack: [p["success_rate"] for p in summary_of_smallest(rows, DRAWN_DB)["levels"]]
            for attack, rows in by_attack.items()
        }
        leads = [
            max(0.0, *(b - a for a, b in zip(curves[apgd], curves[pgd], strict=True)))
            for apgd, pgd in pairs
        ]
        lines.append([name, *(f"{100 * lead:.1f} points" for lead in leads)])
    return table(["classifier", *(apgd for apgd, _ in pairs)], lines)


def _sandwich_table(sandwich: dict[str, dict[str, dict]]) -> str:
    head = ["classifier", "norm", "clips", "contradicted", "smallest gap", "median gap"]
    return table(
        head,
        [
            [
                name,
                norm,
                str(gap["clips"]),
                str(gap["contradicted"]),
                f"{gap['smallest_gap_db']:.1f} dB",
                f"{gap['median_gap_db']:.1f} dB",
            ]
            for name, norms in sandwich.items()
            for norm, gap in norms.items()
        ],
    )


def _db(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"
