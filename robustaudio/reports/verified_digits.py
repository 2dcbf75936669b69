"""docs/results/verified-digits.md: how far the certified classifiers' decisions are proven."""

import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Annotated

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from robustaudio.attacks import PGD, Psychoacoustic
from robustaudio.audio.datasets import open_dataset
from robustaudio.certification.verify import METHODS, Verifier
from robustaudio.classifiers import checkpoints
from robustaudio.classifiers.classifier import Classifier
from robustaudio.evaluation.attack import AttackLevels, Plan, attack_levels
from robustaudio.evaluation.batch import LabelledBatch, load_clips, share
from robustaudio.evaluation.engine import Asked, Measure, run_kept
from robustaudio.evaluation.results import Entry, plain, to_json
from robustaudio.evaluation.smallest import SmallestLevels, attack_smallest
from robustaudio.evaluation.verify import VerifyLevels, verify_levels
from robustaudio.paths import RESULTS
from robustaudio.perception.levels import STEP_16_BIT, amplitude
from robustaudio.reports.markdown import Log, made_by, percent, table, write_page
from robustaudio.reports.svg import scatter_svg
from robustaudio.representations.spectral import Magnitude
from robustaudio.threats.norms import L2, LINF, MASKING, Norm
from robustaudio.training.recipes import CERTIFIED

SEEDS = RESULTS / "seeds"  # the cards of further training runs
KEPT = Path("runs") / "verified-digits"
PARETO_DB = -50.0
HIDING = Plan(Psychoacoustic(steps=100, hiding_steps=50), MASKING)  # finds the lowest level
SEED = 0
# provability in per cent of the correct clips at -100, -95, -90, -85, -80 dB, and seconds per clip
PUBLISHED = {
    "PROVER, single plane (Ryou et al., CAV 2021)": ("97", "90", "86", "81", "70", "22"),
    "PROVER, multi plane (Ryou et al., CAV 2021)": ("97", "95", "89", "86", "78", "101-137"),
    "DeepPrism, 16-rec (arXiv:2511.11699)": ("97", "95", "91", "89", "85", "236-292"),
}
PUBLISHED_DB = (-100.0, -95.0, -90.0, -85.0, -80.0)


@dataclass(frozen=True)
class Measured:
    """What is measured in a norm: at which levels, and what attacks where nothing is proven."""

    norm: Norm
    levels_db: tuple[float, ...]
    timed_db: float
    attack: PGD | None = None

    @property
    def published_db(self) -> tuple[float, ...]:
        return PUBLISHED_DB if self.norm is LINF else ()


MEASURED = (
    Measured(
        LINF, (-110.0, -100.0, -90.0, -80.0, -70.0, -60.0, -50.0, -46.0, -40.0, -36.0), -60.0,
        PGD(steps=20, restarts=10),
    ),
    Measured(L2, (-90.0, -80.0, -70.0, -60.0, -50.0, -40.0, -36.0), -60.0),
    # a step in the masking set costs many transforms, and gets fewer restarts
    Measured(MASKING, (-36.0, -24.0, -12.0, -6.0, 0.0, 6.0), -12.0, PGD(steps=20, restarts=1)),
)  # fmt: skip


@dataclass(frozen=True)
class Bounds:
    """Shares of ALL clips by level, but for provability and the published: of the correct ones."""

    interval: dict[str, float]
    crown: dict[str, float]
    provability: dict[str, float]
    published: dict[str, float]
    hidden: dict[str, float]
    robust: dict[str, float]


def _known(norms: dict[str, Bounds]) -> dict[str, dict[str, dict[str, float]]]:
    """The record of bounds by norm, without those that were not measured."""
    return {name: {k: v for k, v in to_json(b).items() if v} for name, b in norms.items()}


@dataclass(frozen=True, kw_only=True)
class Verified:
    """A classifier: its clean accuracy, its bounds by norm, and its times in s per clip."""

    classifier: str
    clean: float
    correct: int
    norms: Annotated[dict[str, Bounds], Entry(by=_known)]
    seconds: dict[str, float]
    frame_ms: float


def verified_digits(
    output: Path | None = None, *, limit: int | None = None, log: Log = print
) -> dict:
    """Every classifier with a certified recipe, under every threat, by both methods.

    Rows are kept in `runs/` by the checkpoint's sha256, a file for each norm: a killed run goes on
    there.
    """
    split = open_dataset("fsdd").select("test", limit)
    rows = []
    for name in CERTIFIED:
        if name in checkpoints.names():
            log(name)
            classifier = checkpoints.load_classifier(name)
            batch = load_clips(classifier, split)
            rows.append(_verified(classifier, batch, log))
    peaks = torch.tensor([clip.peak for clip in split.clips()], dtype=torch.float64)
    picture = (output or Path("verified-digits")).with_suffix(".svg").name
    text = _page(made_by("verified-digits", limit, SEED), rows, peaks, picture)
    path = write_page(output, "verified-digits", text, {picture: _pareto(rows)})
    return {"output": path, "classifiers": plain(rows)}


def _verified(classifier: Classifier, batch: LabelledBatch, log: Log) -> Verified:
    magnitude, norms, correct = classifier.stages["magnitude"], {}, 0
    assert isinstance(magnitude, Magnitude)  # whose frames the masking threshold is computed on
    for threat in MEASURED:
        log(f"  {threat.norm}")
        correct, norms[threat.norm.name] = _bounds(classifier, batch, threat)
    return Verified(
        classifier=classifier.name,
        clean=correct / len(batch),
        correct=correct,
        norms=norms,
        seconds=_seconds(classifier, batch),
        frame_ms=1e3 * magnitude.framing.n_fft / classifier.sample_rate,
    )


def _bounds(classifier: Classifier, batch: LabelledBatch, threat: Measured) -> tuple[int, Bounds]:
    """How many clips are correct, and the bounds in a norm.

    Attacks are tried where nothing is proven; a clip that falls stays fallen at higher levels.
    """
    norm, levels = threat.norm, threat.levels_db

    def rows_of(measure: Measure, asked: Asked, some: LabelledBatch = batch) -> list:
        return run_kept(KEPT, measure, classifier, some, asked, seed=SEED)

    def proven(method: str, levels_db: tuple[float, ...] = levels) -> Bool[Tensor, "clip level"]:
        rows = rows_of(verify_levels, VerifyLevels(norm, levels_db, method))
        return torch.tensor([row.verified for row in rows])

    interval, crown = proven("interval"), proven("crown")
    correct = (Verifier(classifier).predict(batch.waveforms) == batch.labels).cpu()
    standing, hidden, robust = correct[:, None].repeat(1, len(levels)), {}, {}
    if norm is HIDING.norm:
        rows = rows_of(attack_smallest, SmallestLevels(HIDING, levels))
        least = torch.tensor([inf if row.smallest_db is None else row.smallest_db for row in rows])
        standing &= least[:, None] > torch.tensor(levels)
        assert (standing | ~crown).all(), "a proof is wrong"
        hidden = _shares(standing, levels)
    if threat.attack:
        plan, fallen = Plan(threat.attack, norm), torch.zeros_like(correct)
        for at in sorted(range(len(levels)), key=levels.__getitem__):
            tried = (standing[:, at] & ~crown[:, at] & ~fallen).nonzero()[:, 0].tolist()
            if tried:
                rows = rows_of(attack_levels, AttackLevels(plan, (levels[at],)), batch[tried])
                fallen[tried] = torch.tensor([row.after[0] != row.label for row in rows])
            standing[:, at] &= ~fallen
        robust = _shares(standing, levels)
    published = threat.published_db
    return int(correct.sum()), Bounds(
        interval=_shares(interval, levels),
        crown=_shares(crown, levels),
        provability=_shares(crown[correct], levels),
        published=_shares(proven("crown", published)[correct], published) if published else {},
        hidden=hidden,
        robust=robust,
    )


def _shares(held: Bool[Tensor, "clip level"], levels_db: tuple[float, ...]) -> dict[str, float]:
    return {f"{db:g}": share(held[:, at]) for at, db in enumerate(levels_db) if len(held)}


def _seconds(classifier: Classifier, batch: LabelledBatch) -> dict[str, float]:
    """Time per clip to verify the split at one level."""
    seconds = {}
    for threat in MEASURED:
        for method in METHODS:
            started = time.monotonic()
            Verifier(classifier, method=method).verified_at(
                batch.waveforms, batch.labels, threat.timed_db, threat.norm
            )
            seconds[f"{threat.norm}, {method}"] = (time.monotonic() - started) / len(batch)
    return seconds


def holds_no_other_file(peaks: Float[Tensor, " clip"], level_db: float) -> Bool[Tensor, " clip"]:
    """Whether a 16-bit clip's linf ball at a level holds no other 16-bit clip."""
    return peaks * amplitude(level_db) < STEP_16_BIT


# --- the page ------------------------------------------------------------------------------------


def _page(made: str, rows: list[Verified], peaks: Tensor, picture: str) -> str:
    linf, l2, masking = MEASURED
    assert linf.attack and masking.attack

    def levels(threat: Measured, shares: Callable[[Bounds], dict[str, float]]) -> str:
        sign = "+" if threat.norm.needs_threshold else ""
        head = ["classifier", "clean", *(f"{db:{sign}.0f}" for db in threat.levels_db)]
        name = threat.norm.name
        lines = [
            [row.classifier, *map(percent, (row.clean, *shares(row.norms[name]).values()))]
            for row in rows
        ]
        return table(head, lines)

    frames = ", ".join(f"{row.frame_ms:.0f} ms ({row.classifier})" for row in rows)
    alone = [percent(share(holds_no_other_file(peaks, db))) for db in linf.levels_db]
    return f"""# Verified spoken digits

{made} on {len(peaks)} clips of the test split of FSDD (indices 0-4; 300 is all of it). Shares \
are per cent of ALL clips unless a heading says otherwise; float64; a margin has to exceed 1e-4. A \
clip counts as verified if it is classified correctly and no perturbation of the threat can change \
that.

Upper bounds come from PGD (L-infinity: {linf.attack.steps} steps, \
{linf.attack.restarts} restarts; masking set: {masking.attack.steps} steps, \
{masking.attack.restarts} start) on every correct clip that is not verified: a verified clip \
cannot fall (`python -m benchmarks.soundness` tries). In the masking set the psychoacoustic attack \
(Qin et al. 2019, both stages) tries as well, on every clip: it looks for the lowest level.

## L-infinity: {LINF.words.unit}

### Verified accuracy, CROWN-IBP

{levels(linf, lambda bounds: bounds.crown)}

### Verified accuracy, intervals alone

{levels(linf, lambda bounds: bounds.interval)}

### Robust accuracy under PGD: what no proof can exceed

{levels(linf, lambda bounds: bounds.robust)}

### What a 16-bit file has of these balls

Share of clips whose ball holds no other 16-bit file: there a proof speaks of nothing that could \
be saved.

{table([f"{db:.0f}" for db in linf.levels_db], [alone])}

### Clean against verified

![Clean accuracy against verified accuracy at {PARETO_DB:.0f} dB]({picture})

## The inaudibility certificate: {MASKING.words.unit}

At 0 dB: nothing that stays under the clip's own masking threshold (Qin et al. 2019, on the \
classifier's own frames, loudest bin at 96 dB SPL), in every bin of every frame, changes the \
decision. It does not cover temporal masking, shifts in time, or a listener who turns the volume up.
The frames are {frames}; the shorter they are, the lower is the threshold over loud sounds \
([notes/training.md](../notes/training.md)).

### Verified accuracy, CROWN-IBP

{levels(masking, lambda bounds: bounds.crown)}

### Robust accuracy under PGD, projected onto the set, and the psychoacoustic attack together

{levels(masking, lambda bounds: bounds.robust)}

### Robust accuracy under the psychoacoustic attack alone

{levels(masking, lambda bounds: bounds.hidden)}

## L2: {L2.words.unit}

### Verified accuracy, CROWN-IBP

{levels(l2, lambda bounds: bounds.crown)}

## Provability of the correct clips, beside the published

The published verifiers prove another network of the same task: an LSTM on MFCC that was not \
trained for certification (clean accuracy 85.3 %). Their numbers are those of the papers.

{_published(rows)}

## Time per clip, in ms

To verify the whole split at one level, front end and threshold included.

{_times(rows)}

Three training runs of each recipe, with mean and spread: [seeds.md](seeds.md).
"""


def _published(rows: list[Verified]) -> str:
    head = ["verifier or classifier", *(f"{db:.0f}" for db in PUBLISHED_DB), "s per clip"]
    lines = [[name, *numbers] for name, numbers in PUBLISHED.items()]
    for row in rows:
        shares = map(percent, row.norms[LINF.name].published.values())
        seconds = f"{row.seconds['linf, crown']:.3f}"
        lines.append([f"{row.classifier}, CROWN-IBP", *shares, seconds])
    return table(head, lines)


def _times(rows: list[Verified]) -> str:
    return table(
        ["classifier", *rows[0].seconds],
        [[row.classifier, *(f"{1e3 * s:.1f}" for s in row.seconds.values())] for row in rows],
    )


def seeds(output: Path | None = None, *, limit: int | None = None, log: Log = print) -> dict:
    """Mean and spread of the training runs, from the cards that `train` writes.

    Raises:
        ValueError: for a limit, which means nothing here.
    """
    if limit is not None:
        raise ValueError(f"--limit {limit}: the runs were measured on the whole test split.")
    parts, runs_of = [], {}
    for name in CERTIFIED:
        cards = [checkpoints.read_card(name).to_json()] if name in checkpoints.names() else []
        cards += [
            json.loads(path.read_text(encoding="utf-8"))
            for path in sorted(SEEDS.glob(f"{name}-*.json"))
        ]
        runs = {
            f"seed {card['training']['seed']}": {"clean": card["test_accuracy"], **card["verified"]}
            for card in cards
            if "verified" in card
        }
        if runs:
            runs_of[name] = runs
            parts.append(f"## {name}\n\n{_spread(runs)}")
    text = (
        "# Training runs\n\nMade by `python -m robustaudio table seeds` from the cards of the "
        "runs (those of further seeds are in [seeds/](seeds)), each made by `python -m robustaudio "
        "train NAME --seed N`, which measures at its end: accuracy, and verified accuracy by "
        "CROWN-IBP, on all 300 clips of FSDD's test split, per cent of all clips. Seed 0 is the "
        "shipped run.\n\n" + "\n\n".join(parts) + "\n"
    )
    return {"output": write_page(output, "seeds", text), "runs": runs_of}


def _spread(runs: dict[str, dict[str, float]]) -> str:
    columns = list(zip(*(run.values() for run in runs.values()), strict=True))
    lines = [[name, *map(percent, run.values())] for name, run in runs.items()]
    lines.append(["mean", *(percent(statistics.mean(c)) for c in columns)])
    if len(runs) > 1:
        lines.append(["standard deviation", *(percent(statistics.stdev(c)) for c in columns)])
    return table(["run", *next(iter(runs.values()))], lines)


def _pareto(rows: Sequence[Verified]) -> str:
    points = {
        row.classifier: (100 * row.clean, 100 * row.norms[LINF.name].crown[f"{PARETO_DB:g}"])
        for row in rows
    }
    return scatter_svg(points, "clean accuracy (%)", f"verified at {PARETO_DB:.0f} dB (%)")
