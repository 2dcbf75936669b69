"""Columns: what a cell may hold, for every kind, and the sentence that refuses a row."""

from math import inf, nan

import pytest

from robustaudio import columns
from robustaudio.columns import FLAG, check_row, list_of, needed, number, one_of, text, whole

RIGHT = [
    (FLAG, [True, False], [1, 0, "true"]),
    (text(3), ["", "abc"], ["abcd", 3, "\ud800"]),
    (whole(1, 4), [1, 4], [0, 5, 1.0, True, "1"]),
    (number(-1, 1), [-1, 0.5, 1], [1.1, nan, inf, True, "0"]),
    (number(-inf, 0), [-inf, 0], [nan, inf]),
    (one_of("abx", "mushra"), ["abx"], ["ABX", 1]),
    (list_of(2, whole(0, 1)), [[0, 1]], [[0], [0, 2], (0, 1), 0]),
]


@pytest.mark.parametrize("column, good, bad", RIGHT)
def test_a_column_holds_what_it_says(column, good, bad):
    assert all(map(column.allows, good)) and not any(map(column.allows, bad))
    assert column.allows(None) and not needed(column).allows(None)


def test_a_row_is_refused_by_its_first_wrong_cell_and_other_columns_are_left_alone():
    known = {"age": whole(0, 120), "name": needed(text(20))}
    check_row({"age": None, "name": "Ann", "colour": object()}, known, "line 3")
    with pytest.raises(ValueError, match="line 3: age 121 must be a whole number from 0 to 120"):
        check_row({"age": 121, "name": "Ann"}, known, "line 3")
    with pytest.raises(ValueError, match="name None must be text of at most 20 characters"):
        check_row({"name": None}, known, "line 3")


@pytest.mark.parametrize("value, right", [(0, True), (inf, True), (nan, False), (True, False)])
def test_a_number_is_no_truth_value_and_not_nan(value, right):
    assert columns.is_number(value) is right
