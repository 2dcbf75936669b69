"""The rows of a data set are the same whatever the batches, the order, kills and workers."""

import os
import signal
import threading
import time
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
import torch
from torch import nn

from robustaudio.attacks import APGD, PGD, Genetic, RandomSearch
from robustaudio.certification.smoothing import Smoothing
from robustaudio.classifiers.classifier import Classifier
from robustaudio.evaluation.attack import AttackLevels, Plan, attack_levels
from robustaudio.evaluation.batch import LabelledBatch, generators, seed_of
from robustaudio.evaluation.certify import CertifyRadii, certify_radii
from robustaudio.evaluation.engine import Asked, run
from robustaudio.evaluation.noise import NoiseLevels, noise_levels
from robustaudio.evaluation.predict import Predicting, predict_labels
from robustaudio.evaluation.results import to_json
from robustaudio.evaluation.smallest import SmallestLevels, attack_smallest
from robustaudio.evaluation.verify import VerifyLevels, verify_levels
from robustaudio.threats.norms import L2, LINF

LENGTH, CLIPS = 256, 7


def linear(seed: int = 0) -> Classifier:
    """A classifier of one dense layer: batches of any size round alike, nearly."""
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Linear(LENGTH, 3))
    made = Classifier({}, network, labels=("a", "b", "c"), sample_rate=8_000, length=LENGTH)
    return made.eval()


def clips() -> LabelledBatch:
    waveforms = torch.rand(CLIPS, LENGTH, generator=torch.Generator().manual_seed(1)) * 2 - 1
    waveforms = waveforms / waveforms.abs().amax(1, keepdim=True)
    return LabelledBatch(
        dataset="made", split="test", waveforms=waveforms, labels=torch.arange(CLIPS) % 3,
        names=tuple(f"{n}.wav" for n in range(CLIPS)),
    )  # fmt: skip


MEASURES = {
    "predict": (predict_labels, Predicting()),
    "noise": (noise_levels, NoiseLevels((0.05, 0.3))),
    "verify": (verify_levels, VerifyLevels(LINF, (-60.0, -30.0))),
    "certify": (certify_radii, CertifyRadii(Smoothing(n0=10, n=100), (0.1,))),
    "PGD": (attack_levels, AttackLevels(Plan(PGD(steps=5, restarts=2)), (-30.0, -20.0))),
    "PGD in l2": (attack_levels, AttackLevels(Plan(PGD(steps=5), L2), (-25.0,), True)),
    "APGD": (attack_smallest, SmallestLevels(Plan(APGD(steps=5)), (-30.0,), True)),
    "genetic": (
        attack_levels, AttackLevels(Plan(Genetic(queries=40, domain="waveform")), (-15.0,)),
    ),
    "random search": (
        attack_smallest, SmallestLevels(Plan(RandomSearch(queries=40)), (-15.0,)),
    ),
}  # fmt: skip
EACH = pytest.mark.parametrize("measure, asked", MEASURES.values(), ids=MEASURES)


def numbers(rows) -> list:
    """Rows to be compared: times apart, numbers up to rounding."""
    records = [{k: v for k, v in to_json(row).items() if k != "seconds"} for row in rows]
    return [
        {k: pytest.approx(v, abs=1e-3) if isinstance(v, float) else v for k, v in record.items()}
        for record in records
    ]


def timeless(rows) -> list:
    return [{k: v for k, v in to_json(row).items() if k != "seconds"} for row in rows]


@EACH
def test_neither_the_batches_nor_the_order_change_a_number(measure, asked):
    classifier, batch = linear(), clips()
    whole = numbers(run(measure, classifier, batch, asked, seed=3))
    kind = type(asked)
    small = type("Small", (kind,), {"chunk": 2})(**vars(asked))
    assert timeless(run(measure, classifier, batch, small, seed=3)) == whole
    backwards = run(measure, classifier, batch[list(reversed(range(CLIPS)))], asked, seed=3)
    assert timeless(backwards)[::-1] == whole


@EACH
def test_a_killed_run_that_goes_on_has_the_numbers_of_a_whole_one(measure, asked, tmp_path):
    classifier, batch, path = linear(), clips(), tmp_path / "rows.jsonl"
    whole = numbers(run(measure, classifier, batch, asked, seed=3, rows=path))
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:3], lines[5][:20]]))
    again = run(measure, classifier, batch, asked, seed=3, rows=path)
    assert timeless(again) == whole
    assert len(path.read_text().splitlines()) == 1 + CLIPS


def test_another_seed_draws_otherwise_and_every_clip_by_itself():
    classifier, batch, asked = linear(), clips(), NoiseLevels((0.3,) * 20)
    same, other = (run(noise_levels, classifier, batch, asked, seed=seed) for seed in (0, 1))
    assert [row.after for row in same] != [row.after for row in other]
    seeds = {source.initial_seed() for source in generators(0, batch).each}
    assert len(seeds) == CLIPS and seed_of(5, "") == 5


@pytest.mark.parametrize("name", ["noise", "PGD", "certify"])
def test_workers_give_the_same_rows_and_the_same_file(name, tmp_path):
    measure, asked = MEASURES[name]
    classifier, batch, path = linear(), clips(), tmp_path / "rows.jsonl"
    whole = numbers(run(measure, classifier, batch, asked, seed=3))
    rows = run(measure, classifier, batch, asked, seed=3, rows=path, workers=2)
    assert timeless(rows) == whole
    assert len(path.read_text().splitlines()) == 1 + CLIPS
    alone = run(measure, classifier, batch, asked, seed=3, rows=path)
    assert timeless(alone) == timeless(rows)


@dataclass(frozen=True)
class MarkRow:
    """The process that measured a clip."""

    process: int
    seconds: float = 0.0


@dataclass(frozen=True)
class Marking(Asked):
    """Measures nothing, slowly; the first worker that finds `fatal` removes it and dies."""

    fatal: str

    row: ClassVar[type] = MarkRow
    chunk: ClassVar[int] = 1


def mark(classifier, batch, settings, generator, progress=None):
    time.sleep(0.05)
    if batch.names[0] == "error.wav":
        raise ValueError("this clip cannot be measured.")
    if os.path.exists(settings.fatal):
        os.remove(settings.fatal)
        os.kill(os.getpid(), signal.SIGKILL)
    return [MarkRow(os.getpid()) for _ in batch.names]


def test_a_worker_that_is_killed_costs_no_clip(tmp_path):
    fatal, path = tmp_path / "fatal", tmp_path / "rows.jsonl"
    fatal.write_text("")
    rows = run(mark, linear(), clips(), Marking(str(fatal)), rows=path, workers=2)
    assert not fatal.exists() and len(rows) == CLIPS
    assert os.getpid() not in {row.process for row in rows}
    assert len(path.read_text().splitlines()) == 1 + CLIPS


def test_an_error_of_a_worker_is_the_runs_and_what_was_measured_stays(tmp_path):
    batch, path = clips(), tmp_path / "rows.jsonl"
    bad = replace(batch, names=(*batch.names[:-1], "error.wav"))
    with pytest.raises(ValueError, match="this clip cannot be measured"):
        run(mark, linear(), bad, Marking(str(tmp_path / "none")), rows=path, workers=2)
    assert len(path.read_text().splitlines()) > 1


def test_ctrl_c_ends_the_workers_too(tmp_path):
    path = tmp_path / "rows.jsonl"

    def stop(share: float, step: object = None) -> None:
        if share > 0.2:
            raise KeyboardInterrupt

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        run(mark, linear(), clips(), Marking("none"), rows=path, workers=2, progress=stop)
    import multiprocessing

    deadline = time.monotonic() + 20
    while multiprocessing.active_children() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not multiprocessing.active_children() and threading.active_count() <= before
    assert 1 < len(path.read_text().splitlines()) < 1 + CLIPS
