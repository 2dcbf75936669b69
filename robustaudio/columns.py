"""Columns of tables that come from outside: what a cell may hold, as a value that says it."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from math import isnan
from typing import Any

from robustaudio.outside import is_writable, shown


@dataclass(frozen=True)
class Column:
    """A test of a cell's value, and what would be right in words; `optional` ones may hold None."""

    right: str
    holds: Callable[[Any], bool]
    optional: bool = True

    def allows(self, value: Any) -> bool:
        return self.optional if value is None else self.holds(value)


FLAG = Column("true or false", lambda value: type(value) is bool)


def text(longest: int) -> Column:
    return Column(f"text of at most {longest} characters", lambda value: is_text(value, longest))


def whole(low: int, high: int) -> Column:
    words = f"a whole number from {low} to {high:g}"
    return Column(words, lambda value: type(value) is int and low <= value <= high)


def number(low: float, high: float) -> Column:
    """A number that is not NaN; infinite ones where an end is infinite."""
    words = f"a number from {low:g} to {high:g}"
    return Column(words, lambda value: is_number(value) and low <= value <= high)


def one_of(*values: str) -> Column:
    words = f"one of {', '.join(values)}"
    return Column(words, lambda value: isinstance(value, str) and value in values)


def list_of(count: int, column: Column) -> Column:
    """As many values in a list as `count`, each of which the column allows."""

    def holds(value: Any) -> bool:
        return isinstance(value, list) and len(value) == count and all(map(column.allows, value))

    return Column(f"a list of {count}, each {column.right}", holds)


def needed(column: Column) -> Column:
    return replace(column, optional=False)


def check_row(row: Mapping[str, Any], columns: Mapping[str, Column], where: str) -> None:
    """Refuse a row whose columns hold what they cannot; others are not looked at.

    Raises:
        ValueError: naming the row, by `where`, the column and the value.
    """
    for name, value in row.items():
        column = columns.get(name)
        if column and not column.allows(value):
            raise ValueError(f"{where}: {name} {shown(value)} must be {column.right}.")


def holds(column: Column, default: Any = MISSING) -> Any:
    """A field of a dataclass, with what `check_fields` lets it hold."""
    return field(default=default, metadata={"column": needed(column)})


def check_fields(value: Any, where: str) -> None:
    """Refuse a dataclass whose fields, or whose parts' fields, hold what columns do not allow.

    Raises:
        ValueError: naming the dataclass, by `where`, the field and its value.
    """
    for name, part in vars(value).items():
        if is_dataclass(part):
            check_fields(part, f"its {name}")
    check_row(vars(value), columns_of(value), where)


def columns_of(kind: Any) -> dict[str, Column]:
    """What the fields of a dataclass, or of one of its kind, may hold, by their names."""
    return {f.name: f.metadata["column"] for f in fields(kind) if "column" in f.metadata}


def is_text(value: Any, longest: int) -> bool:
    return isinstance(value, str) and len(value) <= longest and is_writable(value)


def is_number(value: Any) -> bool:
    """Whether it is a number, and no truth value; infinite ones are, NaN is not."""
    return type(value) is int or (type(value) is float and not isnan(value))
