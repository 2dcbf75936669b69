"""docs/results/verified-digits.md: how far the certified classifiers' decisions are proven."""

import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from robustaudio import __version__
from robustaudio.attacks import PGD, Psychoacoustic
from robustaudio.audio.datasets import open_dataset
from robustaudio.certification.verify import METHODS, Verifier
from robustaudio.classifiers import checkpoints
from robustaudio.classifiers.classifier import Classifier
from robustaudio.evaluation.attack import Plan, attacked, smallest_levels
from robustaudio.evaluation.clips import (
    BATCH,
    LabelledClips,
    generator,
    load_clips,
    predictions,
    share,
)
from robustaudio.evaluation.engine import kept
from robustaudio.evaluation.markdown import percent, table
from robustaudio.evaluation.svg import scatter_svg
from robustaudio.paths import RESULTS
from robustaudio.perception.levels import STEP_16_BIT, amplitude
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


def verified_digits(
    output: Path | None = None, *, limit: int | None = None, log: Log = print
) -> dict:
    """Every classifier with a certified recipe, under every threat, by both methods.

    What was measured of a checkpoint is kept in `runs/` by its sha256, a file for each norm: a
    killed run goes on there.
    """
    split = open_dataset("fsdd").select("test", limit)
    shipped = set(checkpoints.names())
    rows = []
    for name in CERTIFIED:
        if name in shipped:
            log(name)
            classifier = checkpoints.load_classifier(name)
            clips = load_clips(classifier, split)
            correct = predictions(classifier, clips.waveforms) == clips.labels
            rows.append(
                {
                    "classifier": name,
                    "clean": share(correct),
                    "correct": int(correct.sum()),
                    "norms": {
                        threat.norm.name: _kept(classifier, clips, threat, correct, log)
                        for threat in MEASURED
                    },
                    "seconds": _seconds(classifier, clips),
                    "frame_ms": _frame_ms(classifier),
                }
            )
    peaks = torch.tensor([clip.peak for clip in split.clips()], dtype=torch.float64)
    path = output or RESULTS / "verified-digits.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = path.with_suffix(".svg")
    picture.write_text(_pareto(rows), encoding="utf-8")
    command = "python -m robustaudio table verified-digits"
    command += f" --limit {limit}" if limit else ""
    path.write_text(_page(command, rows, peaks, picture.name), encoding="utf-8")
    return {"output": str(path), "classifiers": rows}


def _kept(
    classifier: Classifier, clips: LabelledClips, threat: Measured, correct: Tensor, log: Log
) -> dict:
    """What was measured in a norm, now or before."""
    norm = threat.norm
    path = KEPT / f"{classifier.sha256[:16]}-{len(clips.labels)}-{norm}.json"

    def measure() -> dict:
        log(f"  {norm}")
        return _measured(classifier, clips, threat, correct)

    return kept(path, measure)


def _measured(
    classifier: Classifier, clips: LabelledClips, threat: Measured, correct: Tensor
) -> dict[str, dict[str, float]]:
    """Verified and robust accuracy of one classifier at the levels of a norm."""
    x, y, norm, levels = clips.waveforms, clips.labels, threat.norm, threat.levels_db
    found: dict = {}
    held: dict[float, Tensor] = {}
    verifiers = {method: Verifier(classifier, method=method) for method in METHODS}
    for method, verifier in verifiers.items():  # CROWN-IBP last: what follows speaks of it
        held = {db: correct & verifier.verified_at(x, y, db, norm) for db in levels}
        found[method] = {f"{db:g}": share(proven) for db, proven in held.items()}
    found["provability"] = {f"{db:g}": share(held[db][correct]) for db in levels}
    if norm is LINF:
        found["published"] = {
            f"{db:g}": share(verifiers["crown"].verified_at(x, y, db, norm)[correct])
            for db in PUBLISHED_DB
        }
    if threat.attack is None:
        return found
    plan, standing = Plan(threat.attack, norm), {db: correct for db in levels}
    if norm.needs_threshold:
        hidden_db = _hidden_db(classifier, clips)
        standing = {db: correct & (hidden_db > db) for db in levels}
        assert all((standing[db] | ~held[db]).all() for db in levels), "a proof is wrong"
        found["hidden"] = {f"{db:g}": share(left) for db, left in standing.items()}
    fallen = torch.zeros_like(correct)  # who falls falls in every larger ball
    found["robust"] = {}
    for db in sorted(levels):
        tried = standing[db] & ~held[db] & ~fallen
        fallen = fallen | tried & ~_survivors(classifier, clips, tried, plan, db)
        found["robust"][f"{db:g}"] = share(standing[db] & ~fallen)
    return found


def _seconds(classifier: Classifier, clips: LabelledClips) -> dict[str, float]:
    """Time per clip to verify the split at one level."""
    found = {}
    for threat in MEASURED:
        for method in METHODS:
            started = time.monotonic()
            Verifier(classifier, method=method).verified_at(
                clips.waveforms, clips.labels, threat.timed_db, threat.norm
            )
            found[f"{threat.norm}, {method}"] = (time.monotonic() - started) / len(clips.labels)
    return found


def _frame_ms(classifier: Classifier) -> float:
    """Length of the frames that the classifier's masking threshold is computed on."""
    magnitude = classifier.stages["magnitude"]
    assert isinstance(magnitude, Magnitude)
    return 1e3 * magnitude.framing.n_fft / classifier.sample_rate


def _survivors(
    classifier: Classifier, clips: LabelledClips, tried: Tensor, plan: Plan, level_db: float
) -> Bool[Tensor, " clip"]:
    """Which of the clips `tried` the attack leaves correct."""
    after = torch.zeros_like(tried)
    if tried.any():
        x, y = clips.waveforms[tried], clips.labels[tried]
        rng = generator(SEED, x.device)
        adversarial = attacked(classifier, x, Misclassification(y), plan, level_db, rng)
        after[tried] = predictions(classifier, adversarial) == y
    return after


def _hidden_db(classifier: Classifier, clips: LabelledClips) -> Float[Tensor, " clip"]:
    """The lowest level, over the masking threshold, at which the psychoacoustic attack succeeds."""
    rng, levels = generator(SEED, clips.labels.device), []
    for x, y in zip(clips.waveforms.split(BATCH), clips.labels.split(BATCH), strict=True):
        found = smallest_levels(classifier, x, Misclassification(y), HIDING, rng=rng)
        levels.append(found.level_db)
    return torch.cat(levels)


def holds_no_other_file(peaks: Float[Tensor, " clip"], level_db: float) -> Bool[Tensor, " clip"]:
    """Whether a 16-bit clip's linf ball at a level holds no other 16-bit clip."""
    return peaks * amplitude(level_db) < STEP_16_BIT


# --- the page ------------------------------------------------------------------------------------


def _page(command: str, rows: list[dict], peaks: Tensor, picture: str) -> str:
    linf, l2, masking = MEASURED
    assert linf.attack and masking.attack

    def levels(threat: Measured, key: str) -> str:
        sign = "+" if threat.norm.needs_threshold else ""
        head = ["classifier", "clean", *(f"{db:{sign}.0f}" for db in threat.levels_db)]
        name = threat.norm.name
        return table(
            head,
            [
                [
                    r["classifier"],
                    *map(percent, (r["clean"], *r["norms"][name][key].values())),
                ]
                for r in rows
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

{levels(linf, "crown")}

### Verified accuracy, intervals alone

{levels(linf, "interval")}

### Robust accuracy under PGD: what no proof can exceed

{levels(linf, "robust")}

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
([training-notes.md](training-notes.md)).

### Verified accuracy, CROWN-IBP

{levels(masking, "crown")}

### Robust accuracy under PGD, projected onto the set, and the psychoacoustic attack together

{levels(masking, "robust")}

### Robust accuracy under the psychoacoustic attack alone

{levels(masking, "hidden")}

## L2: {L2.words.unit}

### Verified accuracy, CROWN-IBP

{levels(l2, "crown")}

## Provability of the correct clips, beside the published

The published verifiers prove another network of the same task: an LSTM on MFCC that was not \
trained for certification (clean accuracy 85.3 %). Their numbers are those of the papers.

{_published(rows)}

## Time per clip, in ms

To verify the whole split at one level, front end and threshold included.

{_times(rows)}

Three training runs of each recipe, with mean and spread: [seeds.md](seeds.md).
"""


def _published(rows: list[dict]) -> str:
    head = ["verifier or classifier", *(f"{db:.0f}" for db in PUBLISHED_DB), "s per clip"]
    ours = [
        [
            f"{r['classifier']}, CROWN-IBP",
            *map(percent, r["norms"][LINF.name]["published"].values()),
            f"{r['seconds']['linf, crown']:.3f}",
        ]
        for r in rows
    ]
    return table(head, [[name, *numbers] for name, numbers in PUBLISHED.items()] + ours)


def _frames(rows: list[dict]) -> str:
    return ", ".join(f"{r['frame_ms']:.0f} ms ({r['classifier']})" for r in rows)


def _times(rows: list[dict]) -> str:
    return table(
        ["classifier", *rows[0]["seconds"]],
        [[r["classifier"], *(f"{1e3 * s:.1f}" for s in r["seconds"].values())] for r in rows],
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


def _pareto(rows: Sequence[dict]) -> str:
    points = {
        r["classifier"]: (100 * r["clean"], 100 * r["norms"][LINF.name]["crown"][f"{PARETO_DB:g}"])
        for r in rows
    }
    return scatter_svg(points, "clean accuracy (%)", f"verified at {PARETO_DB:.0f} dB (%)")
