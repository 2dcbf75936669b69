"""Lines of a stream: whatever happens to the file, no whole answer is lost in silence."""

import re
from pathlib import Path

import pytest

from robustaudio.listening.run.json_lines import JsonLinesStore
from robustaudio.listening.run.store import DAMAGED, Event


def ten(folder: Path) -> Path:
    store = JsonLinesStore(folder)
    for number in range(10):
        store.append(Event("abcd", "aaaa0001", "trial", number, {"answer": number % 2}))
    return folder / "abcd" / "aaaa0001.jsonl"


def lost_and_read(path: Path) -> tuple[int, list[int]]:
    events = JsonLinesStore(path.parents[1]).read("abcd", "aaaa0001")
    return sum(e.kind == DAMAGED for e in events), [e.index for e in events if e.kind == "trial"]


def test_a_file_that_is_cut_anywhere_says_so(tmp_path):
    path = ten(tmp_path)
    whole = path.read_bytes()
    first = whole.index(b"\n")  # a beginning alone was never confirmed to anybody
    for size in range(first, len(whole) - 1):
        path.write_bytes(whole[:size])
        lost, read = lost_and_read(path)
        assert lost or len(read) == 10, size
    assert whole.endswith(b" \n")


@pytest.mark.parametrize("between", [b" ", b"\r", b"\0\0", b""])
def test_a_newline_that_is_lost_costs_no_answer_not_even_by_the_next(tmp_path, between):
    path = ten(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"\n", between))
    assert lost_and_read(path)[1] == [*range(10)]
    store = JsonLinesStore(tmp_path)
    assert store.append(Event("abcd", "aaaa0001", "trial", 10))
    assert lost_and_read(path)[1] == [*range(11)]


def test_what_other_programs_make_of_line_ends_hides_no_cut(tmp_path):
    path = ten(tmp_path)
    lines = path.read_bytes().replace(b"\n", b"\r\n").splitlines(keepends=True)
    path.write_bytes(b"".join(lines))
    assert lost_and_read(path) == (0, [*range(10)])
    path.write_bytes(b"".join(lines[:7]))
    assert lost_and_read(path) == (1, [*range(7)])


def test_zeros_hide_no_answer(tmp_path):
    path = ten(tmp_path)
    whole = path.read_bytes()
    for start in range(0, len(whole) - 1, 7):
        path.write_bytes(whole[:start] + bytes(len(whole) - start))
        lost, read = lost_and_read(path)
        assert lost or len(read) == 10, start
        middle = whole[:start] + bytes(64) + whole[start + 64 :]
        path.write_bytes(middle[: len(whole)])
        lost, read = lost_and_read(path)
        assert lost or len(read) == 10, start


def test_an_answer_without_its_checksum_is_none_behind_one_that_has_it(tmp_path):
    path = ten(tmp_path)
    text = path.read_text()
    lines = text.splitlines()
    lines[4] = re.sub(r', "sum": "\w+"', "", lines[4]).replace('"answer": 0', '"answer": 1')
    path.write_text("\n".join(lines) + "\n")
    assert lost_and_read(path)[0] == 1 and 4 not in lost_and_read(path)[1]
    older = [re.sub(r', "sum": "\w+"', "", line).rstrip() for line in text.splitlines()]
    path.write_text("\n".join(older) + "\n")  # by a version without checksums
    assert lost_and_read(path) == (0, [*range(10)])


def test_blank_lines_are_nothing(tmp_path):
    path = ten(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"}\n", b"}\n\n \n"))
    assert lost_and_read(path) == (0, [*range(10)])


def test_lines_of_an_older_version_are_read_and_go_on(tmp_path):
    store = JsonLinesStore(tmp_path)
    (tmp_path / "abcd").mkdir()
    old = '{"kind": "trial", "index": %d, "data": {"answer": 1}}\n'
    path = tmp_path / "abcd" / "aaaa0001.jsonl"
    path.write_text(old % 0 + old % 1)
    store.append(Event("abcd", "aaaa0001", "trial", 2, {"answer": 0}))
    assert [(e.kind, e.index) for e in store.read("abcd", "aaaa0001")] == [
        ("trial", n) for n in range(3)
    ]
    flipped = path.read_bytes().replace(
        b'"index": 2, "data": {"answer": 0}', b'"index": 2, "data": {"answer": 1}'
    )
    path.write_bytes(flipped)
    assert [e.kind for e in store.read("abcd", "aaaa0001")] == ["trial", "trial", "damaged"]
