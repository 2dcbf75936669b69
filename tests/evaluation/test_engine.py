"""A long run: same rows however often it is killed, and no file is taken for another run's."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from robustaudio.columns import check_row, needed, whole
from robustaudio.evaluation.engine import Row, resumable
from robustaudio.evaluation.row_file import Label, columns_of

NAMES = ["a", "b", "c", "d", "e"]
HEADER = {"run": "test", "levels_db": [-6.0]}


class Killed(Exception):
    pass


def counting(done: list[int], *, until: int = 99):
    """A job that notes what it was asked, and dies after `until` clips."""

    def job(numbers: list[int]) -> list[dict]:
        if len(done) + len(numbers) > until:
            raise Killed
        done.extend(numbers)
        return [{"square": n * n} for n in numbers]

    return job


EXPECTED = [{"square": n * n} for n in range(5)]


def test_without_a_file_it_is_a_map_in_the_order_of_the_clips():
    shares: list[float] = []
    rows = resumable(counting([]), NAMES, chunk=2, header=HEADER, progress=shares.append)
    assert rows == EXPECTED
    assert shares == pytest.approx([0, 0.4, 0.8])


def test_a_killed_run_goes_on_where_it_ended(tmp_path):
    path, first, second = tmp_path / "new" / "rows.jsonl", [], []
    with pytest.raises(Killed):
        resumable(counting(first, until=4), NAMES, chunk=2, path=path, header=HEADER)
    assert first == [0, 1, 2, 3]
    rows = resumable(counting(second), NAMES, chunk=2, path=path, header=HEADER)
    assert rows == EXPECTED and second == [4]
    again: list[int] = []
    assert resumable(counting(again), NAMES, chunk=2, path=path, header=HEADER) == EXPECTED
    assert again == []


def test_a_torn_last_line_is_made_again(tmp_path):
    path, done = tmp_path / "rows.jsonl", []
    resumable(counting([]), NAMES, chunk=5, path=path, header=HEADER)
    text = path.read_text()
    path.write_text(text[:-7])
    rows = resumable(counting(done), NAMES, chunk=5, path=path, header=HEADER)
    assert rows == EXPECTED and done == [4]
    assert path.read_text() == text


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({**HEADER, "levels_db": [0.0]}) + "\n",
        json.dumps(HEADER) + "\n" + json.dumps({"clip": "another", "square": 1}) + "\n",
        json.dumps({"run": "other"}) + "\n" + '{"clip": "a", "squ',
    ],
)
def test_another_run_is_not_continued(tmp_path, text):
    path = tmp_path / "rows.jsonl"
    path.write_text(text)
    with pytest.raises(ValueError, match="holds another run"):
        resumable(counting([]), NAMES, chunk=2, path=path, header=HEADER)
    assert path.read_text() == text


@pytest.mark.parametrize("written", range(0, len(json.dumps(HEADER)) + 2, 7))
def test_a_run_that_was_killed_while_its_header_was_written_begins_anew(tmp_path, written):
    path = tmp_path / "rows.jsonl"
    path.write_text((json.dumps(HEADER) + "\n")[:written])
    assert resumable(counting([]), NAMES, chunk=2, path=path, header=HEADER) == EXPECTED
    assert len(path.read_text().splitlines()) == 1 + len(NAMES)


@pytest.mark.parametrize("row", [{}, {"square": "4"}, {"square": None}, {"square": 10**400}])
def test_a_row_without_its_columns_is_one_sentence(tmp_path, row):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(HEADER) + "\n" + json.dumps({"clip": "b", **row}) + "\n")
    options = {"path": path, "header": HEADER, "columns": {"square": needed(whole(0, 100))}}
    with pytest.raises(ValueError, match=r"line 2 \('b'\)(: square | lacks square;)") as caught:
        resumable(counting([]), NAMES, chunk=2, **options)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 200 + len(str(path))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no such files here")
@pytest.mark.parametrize("name", ["/dev/full", "/dev/zero", "fifo", "."])
def test_what_is_no_file_is_neither_waited_for_nor_read(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("fifo")
    with pytest.raises(ValueError, match="is not a file"):
        resumable(counting([]), NAMES, chunk=2, path=Path(name), header=HEADER)


@pytest.mark.parametrize(
    "text", ["[1]\n", '{"a": 1}\n{"b": 2}\n', "RIFF\n", "[]\n3\n", "[" * 100_000 + "\n"]
)
def test_a_file_of_something_else_is_refused(tmp_path, text):
    path = tmp_path / "rows.jsonl"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"not the file of a run|holds another run"):
        resumable(counting([]), NAMES, chunk=2, path=path, header=HEADER)


def test_a_sound_is_not_the_file_of_a_run_and_not_shown(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"RIFF\xff\xfe" * 10_000)
    with pytest.raises(
        ValueError, match=r"rows\.jsonl is not the file of a run: JSON, a line"
    ) as caught:
        resumable(counting([]), NAMES, chunk=2, path=path, header=HEADER)
    assert len(str(caught.value)) < 200 + len(str(path))


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"cannot be written|is not the file"):
        resumable(counting([]), NAMES, chunk=2, path=tmp_path / "file" / "x", header=HEADER)


@dataclass(frozen=True, kw_only=True)
class Measured(Row):
    """A row of every type of field."""

    label: Label
    after: list[Label | None]
    right: bool
    level_db: float | None


GOOD = {"label": 2, "after": [0, None], "right": True, "level_db": None, "seconds": 0.5}


@pytest.mark.parametrize(
    "name, value",
    [("label", 3), ("label", None), ("after", [0]), ("after", [0, 3]), ("after", None),
     ("right", 1), ("level_db", "loud"), ("level_db", float("nan")), ("seconds", -1.0)],
)  # fmt: skip
def test_a_column_holds_what_its_field_may(name, value):
    columns = columns_of(Measured, labels=3, length=2)
    assert columns.keys() == GOOD.keys()
    check_row(GOOD, columns, "here")
    with pytest.raises(ValueError, match=f"here: {name} "):
        check_row(GOOD | {name: value}, columns, "here")
