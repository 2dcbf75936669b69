"""Exports are tidy, complete and without anything personal; words say what may be concluded."""

import csv
import io
import json
import re
import socket
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from listening.small_study import small_study

from robustaudio import cli_listen
from robustaudio.cli import main
from robustaudio.listening.design.study_file import parse
from robustaudio.listening.design.trial import Response, to_record
from robustaudio.listening.run import export
from robustaudio.listening.run.host import Host
from robustaudio.listening.run.json_lines import JsonLinesStore
from robustaudio.listening.run.session import new_code, session_of, start
from robustaudio.listening.run.store import STUDY, Event, MemoryStore
from robustaudio.listening.simulated_listeners import HOW, Listener
from robustaudio.listening.simulated_study import simulate
from robustaudio.listening.web import feedback, http

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
    made = again.stimuli.facts(row["condition"], row["level_db"])
    assert made["stimulus_sha256"] == row["stimulus_sha256"]


def test_the_level_as_played_is_in_every_row():
    loud = "{kind: quest, trials: 4, audible_db: 20}"
    room, _ = Host(MemoryStore()).open(small_study(procedure=loud))
    simulate(room, [Listener(-10.0)], seed=0)
    table = list(csv.DictReader(io.StringIO(export.as_csv(export.tidy(room)))))
    row = next(row for row in table if row["kind"] == "test")
    told = ("rms_dbfs_before_gain", "study_gain_db", "gain_db")
    clean, perturbed = (
        room.study.stimuli.render(row["condition"], level_db).astype(float)
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
    assert feedback.pooled(room)["analysis"]["results"]


@pytest.mark.parametrize(
    ("sign", "ends", "told"),
    [("=", (-50.0, -30.0), "-40.0"), ("<=", (None, -38.0), "≤ -40.0"), (">=", (-41.0, None), "≥")],
)
def test_a_bound_is_told_as_one_and_a_single_listener_with_their_own_interval(sign, ends, told):
    own = {"sign": sign, "level_db": -40.0, "lower_db": ends[0], "upper_db": ends[1]}
    group = {"listeners": 1, "thresholds": {"correct_79": own | {"lower_db": None}}}
    listeners = {"a": {"thresholds": {"correct_79": own}}}
    result = {"condition": "c", "paradigm": "2afc", "listeners": listeners, "group": group}
    line = cli_listen._told(result)
    assert line["threshold_db"].startswith(told)
    assert [line["lower_db"], line["upper_db"]] == ["-" if e is None else str(e) for e in ends]
    assert ("−50 dB to −30 dB" in feedback.in_words(result)) == (sign == "=")
    group["thresholds"]["correct_79"] = None
    line = cli_listen._told(result | {"listeners": listeners | {"b": {}}})
    assert [line[end] for end in ("threshold_db", "lower_db", "upper_db")] == ["-"] * 3


def test_nothing_is_told_before_the_end(room):
    code = new_code()
    room.store.append(start(room.token, session_of(code)))
    with pytest.raises(ValueError, match="told when every question is answered"):
        feedback.own_result(room, code)
    found = feedback.pooled(room)
    assert (found["begun"], found["finished"]) == (3, 2)
    assert found["analysis"]["listeners"] == 2  # who is in the middle has said too little


def test_words_claim_no_more_than_was_shown():
    own = {"correct": 12, "trials": 16, "verdict": "heard", "upper": 0.9}
    heard = feedback._of_abx("c", own)
    assert heard == "c: 12 of 16 right. That is more often right than guessing explains."
    not_shown = feedback._of_abx("c", own | {"verdict": "undecided", "upper": 0.72})
    assert "does not show that you cannot hear it: up to 72 %" in not_shown
    bound = {"sign": "<=", "level_db": -60.0, "lower_db": None, "upper_db": -60.0}
    words = feedback._of_threshold("c", bound)
    assert words == "c: your threshold lies at or below the softest level, −60 dB."
    words = feedback._of_threshold("c", bound | {"sign": ">=", "level_db": 0.0})
    assert words == "c: your threshold lies at or above the loudest level, 0 dB."


@pytest.mark.parametrize(
    ("mean", "words"),
    [
        (-0.84, "your grades were 0.8 below the clean clip's"),
        (0.3, "your grades were 0.3 above the clean clip's"),
        (-0.04, "your grades were the same as the clean clip's"),
    ],
)
def test_a_grade_above_the_clean_clips_is_told_too(mean, words):
    result = {"condition": "c", "level_db": -20.0, "paradigm": "impairment"}
    assert words in feedback._sentence(result, {"mean": mean})


def pooled_words(procedure: str, listeners: list[Listener]) -> str:
    room, _ = Host(MemoryStore()).open(small_study(procedure=procedure))
    simulate(room, listeners, seed=0)
    return feedback.in_words(feedback.pooled(room)["analysis"]["results"][0])


def test_a_group_is_told_its_p_once_and_when_it_is_small():
    abx = "{kind: abx, levels_db: [-20], trials: 8, practice: 0, catch_every: 0}"
    few = pooled_words(abx, [Listener(-20.0), Listener(-22.0)])
    assert re.match(r"2 listeners\. \d+ of 16 right\. ", few) and few.count("p = ") == 1
    assert few.endswith("So few listeners say little about others.")
    many = pooled_words(abx, [Listener(-60.0, lapse_rate=n / 20) for n in range(9)])
    assert many.startswith("9 listeners.") and many.endswith("Heard (adjusted p < 0.001).")


def test_grades_are_told_with_their_unit():
    words = pooled_words(MUSHRA, [Listener(-30.0)] * 5)
    assert words == "5 listeners. Mean grades, from 0 (bad) to 100 (excellent)."
    words = pooled_words(IMPAIRMENT, [Listener(-30.0)])
    assert words.startswith("1 listener. Mean grades, from 1 to 5, less the hidden reference's: 0")


def answered(procedure: str, answer) -> list[str]:
    """What a listener is told who gives `answer(trial, how many of its kind came before)`."""
    room, _ = Host(MemoryStore()).open(small_study(procedure=procedure))
    code, responses = new_code(), []
    name = session_of(code)
    begun = start(room.token, name)
    room.store.append(begun)
    room.store.append(Event(room.token, name, "sound", 0, {"sample_rate": 48_000, "gain_db": -20}))
    while trial := room.study.procedure.next(responses, begun.data["seed"]):
        before = sum((r.trial.kind, r.trial.level_db) == (trial.kind, trial.level_db)
                     for r in responses)  # fmt: skip
        responses.append(Response(trial, answer(trial, before), **HOW))
        event = Event(room.token, name, "trial", trial.number, to_record(responses[-1]))
        room.store.append(event)
    return feedback.own_result(room, code)["lines"]


def test_one_good_score_of_six_is_not_called_heard():
    """12 of 16 at one level has p = .038, but p_holm = .23 of six: guessing brings one so good."""
    levels = [-60, -55, -50, -45, -40, -35]
    procedure = f"{{kind: abx, levels_db: {levels}, trials: 16, practice: 0, catch_every: 0}}"
    right = {level: 12 if level == -35 else 8 for level in levels}
    lines = answered(procedure, lambda trial, n: (trial.right + (n >= right[trial.level_db])) % 2)
    (best,) = (line for line in lines if "12 of 16" in line)
    assert "Guessing alone may be right that often" in best and len(lines) == 6


def test_each_rule_of_exclusion_has_its_own_sentence():
    mushra = "{kind: mushra, levels_db: [-40, -10], practice: 0, repeats: 3}"
    graded, ruled = answered(mushra, lambda trial, n: tuple(50.0 for _ in trial.intervals))
    assert "one of the sounds was the reference itself, unmarked: you graded" in graded
    assert "fixed beforehand" in ruled and "easy" not in graded
    abx = "{kind: abx, levels_db: [-20], trials: 12, practice: 0, catch_every: 4}"
    missed, _ = answered(abx, lambda trial, n: (trial.right + (trial.kind == "catch")) % 2)
    assert re.search(r"trials were easy.*: (\d) of your \1 answers to them were wrong", missed)
    assert "catch" not in missed


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
    assert "seven · white" in text and "threshold_db" in text and "simulated   3" in text
    assert {p.name for p in out.iterdir()} == {
        "rows.csv", "rows.json", "analysis.json", "curve-1.svg",
    }  # fmt: skip
    assert (out / "curve-1.svg").read_text().startswith("<svg")


def test_errors_in_one_sentence(study_file, tmp_path, capsys):
    assert main(["listen", "analyse", str(tmp_path / "none")]) == 2
    assert f"there is no folder {tmp_path / 'none'}." in capsys.readouterr().err
    assert main(["listen", "analyse", str(tmp_path)]) == 2
    assert "say which study of the store by --study TOKEN; none is open" in capsys.readouterr().err
    assert main(["listen", "analyse", f"sqlite:///{tmp_path}/typo.db"]) == 2
    assert "there is no database" in capsys.readouterr().err
    assert not (tmp_path / "typo.db").exists()
    assert main(["listen", "serve", study_file, "--store", "/proc/answers", "--port=0"]) == 2
    assert "/proc/answers cannot be written to" in capsys.readouterr().err
    assert main(["listen", "simulate", study_file, "--listeners", "0"]) == 2
    assert "--listeners 0 must be from 1 to 2000" in capsys.readouterr().err
    assert main(["listen", "serve", study_file, "--port", "99999"]) == 2
    assert "--port 99999 must be from 0 (any that is free) to 65535" in capsys.readouterr().err
    assert main(["listen", "serve", str(tmp_path / "none.yaml")]) == 2
    assert "none.yaml is not there" in capsys.readouterr().err


def test_where_another_server_listens_no_link_is_printed(study_file, tmp_path, capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port, store = str(other.getsockname()[1]), str(tmp_path / "answers")
        assert main(["listen", "serve", study_file, "--port", port, "--store", store]) == 2
    told = capsys.readouterr()
    assert f"nothing can be served at 127.0.0.1, port {port}: Address already" in told.err
    assert "/listen/" not in told.err + told.out and not (tmp_path / "answers").exists()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--spread=0", "spread 0 dB must be from 0.001 to 300 dB"),
        ("--spread=inf", "spread inf dB must be from 0.001 to 300 dB"),
        ("--lapse=1.5", "lapse 1.5 must be from 0 to 0.5"),
        ("--lapse=-1", "lapse -1 must be from 0 to 0.5"),
        ("--between=-3", "between -3 dB must be from 0 to 50 dB"),
        ("--between=nan", "between nan dB must be from 0 to 50 dB"),
        ("--threshold=nan", "threshold nan dB must lie within"),
    ],
)
def test_impossible_listeners_are_refused(study_file, capsys, option, message):
    assert main(["listen", "simulate", study_file, option]) == 2
    assert message in capsys.readouterr().err


def test_what_is_over_is_named_and_not_read_until_it_is_purged(study_file, tmp_path, capsys):
    folder, store = tmp_path / "answers", str(tmp_path / "answers")
    for _ in range(2):
        assert main(["listen", "simulate", study_file, "--listeners=1", "--store", store]) == 0
    over, still_open = JsonLinesStore(folder).studies()
    past = {"at": (datetime.now(UTC) - timedelta(hours=1)).isoformat(timespec="seconds")}
    JsonLinesStore(folder).append(Event(over, STUDY, "expires", 9, past))
    kept = sorted(folder.rglob("*.jsonl"))
    assert main(["listen", "analyse", store]) == 0
    told = capsys.readouterr()
    assert f"study {over} ended at 20" in told.err and "is not read" in told.err
    assert main(["listen", "analyse", store, "--study", over]) == 2
    assert f"open are {still_open}" in capsys.readouterr().err
    assert sorted(folder.rglob("*.jsonl")) == kept  # to look at a store changes nothing
    assert main(["listen", "purge", store, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"deleted": [over]}
    assert JsonLinesStore(folder).studies() == [still_open]
    JsonLinesStore(folder).append(Event(still_open, STUDY, "expires", 9, past))
    assert main(["listen", "analyse", store]) == 2
    assert "none is open" in capsys.readouterr().err


def test_a_purge_that_fails_says_so(study_file, tmp_path, capsys, monkeypatch):
    store = str(tmp_path / "answers")
    assert main(["listen", "simulate", study_file, "--listeners=1", "--store", store]) == 0
    (token,) = JsonLinesStore(tmp_path / "answers").studies()
    past = {"at": (datetime.now(UTC) - timedelta(hours=1)).isoformat(timespec="seconds")}
    JsonLinesStore(tmp_path / "answers").append(Event(token, STUDY, "expires", 9, past))
    monkeypatch.setattr(JsonLinesStore, "delete", lambda *_: (tmp_path / "x" / "y").touch())
    assert main(["listen", "purge", store]) == 2
    assert f"{token} could not be deleted; try again" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("host", "routed", "reachable"),
    [
        ("127.0.0.1", None, "127.0.0.1"),
        ("::1", None, "[::1]"),
        ("0.0.0.0", "192.168.7.9", "192.168.7.9"),
        ("::", "fd00::9", "[fd00::9]"),
        ("0.0.0.0", None, "this-host"),
    ],
)
def test_the_printed_link_holds_an_address_of_the_network(host, routed, reachable, monkeypatch):
    class Probe:
        def __init__(self, family, kind) -> None:
            assert kind == http.socket.SOCK_DGRAM  # whose connect sends nothing

        def __enter__(self):
            return self

        def __exit__(self, *_) -> None: ...

        def connect(self, _) -> None:
            if routed is None:
                raise OSError("Network is unreachable")

        def getsockname(self):
            return routed, 40_000

    monkeypatch.setattr(http.socket, "socket", Probe)
    monkeypatch.setattr(http.socket, "gethostname", lambda: "this-host")
    assert http.reachable(host) == reachable
