"""Exports are tidy, complete and without anything personal."""

import csv
import io
import json

import numpy as np
import pytest
from listening.small_study import small_study

from robustaudio.listening.design.study_file import parse
from robustaudio.listening.design.trial import Condition
from robustaudio.listening.run import export
from robustaudio.listening.run.host import Host
from robustaudio.listening.run.store import MemoryStore
from robustaudio.listening.simulated_listeners import Listener
from robustaudio.listening.simulated_study import simulate
from robustaudio.listening.web import feedback

QUEST = "{kind: quest, trials: 12, practice: 1, catch_every: 6}"
MUSHRA = "{kind: mushra, levels_db: [-40, -10], practice: 0}"
IMPAIRMENT = "{kind: impairment, levels_db: [-40, -10], repeats: 1, practice: 0}"
# what the research notes ask of every row, by the names that it has here
FIELDS = {
    "schema_version", "app_version", "study", "listener", "trial", "paradigm", "condition",
    "stimulus_sha256", "family", "level_db", "l2", "linf", "rms_dbfs_before_gain", "snr_db",
    "sigma", "study_gain_db",
    "model_certified_radius", "model_alpha", "model_n", "model_name", "intervals", "right",
    "correct", "answer", "response_time_s", "plays", "switches", "kind", "sample_rate", "device",
    "gain_db", "passed", "unscreened", "hour", "seed", "consent_version", "ended",
}  # fmt: skip


@pytest.fixture
def room():
    model = "{name: digits-cnn, certified_radius: 0.125, alpha: 0.001, n: 10000}"
    room, _ = Host(MemoryStore()).open(small_study(procedure=QUEST, model=model))
    simulate(room, [Listener(-40.0), Listener(-30.0)], seed=3)
    return room


def test_a_row_per_trial_with_every_field(room):
    table = list(csv.DictReader(io.StringIO(export.as_csv(export.tidy(room)))))
    sessions = room.sessions()
    assert len(table) == sum(len(session.responses) for session in sessions.values())
    assert set(table[0]) >= FIELDS
    assert {row["listener"] for row in table} == set(sessions)
    for row in table:
        assert float(row["snr_db"]) == pytest.approx(-float(row["level_db"]), abs=1e-6)
        assert row["model_certified_radius"] == "0.125" and row["family"] == "white"
        assert len(row["stimulus_sha256"]) == 64


def test_json_holds_the_study_from_which_each_stimulus_is_made_again(room):
    told = json.loads(export.as_json(room, export.tidy(room)))
    again = parse(json.dumps(told["study"]), None)
    row = told["rows"][-1]
    made = again.stimuli.facts(Condition(row["clip"], row["family"]), row["level_db"])
    assert made["stimulus_sha256"] == row["stimulus_sha256"]


def test_the_level_as_played_is_in_every_row():
    loud = "{kind: quest, trials: 4, audible_db: 20}"
    room, _ = Host(MemoryStore()).open(small_study(procedure=loud))
    simulate(room, [Listener(-10.0)], seed=0)
    table = list(csv.DictReader(io.StringIO(export.as_csv(export.tidy(room)))))
    row = next(row for row in table if row["kind"] == "test")
    told = ("rms_dbfs_before_gain", "study_gain_db", "gain_db")
    clean, perturbed = (
        room.study.stimuli.render(Condition(row["clip"], row["family"]), level_db).astype(float)
        for level_db in (None, float(row["level_db"]))
    )
    length = len(room.study.clips[0].clip.samples) / room.study.clips[0].clip.sample_rate * 48_000
    rms = np.sqrt(((perturbed - clean) ** 2).sum() / length)
    played_db = 20 * np.log10(rms) + float(row["gain_db"])  # but for the fades
    assert sum(float(row[name]) for name in told) == pytest.approx(played_db, abs=0.5)
    assert float(row["study_gain_db"]) < -1


@pytest.mark.parametrize("procedure", [MUSHRA, IMPAIRMENT])
def test_ratings_have_a_row_per_item(procedure):
    room, _ = Host(MemoryStore()).open(small_study(procedure=procedure))
    simulate(room, [Listener(-30.0)], seed=0)
    table = export.tidy(room)
    assert len(table) == (3 if procedure == MUSHRA else 4)
    assert {row["level_db"] for row in table} == {None, -40.0, -10.0}
    assert feedback.pooled(room).analysis.results
