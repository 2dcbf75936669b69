"""Exports are tidy, complete and without anything personal; words say what may be concluded."""

import csv
import io
import json

import pytest
from listening.small_study import small_study

from robustaudio.cli import main
from robustaudio.listening import outcome, rows
from robustaudio.listening.rooms import Rooms
from robustaudio.listening.session import new_code, session_of, start
from robustaudio.listening.simulated import simulate
from robustaudio.listening.simulation import Listener
from robustaudio.listening.store import JsonLinesStore, MemoryStore
from robustaudio.listening.study_file import parse

QUEST = "{kind: quest, trials: 12, practice: 1, catch_every: 6}"
MUSHRA = "{kind: mushra, levels_db: [-40, -10], practice: 0}"
IMPAIRMENT = "{kind: impairment, levels_db: [-40, -10], repeats: 1, practice: 0}"
# what the research notes ask of every row, by the names that it has here
FIELDS = {
    "schema_version", "app_version", "study", "listener", "trial", "paradigm", "condition",
    "stimulus_sha256", "family", "level_db", "l2", "linf", "rms_dbfs", "snr_db", "sigma",
    "model_certified_radius", "model_alpha", "model_n", "model_name", "intervals", "right",
    "correct", "answer", "response_time_s", "plays", "switches", "kind", "sample_rate", "device",
    "gain_db", "passed", "unscreened", "hour", "seed", "consent_version", "ended",
}  # fmt: skip


@pytest.fixture
def room():
    model = "{name: digits-cnn, certified_radius: 0.125, alpha: 0.001, n: 10000}"
    room, _ = Rooms(MemoryStore()).open(small_study(procedure=QUEST, model=model))
    simulate(room, [Listener(-40.0), Listener(-30.0)], seed=3)
    return room


def test_a_row_per_trial_with_every_field(room):
    table = list(csv.DictReader(io.StringIO(rows.as_csv(rows.tidy(room)))))
    sessions = room.sessions()
    assert len(table) == sum(len(session.responses) for session in sessions.values())
    assert set(table[0]) >= FIELDS
    assert {row["listener"] for row in table} == set(sessions)
    for row in table:
        assert float(row["snr_db"]) == pytest.approx(-float(row["level_db"]), abs=1e-6)
        assert row["model_certified_radius"] == "0.125" and row["family"] == "white"
        assert len(row["stimulus_sha256"]) == 64


def test_json_holds_the_study_from_which_each_stimulus_is_made_again(room):
    told = json.loads(rows.as_json(room, rows.tidy(room)))
    again = parse(json.dumps(told["study"]), None)
    row = told["rows"][-1]
    made = again.stimuli.facts(row["condition"], row["level_db"])
    assert made["stimulus_sha256"] == row["stimulus_sha256"]


@pytest.mark.parametrize("procedure", [MUSHRA, IMPAIRMENT])
def test_ratings_have_a_row_per_item(procedure):
    room, _ = Rooms(MemoryStore()).open(small_study(procedure=procedure))
    simulate(room, [Listener(-30.0)], seed=0)
    table = rows.tidy(room)
    assert len(table) == (3 if procedure == MUSHRA else 4)
    assert {row["level_db"] for row in table} == {None, -40.0, -10.0}
    assert outcome.pooled(room)["analysis"]["results"]


def test_nothing_is_told_before_the_end(room):
    code = new_code()
    room.store.append(start(room.token, session_of(code)))
    with pytest.raises(ValueError, match="told when every question is answered"):
        outcome.own_result(room, code)
    found = outcome.pooled(room)
    assert (found["begun"], found["finished"]) == (3, 2)
    assert found["analysis"]["listeners"] == 2  # who is in the middle has said too little


def test_words_claim_no_more_than_was_shown():
    heard = outcome._of_abx("c", {"correct": 12, "trials": 16, "p": 0.0384, "upper": 0.9})
    assert "12 of 16 right" in heard and "3.8%" in heard and "very probably heard" in heard
    not_shown = outcome._of_abx("c", {"correct": 8, "trials": 16, "p": 0.6, "upper": 0.72})
    assert "neither that you heard it nor that you cannot" in not_shown and "72%" in not_shown
    bound = {"sign": "<=", "level_db": -60.0, "lower_db": None, "upper_db": -60.0}
    assert outcome._of_threshold("c", bound) == "c: you heard even the softest, at −60 dB."


@pytest.fixture
def study_file(tmp_path):
    path = tmp_path / "study.json"
    path.write_text(json.dumps(small_study(procedure=QUEST).record()))
    return str(path)


def test_simulate_then_analyse(study_file, tmp_path, capsys):
    store, out = str(tmp_path / "answers"), tmp_path / "out"
    options = ["--listeners", "3", "--threshold=-35", "--lapse", "0", "--store", store, "--json"]
    assert main(["listen", "simulate", study_file, *options]) == 0
    plan = json.loads(capsys.readouterr().out)
    (condition,) = plan["conditions"]
    assert plan["listeners"] == condition["listeners"] == 3 and abs(condition["bias_db"]) < 5
    kept = JsonLinesStore(tmp_path / "answers")
    (token,) = kept.studies()
    assert len(kept.sessions(token)) == 3
    assert main(["listen", "analyse", store, "--output", str(out)]) == 0
    text = capsys.readouterr().out
    assert "seven · white" in text and "threshold_db" in text
    assert {p.name for p in out.iterdir()} == {
        "rows.csv", "rows.json", "analysis.json", "curve-1.svg",
    }  # fmt: skip
    assert (out / "curve-1.svg").read_text().startswith("<svg")


def test_errors_in_one_sentence(study_file, tmp_path, capsys):
    assert main(["listen", "analyse", str(tmp_path / "none")]) == 2
    assert "say which study of the store by --study TOKEN; it holds none" in capsys.readouterr().err
    assert main(["listen", "simulate", study_file, "--listeners", "0"]) == 2
    assert "--listeners 0 must be 1 or more" in capsys.readouterr().err
    assert main(["listen", "serve", str(tmp_path / "none.yaml")]) == 2
    assert "cannot be read as text" in capsys.readouterr().err
