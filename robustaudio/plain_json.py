"""JSON that every reader reads: NaN and infinite numbers, which JSON has no word for, are null."""

import json
from math import isfinite
from typing import Any


def as_json(value: Any, indent: int | None = None) -> str:
    """The value as JSON.

    >>> as_json({"level_db": float("-inf"), "levels_db": (1.0, float("nan"))})
    '{"level_db": null, "levels_db": [1.0, null]}'
    """
    return json.dumps(_with_null(value), indent=indent, allow_nan=False)


def _with_null(value: Any) -> Any:
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, dict):
        return {_with_null(key): _with_null(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_null(item) for item in value]
    return value
