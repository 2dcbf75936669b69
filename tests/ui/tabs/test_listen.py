"""What the Listen tab asks for, and says, before a test is opened."""

import json

import pytest
from listening.small_study import small_study

from robustaudio.audio.clip import Clip
from robustaudio.audio.datasets import BUNDLED
from robustaudio.listening.run.host import Host
from robustaudio.listening.run.json_lines import JsonLinesStore
from robustaudio.listening.run.store import MemoryStore
from robustaudio.listening.simulated_listeners import Listener
from robustaudio.listening.simulated_study import simulate
from robustaudio.ui.tabs import listen


def test_every_procedure_starts_at_a_length_of_its_own():
    lengths = {kind: listen._length(kind) for _, kind in listen.TESTS}
    assert {kind: length.get("value") for kind, length in lengths.items()} == {
        "abx": 16, "quest": 40, "staircase": 12, "impairment": None,
    }  # fmt: skip
    assert lengths["staircase"]["label"] == "Reversals of each"
    assert not lengths["impairment"]["visible"]
    options = listen._options("staircase", -40.0, 8, 0.0)
    assert options == {"kind": "staircase", "reversals": 8, "audible_db": 0.0}


def test_the_tab_counts_practice_and_catch_trials():
    assert "About 24 questions" in listen._questions("abx", ["white"], 16)
    assert "About 92 questions" in listen._questions("quest", ["white", "shaped"], 40)
    assert "About 14 questions" in listen._questions("impairment", ["a", "b"], 16)
    assert listen._questions("abx", [], 16) == ""


def test_where_nothing_can_be_stored_the_tab_says_so(tmp_path):
    always = listen._demo(MemoryStore())
    assert always["value"] and always["interactive"] is False
    assert "this server keeps answers in memory only" in always["info"]
    assert "interactive" not in listen._demo(JsonLinesStore(tmp_path))


def test_controls_that_do_nothing_are_hidden_and_added_levels_said():
    shown = {kind: listen._level(kind)["visible"] for _, kind in listen.TESTS}
    assert shown == {"abx": True, "quest": False, "staircase": False, "impairment": True}
    assert "10 and 20 dB above it are graded, too" in listen._level("impairment")["info"]
    assert listen._options("impairment", -40, 0, 0)["levels_db"] == [-40, -30, -20]


@pytest.mark.parametrize("demo", [False, True])
def test_the_ruler_takes_the_answers_of_the_own_test_only(tmp_path, demo):
    rooms = Host(JsonLinesStore(tmp_path / "answers"))
    study = small_study(procedure="{kind: quest, trials: 6, audible_db: 0}")
    room, key = rooms.open(study, demo=demo)
    opened = {"token": room.token, "key": key}
    with pytest.raises(ValueError, match="nobody has finished the test yet"):
        listen.answers_of(rooms, opened, tmp_path)
    simulate(room, [Listener(-40.0)], seed=0)
    path = listen.answers_of(rooms, opened, tmp_path)
    assert path.name == ("analysis.json" if demo else "rows.json")
    assert ("rows" in json.loads(path.read_text())) != demo
    strangers = [None, {}, 3, {"token": room.token}, opened | {"key": "x"}, opened | {"token": [1]}]
    for other in [*strangers, opened | {"key": None}, {"token": "none", "key": key}]:
        with pytest.raises(ValueError, match="you have no open test"):
            listen.answers_of(rooms, other, tmp_path)
    rooms.close(room.token)
    with pytest.raises(ValueError, match="you have no open test"):
        listen.answers_of(rooms, opened, tmp_path)


def test_only_an_attack_is_of_a_model():
    clip = Clip.load(BUNDLED / "seven-slt.wav")
    options = listen._options("abx", -20.0, 16, 0.0)
    study = listen.study_of("seven", clip, "digits-cnn", None, ["white"], options)
    assert study.model.name is None
