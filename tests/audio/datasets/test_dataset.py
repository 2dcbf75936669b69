"""Rows of a data set: splits, limits, and recordings that are not there."""

from collections import Counter

import pytest
from audio.datasets.made import HEADER, ROW

from robustaudio.audio.datasets import read_folder


def test_a_row_without_its_file_is_named_when_it_is_read(tmp_path):
    (tmp_path / "metadata.csv").write_text(f"{HEADER}\n{ROW}\n")
    with pytest.raises(ValueError, match=r"there is no file .*a\.wav"):
        list(read_folder(tmp_path, "mine").clips())


@pytest.fixture
def spread(tmp_path):
    rows = [f"{i}.wav,{i // 10},s,{i},{'test' if i % 2 else 'train'},CC0-1.0" for i in range(100)]
    (tmp_path / "metadata.csv").write_text("\n".join([HEADER, *rows]))
    return read_folder(tmp_path, "mine")


def test_a_split_keeps_the_order_of_the_file(spread):
    assert spread.splits == ("train", "test")
    test = spread.select("test")
    assert [int(row.group) for row in test.rows] == list(range(1, 100, 2))
    assert (test.name, test.folder, len(spread)) == ("mine", spread.folder, 100)


@pytest.mark.parametrize("limit", [1, 7, 10, 49, 50, 51, 1000])
def test_a_limit_is_spread_evenly(limit, spread):
    rows = spread.select("test", limit).rows
    assert len(rows) == len({row.file for row in rows}) == min(limit, 50)
    counts = Counter(row.label for row in rows)
    assert len(counts) == min(limit, 10) and max(counts.values()) - min(counts.values()) <= 1


def test_a_split_that_is_not_there_and_a_limit_that_is_none(spread):
    with pytest.raises(ValueError, match=r"no split 'val'; choose from train, test"):
        spread.select("val")
    with pytest.raises(ValueError, match="limit 0 must be at least 1"):
        spread.select("test", 0)
