"""Results of studies from anybody: every column is checked, time and memory are bounded."""

import json
import os

import pytest
from limited import run_limited
from listening.small_study import small_study

from robustaudio.audio.datasets import open_dataset
from robustaudio.evaluation.listening_study import (
    KNOWN,
    MOST_ROWS,
    Export,
    ListedAnalysis,
    read_results,
)
from robustaudio.listening.psychometric import fit
from robustaudio.listening.run import export
from robustaudio.listening.run.host import Host
from robustaudio.listening.run.store import MemoryStore
from robustaudio.listening.simulated_listeners import Listener
from robustaudio.listening.simulated_study import simulate
from robustaudio.listening.web import feedback

PROCEDURES = {
    "quest": "{kind: quest, trials: 6, practice: 1, catch_every: 4, audible_db: 0}",
    "staircase": "{kind: staircase, audible_db: 0, reversals: 4, max_trials: 30}",
    "abx": "{kind: abx, levels_db: [-20], trials: 6, practice: 1}",
    "mushra": "{kind: mushra}",
    "impairment": "{kind: impairment}",
}


@pytest.fixture(scope="module")
def left():
    """What two listeners leave of every procedure: export and analysis, as text."""
    found = {}
    for kind, procedure in PROCEDURES.items():
        families = "[white, shaped]" if kind != "abx" else "[white]"
        room, _ = Host(MemoryStore()).open(small_study(procedure=procedure, families=families))
        simulate(room, [Listener(-43.0)] * 2, seed=3)
        found[kind] = (
            export.as_json(room, export.tidy(room)),
            json.dumps(feedback.pooled(room).to_json()),
        )
    return found


@pytest.mark.parametrize("kind", PROCEDURES)
def test_what_a_study_leaves_is_read(left, kind, tmp_path):
    export, analysis = tmp_path / "rows.json", tmp_path / "analysis.json"
    export.write_text(left[kind][0])
    analysis.write_text(left[kind][1])
    read = read_results(export)
    assert isinstance(read, Export) and len(read.rows) == len(json.loads(left[kind][0])["rows"])
    assert isinstance(read_results(analysis), ListedAnalysis)
    known = {*KNOWN}
    rows = json.loads(left[kind][0])["rows"]
    assert {name for row in rows for name in row} == known  # no column goes unchecked


def changed(left, tmp_path, column, value, row=4, kind="quest"):
    told = json.loads(left[kind][0])
    told["rows"][row][column] = value
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(told))
    return path


WRONG = {
    "level_db": [1e7, -161, 41, "loud", True, [1], {}, float("nan"), float("inf"), 10**400, None],
    "correct": [1, "yes", None, 0.5],
    "answer": [2, -1, 0.5, "0", True, None, 10**400],
    "listener": [None, 3, "x" * 1_000, "\ud800", []],
    "kind": [None, "exam", []],
    "paradigm": [None, "4afc", "abx", {}],
    "condition": [None, "seven \u00b7 pink", "x" * 10_000, 3, []],
    "trial": [None, -1, 1.5, "1"],
    "ended": [None, 1, "true"],
    "response_time_s": [-1, 1e9, "fast"],
    "l2": ["far", float("nan"), []],
    "device": ["phone", 3],
    "seed": [-1, 1.5, 10**400],
}


@pytest.mark.parametrize(
    "column, value", [(column, value) for column, values in WRONG.items() for value in values]
)
def test_a_value_that_cannot_be_is_named_with_its_row_and_column(left, tmp_path, column, value):
    with pytest.raises(ValueError, match=r"rows\.json") as error:
        read_results(changed(left, tmp_path, column, value))
    sentence = str(error.value)
    assert "\n" not in sentence and len(sentence) < 400
    assert f"row 5: {column} " in sentence or "half a character" in sentence


@pytest.mark.parametrize("column", sorted(KNOWN))
@pytest.mark.parametrize("value", [{"a": [1]}, [[]], 10**4000, "\ud83d"])
def test_no_column_holds_just_anything(left, tmp_path, column, value):
    with pytest.raises(ValueError, match=r"rows\.json"):
        read_results(changed(left, tmp_path, column, value))


@pytest.mark.parametrize("column", ["level_db", "correct", "listener", "trial"])
def test_a_column_that_is_not_there_is_named(left, tmp_path, column):
    told = json.loads(left["quest"][0])
    del told["rows"][2][column]
    (tmp_path / "rows.json").write_text(json.dumps(told))
    with pytest.raises(ValueError, match=f"row 3 lacks {column}"):
        read_results(tmp_path / "rows.json")


def grown(left, change):
    told = json.loads(left["quest"][0])
    first = next(row for row in told["rows"] if row["kind"] == "test")
    return json.dumps({**told, "rows": [{**first, **change(n)} for n in range(20_000)]})


@pytest.mark.parametrize(
    "change, sentence",
    [
        (lambda n: {"level_db": -n / 1000}, "has 20000 rows of the listener"),
        (lambda n: {"listener": str(n)}, "has 20000 listeners; 2000 are the most"),
        (lambda n: {"condition": str(n)}, "row 1: condition '0' is none of the study's"),
        (lambda n: {"listener": str(n % 2_000), "level_db": -160 + (n // 2_000) * 20},
         "more answers than the ruler can weigh; take analysis.json"),
    ],
)  # fmt: skip
def test_more_than_a_study_asks_is_refused(left, tmp_path, change, sentence):
    (tmp_path / "rows.json").write_text(grown(left, change))
    with pytest.raises(ValueError, match=sentence):
        read_results(tmp_path / "rows.json")


def test_rows_and_values_are_counted(left, tmp_path):
    told = json.loads(left["quest"][0])
    path = tmp_path / "rows.json"
    path.write_text(json.dumps({**told, "rows": told["rows"][:1] * (MOST_ROWS + 1)}))
    with pytest.raises(ValueError, match=r"more than 2000000 values|has 50001 rows"):
        read_results(path)
    path.write_text(json.dumps({**told, "rows": [{}] * (MOST_ROWS + 1)}))
    with pytest.raises(ValueError, match="has 50001 rows; at most 50000"):
        read_results(path)


@pytest.mark.parametrize(
    "change, sentence",
    [
        (lambda r: r.update(condition=3), "condition 3 must be text"),
        (lambda r: r.update(listeners={str(n): {} for n in range(2_001)}), "has 2001 listeners"),
        (lambda r: r.update(listeners=[1]), "is not what a listening study exports"),
        (lambda r: r["group"].update(thresholds={}), "is not what a listening study exports"),
        (lambda r: r["group"]["thresholds"]["d_prime_1"].update(level_db=1e7),
         "no threshold in dB"),
        (lambda r: r["group"]["thresholds"]["d_prime_1"].update(sign="~"), "no threshold in dB"),
        (lambda r: next(iter(r["listeners"].values())).update(faint_db=10**400),
         "no threshold in dB"),
        (lambda r: next(iter(r["listeners"].values())).update(faint_db=True), "no threshold in dB"),
    ],
)  # fmt: skip
def test_an_analysis_is_checked_as_well(left, tmp_path, change, sentence):
    told = json.loads(left["quest"][1])
    change(told["analysis"]["results"][0])
    (tmp_path / "analysis.json").write_text(json.dumps(told))
    with pytest.raises(ValueError, match=sentence) as error:
        read_results(tmp_path / "analysis.json")
    assert len(str(error.value)) < 400


@pytest.mark.parametrize("name", ["/dev/zero", "/dev/full", "fifo", "."])
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no such files here")
def test_what_is_no_file_is_neither_read_nor_waited_for(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("fifo")
    with pytest.raises(ValueError, match="is not a file"):
        read_results(tmp_path / name)


@pytest.mark.parametrize("levels", [[0.0, 200.5], [-1e7, 0.0], [float("nan"), 0.0], [float("inf")]])
def test_a_fit_refuses_levels_that_no_test_plays(levels):
    with pytest.raises(ValueError, match="must be finite, and span 200 dB at most"):
        fit(levels, [True] * len(levels), 0.5)


def test_a_fit_of_many_levels_is_that_of_a_few_at_a_time():
    levels = [-60 + n / 4 for n in range(160)]
    correct = [n % 3 > 0 for n in range(160)]
    both = fit(levels, correct, 0.5).weights
    assert both.sum() == pytest.approx(1)
    assert fit(levels * 2, correct * 2, 0.5).weights.max() > both.max()


READ = r"""
import sys, time
from pathlib import Path
from robustaudio.audio.clip import Clip
from robustaudio.classifiers import checkpoints
from robustaudio.evaluation.hearing_thresholds import thresholds_in
classifier = checkpoints.load_classifier("digits-cnn-ibp")
clip = classifier.prepare(Clip.load(sys.argv[1]))
for path in sys.argv[2:]:
    started = time.monotonic()
    try:
        print(len(thresholds_in(Path(path), classifier, clip)))
    except ValueError as error:
        print(str(error).replace("\n", " "))
    assert time.monotonic() - started < 60
"""
CLIP = str(open_dataset("bundled-digits").folder / "seven-slt.wav")


def read_limited(*paths):
    """What is said of each file, by one process that may take a gigabyte."""
    paths = [CLIP, *map(str, paths)]
    return run_limited(READ, seconds=300, megabytes=1_000, arguments=tuple(paths)).splitlines()


def test_hostile_texts_take_under_a_gigabyte(tmp_path):
    texts = {
        "deep": "[" * 60_000_000,
        "lists": "[" + "[]," * 20_000_000 + "[]]",
        "objects": '{"rows": [' + "{}," * 20_000_000 + "{}]}",
        "wide": '{"rows": ["' + "\U0001f3b5" * 12_000_000 + '"]}',
        "long": " " * 64_000_001,
    }
    paths = [tmp_path / f"{name}.json" for name in texts]
    for path, text in zip(paths, texts.values(), strict=True):
        path.write_text(text)
    told = read_limited(*paths)
    assert len(told) == len(paths)
    for path, words in zip(paths, told, strict=True):
        assert f"{path.name} " in words or "a study is a mapping" in words


def test_one_level_cannot_fill_the_memory(left, tmp_path):
    paths = []
    for level_db in (1e7, 1e5, -1e300):
        path = changed(left, tmp_path, "level_db", level_db)
        paths.append(path.rename(tmp_path / f"{level_db}.json"))
    told = read_limited(*paths)
    assert len(told) == 3 and all("row 5: level_db " in words for words in told)


def test_as_much_as_is_accepted_is_weighed_in_seconds(left, tmp_path):
    """Listeners by the hundred, levels over all of the range."""
    told = json.loads(left["quest"][0])
    tests = [row for row in told["rows"] if row["kind"] == "test"][:8]
    many = [
        {**row, "listener": f"{n}", "level_db": -160.0 + 25 * place}
        for n in range(1_000)
        for place, row in enumerate(tests)
        if row["condition"].endswith("white")
    ]
    (tmp_path / "rows.json").write_text(json.dumps({**told, "rows": many}))
    (told,) = read_limited(tmp_path / "rows.json")
    assert told.isdigit()
