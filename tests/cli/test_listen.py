"""The verbs of `listen`: plan, analyse, purge, and their errors in one sentence."""

import json
import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from listening.small_study import small_study

from robustaudio.cli import listen, main
from robustaudio.listening.analysis.by_paradigm import GroupFit, ListenerFit, ThresholdResult
from robustaudio.listening.analysis.thresholds import Criteria, Threshold
from robustaudio.listening.design.forced_choice import TWO_INTERVALS
from robustaudio.listening.design.trial import Condition
from robustaudio.listening.run.json_lines import JsonLinesStore
from robustaudio.listening.run.open_store import open_store
from robustaudio.listening.run.store import STUDY, Event
from robustaudio.listening.web import feedback

QUEST = "{kind: quest, trials: 12, practice: 1, catch_every: 6}"


@pytest.mark.parametrize(
    ("sign", "ends", "told"),
    [("=", (-50.0, -30.0), "-40.0"), ("<=", (None, -38.0), "≤ -40.0"), (">=", (-41.0, None), "≥")],
)
def test_a_bound_is_told_as_one_and_a_single_listener_with_their_own_interval(sign, ends, told):
    own = Threshold(sign, -40.0, *ends)
    fitted = ListenerFit(16, Criteria(own, own), None, 1.75, 0.02, [], [])
    mean = replace(own, lower_db=None)
    result = ThresholdResult(
        paradigm=TWO_INTERVALS,
        condition=Condition("c", "white"),
        listeners={"a": fitted},
        group=GroupFit(Criteria(mean, mean), [], []),
    )
    line = listen.row(result)
    assert line["threshold_db"].startswith(told)
    assert [line["lower_db"], line["upper_db"]] == ["-" if e is None else str(e) for e in ends]
    assert ("−50 dB to −30 dB" in feedback.in_words(result)) == (sign == "=")
    none = replace(result.group, thresholds=Criteria(None, None))
    two = {"a": fitted, "b": fitted}
    line = listen.row(replace(result, listeners=two, group=none))
    assert [line[end] for end in ("threshold_db", "lower_db", "upper_db")] == ["-"] * 3


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
    "where",
    ["", " ", "x://", "://", "sqlite://", "sqlite:///", "sqlite:///:memory:", "hub://", ":",
     "postgresql://", "postgresql+psycopg://u:secret@h:port/x", "sqlite:x.db", "~/answers", "a\0b"],
)  # fmt: skip
def test_a_word_that_names_no_store_is_refused_with_the_forms_that_are_known(where, tmp_path):
    for create in (True, False):
        with pytest.raises(ValueError, match="names no store; a folder, sqlite:///FILE,") as told:
            open_store(where, create=create)
        assert "secret" not in str(told.value)


def test_a_folder_of_any_name_is_a_store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sqlite:x").mkdir()
    for where in ("answers", "./a/b", "..", str(tmp_path), "C:x", "sqlite:x"):
        assert isinstance(open_store(where), JsonLinesStore)
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="the store file is a file; a folder, sqlite"):
        open_store("file")
