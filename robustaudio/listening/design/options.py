"""Options of listening procedures: levels in dB, and what every option must satisfy."""

from dataclasses import fields
from math import inf
from typing import Any

from robustaudio.options import Option, option, option_of

LEVELS_DB = -160.0, 40.0  # relative to the clip: softer is rounded away, louder buries the clip


def level(default: Any, help: str, low: float = -inf, high: float = inf) -> Any:
    """A field that holds a level in dB, or several, as a tuple of different ones."""
    return option(default, help, low, high, least=LEVELS_DB[0], most=LEVELS_DB[1])


def check(procedure: Any) -> None:
    """
    Raises:
        ValueError: for the first option outside the limits that its field notes; where a field
            holds several levels, for none, or one that is given twice.
    """
    for declared in (declared for declared in fields(procedure) if Option in declared.metadata):
        name, value = declared.name, getattr(procedure, declared.name)
        limits = option_of(declared)
        if (limits.least, limits.most) == LEVELS_DB:
            _check_levels(name, (value,) if declared.type is float else tuple(value))
        elif declared.type is int and (type(value) is not int or value < (limits.least or 0)):
            raise ValueError(f"{name} {value!r} must be a whole number of at least {limits.least}.")
        elif declared.type in (int, float):
            limits.check(name, value)


def _check_levels(name: str, levels_db: tuple[float, ...]) -> None:
    softest, loudest = LEVELS_DB
    for level_db in levels_db:
        if not softest <= level_db <= loudest:
            right = f"a level from {softest:g} to {loudest:g} dB"
            raise ValueError(f"{name} {level_db:g} must be {right}.")
    if not levels_db or len(set(levels_db)) < len(levels_db):
        raise ValueError(f"{name} {levels_db} must be one or more levels in dB, each once.")
