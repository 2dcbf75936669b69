"""docs/results/verified-digits.md: how far the certified classifiers' decisions are proven."""

import json
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from robustaudio import __version__
from robustaudio.attacks import PGD, Psychoacoustic
from robustaudio.audio.datasets import open_dataset
from robustaudio.audio.draws import Generators
from robustaudio.certification.verify import METHODS, Verifier
from robustaudio.classifiers import checkpoints
from robustaudio.classifiers.classifier import Classifier
from robustaudio.columns import FLAG, Column, list_of, needed
from robustaudio.evaluation.attack import Plan
from robustaudio.evaluation.batch import LabelledBatch, load_clips, predictions, share
from robustaudio.evaluation.engine import Asked, run, run_file
from robustaudio.evaluation.results import Entry, to_json
from robustaudio.evaluation.smallest import smallest_levels
from robustaudio.paths import RESULTS
from robustaudio.perception.levels import STEP_16_BIT, amplitude
from robustaudio.progress import Progress
from robustaudio.reports.markdown import percent, table
from robustaudio.reports.svg import scatter_svg
from robustaudio.representations.spectral import Magnitude
from robustaudio.threats.criterion import Misclassification
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

Log = Callable[[str], None]


@dataclass(frozen=True)
class Measured:
    """What is measured in a norm: at which levels, and what attacks where nothing is proven."""

    norm: Norm
    levels_db: tuple[float, ...]
    timed_db: float
    attack: PGD | None = None


MEASURED = (
    Measured(
        LINF, (-110.0, -100.0, -90.0, -80.0, -70.0, -60.0, -50.0, -46.0, -40.0, -36.0), -60.0,
        PGD(steps=20, restarts=10),
    ),
    Measured(L2, (-90.0, -80.0, -70.0, -60.0, -50.0, -40.0, -36.0), -60.0),
    # a step in the masking set costs many transforms, and gets fewer restarts
    Measured(MASKING, (-36.0, -24.0, -12.0, -6.0, 0.0, 6.0), -12.0, PGD(steps=20, restarts=1)),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class BoundsRow:
    """A clip in a norm: what is proven and what is left of it, at each level.

    All but `correct` are false where the clip is misclassified. `published` is CROWN-IBP at the
    published levels, `hidden` what the hiding attack leaves, `robust` what all attacks leave; None
    where nothing attacks.
    """

    correct: bool
    interval: list[bool]
    crown: list[bool]
    published: list[bool]
    hidden: list[bool] | None = None
    robust: list[bool] | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Bounding(Asked):
    """Proofs by both methods, and attacks where nothing is proven, at the levels of a norm."""

    threat: Measured
    hiding: Plan | None = None

    row: ClassVar[type] = BoundsRow

    @property
    def record(self) -> dict[str, Any]:
        plan, hiding = self.plan and self.plan.settings, self.hiding and self.hiding.settings
        levels = list(self.threat.levels_db)
        return {"norm": self.threat.norm.name, "levels_db": levels, "plan": plan, "hiding": hiding}

    @property
    def plan(self) -> Plan | None:
        return self.threat.attack and Plan(self.threat.attack, self.threat.norm)

    @property
    def published_db(self) -> tuple[float, ...]:
        return PUBLISHED_DB if self.threat.norm is LINF else ()

    def columns(self, classifier: Classifier) -> dict[str, Column]:
        flags = list_of(len(self.threat.levels_db), needed(FLAG))
        published = {"published": needed(list_of(len(self.published_db), needed(FLAG)))}
        proven = dict.fromkeys(METHODS, needed(flags)) | published
        return {"correct": needed(FLAG)} | proven | dict.fromkeys(("hidden", "robust"), flags)


def bounds(
    classifier: Classifier,
    batch: LabelledBatch,
    settings: Bounding,
    generator: Generators,
    progress: Progress | None = None,
) -> list[BoundsRow]:
    """Proofs by intervals and CROWN-IBP; attacks on every correct clip that is not proven."""
    x, y, norm, levels = (
        batch.waveforms,
        batch.labels,
        settings.threat.norm,
        settings.threat.levels_db,
    )
    correct = predictions(classifier, x) == y
    verifiers = {method: Verifier(classifier, method=method) for method in METHODS}

    def proven(method: str, levels_db: Sequence[float]) -> list[Tensor]:
        return [correct & verifiers[method].verified_at(x, y, db, norm) for db in levels_db]

    interval, crown = proven("interval", levels), proven("crown", levels)
    standing, hidden, robust = [correct] * len(levels), None, None
    if settings.hiding:
        aim = Misclassification(y)
        least = smallest_levels(classifier, x, aim, settings.hiding, generator=generator)
        hidden = standing = [correct & (least.level_db > db) for db in levels]
        pairs = zip(standing, crown, strict=True)
        assert all((left | ~held).all() for left, held in pairs), "a proof is wrong"
    if settings.plan:
        robust, fallen = [correct] * len(levels), torch.zeros_like(correct)
        for at in sorted(range(len(levels)), key=levels.__getitem__):  # who falls stays fallen
            tried = (standing[at] & ~crown[at] & ~fallen).nonzero()[:, 0]
            if len(tried):
                aim, source = Misclassification(y[tried]), generator[tried]
                result = settings.plan(classifier, x[tried], aim, levels[at], source)
                after = predictions(classifier, result.adversarial)
                fallen = fallen.index_put((tried,), after != y[tried])
            robust[at] = standing[at] & ~fallen
    published = proven("crown", settings.published_db)
    return [
        BoundsRow(
            correct=bool(correct[i]),
            interval=_of(i, interval),
            crown=_of(i, crown),
            published=_of(i, published),
            hidden=None if hidden is None else _of(i, hidden),
            robust=None if robust is None else _of(i, robust),
        )
        for i in range(len(batch))
    ]


def _of(item: int, levels: Sequence[Tensor]) -> list[bool]:
    return [bool(level[item]) for level in levels]


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
    records = {name: to_json(bounds) for name, bounds in norms.items()}
    return {name: {k: v for k, v in record.items() if v} for name, record in records.items()}


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
    path = output or RESULTS / "verified-digits.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = path.with_suffix(".svg")
    picture.write_text(_pareto(rows), encoding="utf-8")
    command = "python -m robustaudio table verified-digits"
    command += f" --limit {limit}" if limit else ""
    path.write_text(_page(command, rows, peaks, picture.name), encoding="utf-8")
    return {"output": str(path), "classifiers": [to_json(row) for row in rows]}


def _verified(classifier: Classifier, batch: LabelledBatch, log: Log) -> Verified:
    norms, correct = {}, 0
    for threat in MEASURED:
        log(f"  {threat.norm}")
        asked = Bounding(threat, HIDING if threat.norm is HIDING.norm else None)
        path = run_file(KEPT, classifier, batch, asked, SEED)
        rows = run(bounds, classifier, batch, asked, seed=SEED, rows=path)
        correct = sum(row.correct for row in rows)
        norms[threat.norm.name] = shares_of(rows, asked)
    return Verified(
        classifier=classifier.name,
        clean=correct / len(batch),
        correct=correct,
        norms=norms,
        seconds=_seconds(classifier, batch),
        frame_ms=_frame_ms(classifier),
    )


def shares_of(rows: Sequence[BoundsRow], asked: Bounding) -> Bounds:
    """What the rows of a norm come to."""
    right = [row for row in rows if row.correct]

    def shares(flags: Iterable[list[bool] | None], levels_db: Sequence[float]) -> dict[str, float]:
        known = [each for each in flags if each is not None]
        return {
            f"{db:g}": share([each[at] for each in known])
            for at, db in enumerate(levels_db)
            if known
        }

    levels = asked.threat.levels_db
    return Bounds(
        interval=shares((row.interval for row in rows), levels),
        crown=shares((row.crown for row in rows), levels),
        provability=shares((row.crown for row in right), levels),
        published=shares((row.published for row in right), asked.published_db),
        hidden=shares((row.hidden for row in rows), levels),
        robust=shares((row.robust for row in rows), levels),
    )


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


def _frame_ms(classifier: Classifier) -> float:
    """Length of the frames that the classifier's masking threshold is computed on."""
    magnitude = classifier.stages["magnitude"]
    assert isinstance(magnitude, Magnitude)
    return 1e3 * magnitude.framing.n_fft / classifier.sample_rate


def holds_no_other_file(peaks: Float[Tensor, " clip"], level_db: float) -> Bool[Tensor, " clip"]:
    """Whether a 16-bit clip's linf ball at a level holds no other 16-bit clip."""
    return peaks * amplitude(level_db) < STEP_16_BIT


# --- the page ------------------------------------------------------------------------------------


def _page(command: str, rows: list[Verified], peaks: Tensor, picture: str) -> str:
    linf, l2, masking = MEASURED
    assert linf.attack and masking.attack

    def levels(threat: Measured, shares: Callable[[Bounds], dict[str, float]]) -> str:
        sign = "+" if threat.norm.needs_threshold else ""
        head = ["classifier", "clean", *(f"{db:{sign}.0f}" for db in threat.levels_db)]
        name = threat.norm.name
        return table(
            head,
            [
                [
                    row.classifier,
                    *map(percent, (row.clean, *shares(row.norms[name]).values())),
                ]
                for row in rows
            ],
        )

    alone = [percent(share(holds_no_other_file(peaks, db))) for db in linf.levels_db]
    threads = torch.get_num_threads()
    return f"""# Verified spoken digits

Made by `{command}` (robustaudio {__version__}, torch {torch.__version__}, {threads} thread, seed \
{SEED}) on {len(peaks)} clips of the test split of FSDD (indices 0-4; 300 is all of it). Shares \
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
The frames are {_frames(rows)}; the shorter they are, the lower is the threshold over loud sounds \
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
    ours = [
        [
            f"{row.classifier}, CROWN-IBP",
            *map(percent, row.norms[LINF.name].published.values()),
            f"{row.seconds['linf, crown']:.3f}",
        ]
        for row in rows
    ]
    return table(head, [[name, *numbers] for name, numbers in PUBLISHED.items()] + ours)


def _frames(rows: list[Verified]) -> str:
    return ", ".join(f"{row.frame_ms:.0f} ms ({row.classifier})" for row in rows)


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
    parts, found = [], {}
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
            found[name] = runs
            parts.append(f"## {name}\n\n{_spread(runs)}")
    path = output or RESULTS / "seeds.md"
    path.write_text(_seeds_page(parts), encoding="utf-8")
    return {"output": str(path), "runs": found}


def _seeds_page(parts: list[str]) -> str:
    return (
        "# Training runs\n\nMade by `python -m robustaudio table seeds` from the cards of the "
        "runs (those of further seeds are in [seeds/](seeds)), each made by `python -m robustaudio "
        "train NAME --seed N`, which measures at its end: accuracy, and verified accuracy by "
        "CROWN-IBP, on all 300 clips of FSDD's test split, per cent of all clips. Seed 0 is the "
        "shipped run.\n\n" + "\n\n".join(parts) + "\n"
    )


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
