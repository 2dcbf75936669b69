"""JSON that every reader reads."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robustaudio.plain_json import as_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_whatever_is_written_is_read_without_a_number_that_json_lacks(value):
    json.loads(as_json(value), parse_constant=lambda name: pytest.fail(name))


def test_numbers_that_are_not_finite_are_null():
    record = {"a": float("nan"), "b": [float("inf"), (1.5, None)]}
    assert json.loads(as_json(record)) == {"a": None, "b": [None, [1.5, None]]}
