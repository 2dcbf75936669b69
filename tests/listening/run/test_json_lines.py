"""A folder of answers: names stay inside, one process writes, and damage hides nothing."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from listening.run.events import WRITER, trial

from robustaudio.listening.run.json_lines import JsonLinesStore
from robustaudio.listening.run.store import DAMAGED


@pytest.mark.parametrize("name", ["../x", "", "a/b", "AAAA", "abc", "a" * 65, "study\n", "a.jsonl"])
def test_a_name_never_leaves_the_folder(tmp_path, name):
    store = JsonLinesStore(tmp_path)
    for event in (trial(0, name), trial(0, study=name)):
        with pytest.raises(ValueError, match="names no study or session"):
            store.append(event)
    assert list(tmp_path.iterdir()) == []


def test_a_line_that_was_not_finished_is_cut_off(tmp_path):
    store = JsonLinesStore(tmp_path)
    store.append(trial(0, answer=1))
    path = tmp_path / "abcd" / "aaaa0001.jsonl"
    path.write_bytes(path.read_bytes() + b'{"kind": "trial", "index": 1, "da')
    assert [e.index for e in store.read("abcd", "aaaa0001")] == [0]
    assert store.append(trial(1, answer=2))
    assert [e.data for e in store.read("abcd", "aaaa0001")] == [{"answer": 1}, {"answer": 2}]
    assert all(json.loads(line) for line in path.read_text().splitlines())


def test_a_line_that_the_disk_damaged_hides_no_other(tmp_path):
    store = JsonLinesStore(tmp_path)
    for index in range(3):
        store.append(trial(index))
    path = tmp_path / "abcd" / "aaaa0001.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"\0" * 20 + b"\n" + lines[2])
    assert [(e.kind, e.index) for e in store.read("abcd", "aaaa0001")] == [
        ("trial", 0), (DAMAGED, 1), ("trial", 2),
    ]  # fmt: skip


def test_one_process_writes_to_a_folder_until_it_ends(tmp_path):
    store = JsonLinesStore(tmp_path / "answers")
    code = [sys.executable, "-c", WRITER, str(store.folder)]
    with subprocess.Popen(code, stdout=subprocess.PIPE, text=True) as writer:
        writer.stdout.readline()
        assert store.read("abcd", "aaaa0001")  # whoever reads disturbs nobody
        for write in (lambda: store.append(trial(0)), lambda: store.delete("abcd", "aaaa0001")):
            with pytest.raises(ValueError, match=r"another process writes to .*answers; stop"):
                write()
        os.kill(writer.pid, signal.SIGKILL)
    assert store.append(trial(0, "aaaa0002"))


def test_a_folder_that_cannot_be_written_to_says_so(tmp_path):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", Path("/proc/answers")):
        with pytest.raises(ValueError, match=f"{folder} cannot be written to"):
            JsonLinesStore(folder).append(trial(0))
