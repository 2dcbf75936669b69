"""What the Listen tab asks for, and says, before a test is opened."""

from robustaudio.listening.store import JsonLinesStore, MemoryStore
from robustaudio.ui import listen


def test_every_procedure_starts_at_a_length_of_its_own():
    lengths = {kind: listen._length(kind) for kind in listen.TESTS.values()}
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
