"""docs/results/instruments.md: the instrument classifiers, and whether evolution does anything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from statistics import median
from typing import Annotated, Any, Self

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from robustaudio.attacks import PGD, Genetic, HillClimber, RandomSearch
from robustaudio.audio.datasets import Dataset, open_dataset
from robustaudio.audio.draws import Generators
from robustaudio.audio.float64 import exact
from robustaudio.classifiers import checkpoints
from robustaudio.classifiers.classifier import Classifier
from robustaudio.evaluation.attack import Plan
from robustaudio.evaluation.batch import LabelledBatch, finite, load_clips, predictions, share
from robustaudio.evaluation.engine import Asked, Row, run_kept
from robustaudio.evaluation.results import Entry, plain
from robustaudio.evaluation.row_file import Label
from robustaudio.perception.distances import distances
from robustaudio.progress import Progress
from robustaudio.reports.markdown import (
    Log,
    decimal,
    made_by,
    median_of,
    percent,
    table,
    write_page,
)
from robustaudio.reports.svg import curves_svg, groups_svg
from robustaudio.threats.criterion import TargetedMisclassification
from robustaudio.threats.norms import L2

KEPT = Path("runs") / "instruments"
VARIANTS = ("instruments-svm", "instruments-svm-noise", "instruments-svm-denoise")
CLASSIFIERS = (*VARIANTS, "instruments-cnn")
SEED, BATCH = 0, 11
PER_LABEL, FEW = 5, 2  # clips of every label; of what is only shown beside
MANY_NAME = "20 000 queries"
ON_ALL = ("genetic", "hill climber", "random search", MANY_NAME)
SNR_DB, LOUD_QUERIES, MANY_QUERIES = 20.0, 2500, 20_000
GRADIENT_SNR_DB, GRADIENT_STEPS = 30.0, 200
RESAMPLES = 2000  # of the bootstrap
EVERY = 250  # queries between two points of the chart
SEARCHES: dict[str, Plan] = {
    "genetic": Plan(Genetic(stops=False), L2),
    "genetic, Eaton": Plan(
        Genetic(population=25, offspring=50, crossover="average", mutation="everywhere",
                mutation_rate=0.2, stops=False), L2),
    "hill climber": Plan(HillClimber(stops=False), L2),
    "random blocks": Plan(RandomSearch(blocks=True, stops=False), L2),
    "random search": Plan(RandomSearch(stops=False), L2),
}  # fmt: skip
MANY = Plan(Genetic(queries=MANY_QUERIES), L2)
GRADIENT = Plan(PGD(steps=GRADIENT_STEPS, step_size=0.02, random_start=False), L2)
# the pairs of the course project this began with, in our labels
SEVEN = (
    ("flute", "trumpet"), ("trumpet", "flute"), ("cello", "piano"), ("cello", "electric_guitar"),
    ("cello", "violin"), ("voice", "cello"), ("voice", "voice"),
)  # fmt: skip


@dataclass(frozen=True, eq=False, kw_only=True)
class Pairs(LabelledBatch):
    """Clips of a data set with a label to reach for each; `files` are those of the clips."""

    targets: Int[Tensor, " clip"]
    files: tuple[str, ...]

    def __getitem__(self, numbers: Sequence[int]) -> Self:
        files = tuple(self.files[number] for number in numbers)
        return replace(
            super().__getitem__(numbers), targets=self.targets[list(numbers)], files=files
        )

    @classmethod
    def of_files(cls, batch: LabelledBatch, targets: Int[Tensor, " clip"]) -> Self:
        """Pairs whose names are the file and the target: a file may stand there several times."""
        names = (f"{n} to {t}" for n, t in zip(batch.names, targets.tolist(), strict=True))
        paired = replace(batch, names=tuple(names))
        return cls(**vars(paired), targets=targets, files=batch.names)


@dataclass(frozen=True, kw_only=True)
class PairRow(Row):
    """An attack towards a target: its log-odds before, after, and on the way by queries."""

    file: str
    label: Label
    target: Label
    attackable: bool
    success: bool
    start: float
    end: float
    snr_db: float | None
    noise_to_mask_db: float | None
    queries: int
    way: list


Rows = Sequence[PairRow]


@dataclass(frozen=True)
class Reaching(Asked):
    """An attack towards the targets of pairs, at a level in dB."""

    plan: Annotated[Plan, Entry(by=Plan.to_json, inline=True)]
    level_db: float

    row = PairRow
    chunk = BATCH


def reach(
    classifier: Classifier,
    batch: Pairs,
    settings: Reaching,
    generator: Generators,
    progress: Progress | None = None,
) -> list[PairRow]:
    """Log-odds of the target on the way, and what came of it."""
    x, targets, plan = batch.waveforms, batch.targets, settings.plan
    start = log_odds(classifier, x, targets)
    way = [(0, start.tolist())]

    def tell(share: float, step: Any = None) -> None:
        queries = round(share * getattr(plan.attack, "queries", 0))
        if step and queries >= way[-1][0] + EVERY:
            way.append((queries, log_odds(classifier, step.best(), targets).tolist()))

    criterion = TargetedMisclassification(targets)
    result = plan(classifier, x, criterion, settings.level_db, generator, tell)
    end = log_odds(classifier, result.adversarial, targets)
    measured = distances(result.adversarial, x, classifier.sample_rate)
    clean = predictions(classifier, x)
    way.append((int(result.queries.max()), end.tolist()))
    return [
        PairRow(
            file=batch.files[i],
            label=int(batch.labels[i]),
            target=int(targets[i]),
            attackable=bool(clean[i] != targets[i]),
            success=bool(result.is_adversarial[i]),
            start=float(start[i]),
            end=float(end[i]),
            snr_db=finite(measured.snr_db[i]),
            noise_to_mask_db=finite(measured.noise_to_mask_db[i]),
            queries=int(result.queries[i]),
            way=[[queries, odds[i]] for queries, odds in way],
        )
        for i in range(len(batch))
    ]


@dataclass(frozen=True)
class Accuracy:
    """The accuracies of a classifier, and its confusions on the test split."""

    test: float
    validation: float | None
    folds: float | None
    confusion: list[list[int]]
    labels: list[str]


@dataclass(frozen=True)
class Outcome:
    """What a search came to; gain and success with the ends of their 95 % intervals."""

    pairs: int
    gain: tuple[float, float, float]
    success: tuple[float, float, float]
    queries: float
    seconds: float


def attacked_instruments(
    output: Path | None = None, *, limit: int | None = None, log: Log = print
) -> dict:
    """Accuracies, the seven attacks, and genetic against control against gradient.

    Rows are kept in `runs/` by the checkpoint's sha256 and the attack's settings: a killed run goes
    on there. `limit` is the number of clips per label.
    """
    split = open_dataset("instruments").select("test")
    per_label = limit or PER_LABEL
    accuracy: dict[str, Accuracy] = {}
    searches: dict[str, dict[str, Rows]] = {}
    gradient: dict[str, Rows] = {}
    seven: dict[str, Rows] = {}
    for name in CLASSIFIERS:
        log(name)
        classifier = checkpoints.load_classifier(name)
        accuracy[name] = _accuracy(classifier, split)
        batch = pairs(classifier, split, per_label)
        gradient[name] = _rows(classifier, batch, GRADIENT, -GRADIENT_SNR_DB, log)
        first = name == CLASSIFIERS[0]
        plans = SEARCHES | {MANY_NAME: MANY} if first else {"genetic": SEARCHES["genetic"]}
        searches[name] = {}
        for search, plan in plans.items():
            some = batch if first and search in ON_ALL else _few(batch)
            searches[name][search] = _rows(classifier, some, plan, -SNR_DB, log)
        if name in VARIANTS:
            course = _seven(classifier, split)
            seven[name] = _rows(classifier, course, SEARCHES["genetic"], -SNR_DB, log)
    pictures = {
        "instruments-queries.svg": _courses(searches[CLASSIFIERS[0]]),
        "instruments-pca.svg": _components(split),
    }
    text = _page(made_by("instruments", limit, SEED), accuracy, searches, gradient, seven)
    record = {
        "output": write_page(output, "instruments", text, pictures),
        "accuracy": accuracy,
        "searches": {
            name: {search: _outcome(rows) for search, rows in by_search.items()}
            for name, by_search in searches.items()
        },
    }
    return plain(record)


def pairs(classifier: Classifier, split: Dataset, per_label: int) -> Pairs:
    """Some clips of every label, spread evenly, and a wrong target for each: all labels in turn."""
    rows, shifts = [], []
    for label in classifier.labels:
        labelled = [row for row in split.rows if row.label == label]
        count = min(per_label, len(labelled))
        rows += [labelled[i * len(labelled) // count] for i in range(count)]
        shifts += [1 + (len(shifts) + i) % (len(classifier.labels) - 1) for i in range(count)]
    batch = load_clips(classifier, replace(split, rows=tuple(rows)))
    targets = (batch.labels + torch.tensor(shifts)) % len(classifier.labels)
    return Pairs.of_files(batch, targets)


def _few(batch: Pairs) -> Pairs:
    """The first pairs of every label."""
    before = [int((batch.labels[:n] == y).sum()) for n, y in enumerate(batch.labels)]
    return batch[[n for n, same in enumerate(before) if same < FEW]]


def _seven(classifier: Classifier, split: Dataset) -> Pairs:
    """The first test clip of each source label, and the targets."""
    first = {row.label: row for row in reversed(split.rows)}
    rows = tuple(first[source] for source, _ in SEVEN)
    targets = torch.tensor([classifier.label_index(target) for _, target in SEVEN])
    return Pairs.of_files(load_clips(classifier, replace(split, rows=rows)), targets)


def _accuracy(classifier: Classifier, split: Dataset) -> Accuracy:
    batch, card = load_clips(classifier, split), checkpoints.read_card(classifier.name)
    predicted, labels = predictions(classifier, batch.waveforms), len(classifier.labels)
    confusion = torch.zeros(labels, labels, dtype=torch.long)
    confusion.index_put_((batch.labels, predicted), torch.tensor(1), accumulate=True)
    return Accuracy(
        test=share(predicted == batch.labels),
        validation=card.validation_accuracy,
        folds=card.training.cross_validation_accuracy,
        confusion=confusion.tolist(),
        labels=list(classifier.labels),
    )


def _rows(
    classifier: Classifier, batch: Pairs, plan: Plan, level_db: float, log: Log
) -> list[PairRow]:
    """The rows of one attack, measured or read."""
    log(f"  {type(plan.attack).__name__} on {len(batch)} pairs")
    return run_kept(
        KEPT, reach, classifier, batch, Reaching(plan, level_db), seed=SEED,
        progress=lambda share, step=None: log(f"    {share:.0%}"),
    )  # fmt: skip


@torch.no_grad()
def log_odds(
    classifier: Classifier, x: Float[Tensor, "clip time"], target: Tensor
) -> Float[Tensor, " clip"]:
    """log(p / (1 - p)) of each target."""
    p = exact(classifier(x)).log_softmax(1)
    others = p.scatter(1, target[:, None], -inf).logsumexp(1)
    return p.gather(1, target[:, None])[:, 0] - others


def interval(values: list[float]) -> tuple[float, float, float]:
    """The median, and its 95 % bootstrap interval (Efron 1979, percentiles)."""
    rng, data = np.random.default_rng(SEED), np.array(values)
    medians = np.median(rng.choice(data, (RESAMPLES, len(data))), axis=1)
    low, high = np.quantile(medians, (0.025, 0.975))
    return float(np.median(data)), float(low), float(high)


def share_interval(hits: int, count: int) -> tuple[float, float, float]:
    """A share, and its exact 95 % interval (Clopper & Pearson 1934)."""
    from scipy.stats import binomtest

    bounds = binomtest(hits, count).proportion_ci(0.95)
    return hits / count, float(bounds.low), float(bounds.high)


def _outcome(rows: Rows) -> Outcome:
    can = [row for row in rows if row.attackable]
    return Outcome(
        pairs=len(can),
        gain=interval([row.end - row.start for row in can]),
        success=share_interval(sum(row.success for row in can), len(can)),
        queries=median(row.queries for row in can),
        seconds=sum(row.seconds for row in rows) / len(rows),
    )


def _courses(searches: Mapping[str, Rows]) -> str:
    """The chart of the log-odds against queries."""
    curves = {}
    for search in SEARCHES:
        rows = [row for row in searches[search] if row.attackable]
        steps = [[q for q, _ in row.way] for row in rows]
        shown = min(map(len, steps))
        curves[search] = [
            (steps[0][k], median(row.way[k][1] - row.start for row in rows)) for k in range(shown)
        ]
    return curves_svg(curves, "queries", "log-odds gained by the target (median)")


def _components(split: Dataset) -> str:
    """The clips by the two main components of their descriptors."""
    classifier = checkpoints.load_classifier(CLASSIFIERS[0])
    batch = load_clips(classifier, split)
    with torch.no_grad():
        features = classifier.split("standardised")[0](batch.waveforms)
    centred = features - features.mean(0)
    _, sizes, axes = torch.linalg.svd(centred, full_matrices=False)
    at = (centred @ axes[:2].T).tolist()
    names = [classifier.labels[y].replace("_", " ") for y in batch.labels.tolist()]
    explained = (sizes.square() / sizes.square().sum()).tolist()
    titles = [f"component {k + 1} ({explained[k]:.0%} of the variance)" for k in (0, 1)]
    return groups_svg(list(zip(names, map(tuple, at), strict=True)), *titles)


# --- the page ------------------------------------------------------------------------------------


def _page(
    made: str, accuracy: Mapping[str, Accuracy], searches: Mapping[str, Mapping[str, Rows]],
    gradient: Mapping[str, Rows], seven: Mapping[str, Rows],
) -> str:  # fmt: skip
    plain = searches[CLASSIFIERS[0]]
    count = _outcome(plain["random search"]).pairs
    return f"""# Instruments: is the algorithm doing anything?

{made} on the test split of the instrument recordings (213 \
clips, 11 labels, split by pitch or recording). The support vector machines see means, standard \
deviations and mean changes of 25 descriptors (RMS, spectral centroid, bandwidth, roll-off, \
zero-crossing rate, 20 MFCC), which equal librosa's; the CNN sees log-mel energies.

## Accuracy

{_accuracy_table(accuracy)}

Folds: five, over the training recordings, groups kept together, rendered sounds in every training \
part; of `instruments-svm-noise` the folds are tested under its noise too. Chance is 9.1 %.

### Confusion of {CLASSIFIERS[0]}: rows are what plays, columns what is heard

{_confusion_table(accuracy[CLASSIFIERS[0]])}

![The test clips by the two main components of the descriptors](instruments-pca.svg)

## Genetic against control

{CLASSIFIERS[0]}, {count} pairs of a clip and a random wrong target, perturbations at an SNR of \
{SNR_DB:g} dB or more, {LOUD_QUERIES} queries, the search never stops: how much the log-odds of \
the target rise (median, 95 % bootstrap interval), and how often the target is heard (95 % exact \
interval). "Eaton" is the algorithm of R. Eaton's course project (*Sonic Subterfuge*): 25 \
individuals, 50 children, the mean of two parents, noise in every bin.

{_search_table({name: plain[name] for name in SEARCHES})}

![Log-odds gained against queries](instruments-queries.svg)

{_answer(plain)}

With {MANY_QUERIES} queries, stopping at the first success:

{_search_table({"genetic": plain[MANY_NAME]})}

## The gradient on the very same machine

PGD in l2 through descriptors, kernel and pairwise coupling, towards the same targets: from the \
clip itself in {GRADIENT_STEPS} small steps up to an SNR of {GRADIENT_SNR_DB:g} dB, until \
the target is heard.

{_gradient_table(gradient)}

## Which defence helped?

The genetic search on every classifier, {FEW} pairs of every label, same budget, adapted to each: \
it asks the defended classifier itself, noise reduction included. Above stands what the gradient \
needs, which goes through the noise reduction too. {_defences(gradient)}

{_search_table(_same_pairs(searches), "classifier")}

## The seven attacks of the course project, on our clips

Same labels, first test clip of each; genetic, {LOUD_QUERIES} queries, SNR of {SNR_DB:g} dB or \
more. The last makes a voice more like itself. The project reached 14, 25, 35, 9, 68.5, 1.3 and \
88.5 % on its own clips and machine, at SNRs it does not give.

{_seven_table(seven)}

Noise-to-mask ratios are predictions of a model, not of a listener: above 0 dB it predicts that \
the perturbation is heard.
"""


def _accuracy_table(accuracy: Mapping[str, Accuracy]) -> str:
    lines = [
        [name, *map(percent, (shares.folds, shares.validation, shares.test))]
        for name, shares in accuracy.items()
    ]
    return table(["classifier", "folds", "validation", "test"], lines)


def _confusion_table(accuracy: Accuracy) -> str:
    names = [label.replace("_", " ") for label in accuracy.labels]
    short = [label.split("_")[0][:3] for label in accuracy.labels]
    lines = [
        [name, *(str(n) if n else "·" for n in row)]
        for name, row in zip(names, accuracy.confusion, strict=True)
    ]
    return table(["", *short], lines)


def _search_table(by_name: Mapping[str, Rows], first: str = "search") -> str:
    head = [first, "pairs", "gain in log-odds", "target heard, %", "NMR, dB", "queries", "s"]
    lines = []
    for name, rows in by_name.items():
        outcome = _outcome(rows)
        gain, low, high = outcome.gain
        hit, least, most = (100 * value for value in outcome.success)
        ratio = median_of(row.noise_to_mask_db for row in rows if row.attackable)
        lines.append([
            name, str(outcome.pairs), f"{gain:.2f} ({low:.2f} to {high:.2f})",
            f"{hit:.0f} ({least:.0f} to {most:.0f})", ratio, f"{outcome.queries:.0f}",
            f"{outcome.seconds:.1f}",
        ])  # fmt: skip
    return table(head, lines)


def _same_pairs(searches: Mapping[str, Mapping[str, Rows]]) -> dict[str, Rows]:
    """The genetic rows of every classifier, on the clips that all of them were attacked on."""
    rows = {name: by["genetic"] for name, by in searches.items()}
    common = set.intersection(*({row.file for row in some} for some in rows.values()))
    return {name: [row for row in some if row.file in common] for name, some in rows.items()}


def _answer(plain: Mapping[str, Rows]) -> str:
    """Is the algorithm doing anything? In numbers, pair by pair."""
    gain = {
        name: {row.file: row.end - row.start for row in rows if row.attackable}
        for name, rows in plain.items()
    }

    def ahead_of(other: str) -> list[float]:
        return [gain["genetic"][clip] - value for clip, value in gain[other].items()]

    ratio = median(gain["genetic"].values()) / median(gain["random search"].values())
    blocks, _, _ = interval(ahead_of("random blocks"))
    climber, low, high = interval(ahead_of("hill climber"))
    wins = sum(ahead > 0 for ahead in ahead_of("random search")) / len(gain["random search"])
    return f"""**Yes.** At equal queries and equal SNR evolution gains {ratio:.1f} times what \
random search does, and more than it on {wins:.0%} of the pairs. Part of that is where it draws: \
random blocks of bands and times alone do better than white noise, and evolution is \
{blocks:.2f} log-odds beyond them (median of the differences). A population is not what it takes: \
against the hill climber, which mutates one perturbation in the same way, the difference is \
{climber:+.2f} ({low:+.2f} to {high:+.2f})."""


def _gradient_table(gradient: Mapping[str, Rows]) -> str:
    head = ["classifier", "pairs", "target heard, %", "median SNR, dB", "NMR, dB", "steps", "s"]
    lines = []
    for name, rows in gradient.items():
        can = [row for row in rows if row.attackable]
        hit = [row for row in can if row.success]
        hits, least, most = share_interval(len(hit), len(can))
        lines.append([
            name, str(len(can)), f"{100 * hits:.0f} ({100 * least:.0f} to {100 * most:.0f})",
            median_of(row.snr_db for row in hit), median_of(row.noise_to_mask_db for row in hit),
            f"{median(row.queries for row in can):.0f}", f"{can[0].seconds:.2f}",
        ])  # fmt: skip
    return table(head, lines)


def _defences(gradient: Mapping[str, Rows]) -> str:
    """What a defence costs the gradient, in dB of SNR."""
    needed = {
        name: median(
            row.snr_db for row in rows if row.attackable and row.success and row.snr_db is not None
        )
        for name, rows in gradient.items()
    }
    plain, *others = VARIANTS
    costs = [f"{needed[plain] - needed[name]:+.1f} dB behind `{name}`" for name in others]
    return (
        f"In the median the gradient has to be louder by {' and '.join(costs)} than behind "
        f"`{plain}`: minus means that the defence made it easier."
    )


def _seven_table(seven: Mapping[str, Rows]) -> str:
    head = ["attack", "classifier", "before, %", "after, %", "SNR, dB", "NMR, dB", "queries", "s"]
    lines = []
    for at, (source, target) in enumerate(SEVEN):
        for name, rows in seven.items():
            row = rows[at]
            levels = map(decimal, (row.snr_db, row.noise_to_mask_db))
            lines.append([
                f"{source} → {target}".replace("_", " "), name, _percent_of(row.start),
                _percent_of(row.end), *levels, str(row.queries), f"{row.seconds:.1f}",
            ])  # fmt: skip
    return table(head, lines)


def _percent_of(odds: float) -> str:
    """A probability from its log-odds."""
    p = 100 / (1 + np.exp(-odds))
    return f"{p:.1f}" if p >= 0.1 else f"{p:.2g}"
