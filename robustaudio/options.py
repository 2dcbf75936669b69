"""Options of an algorithm: fields of a frozen dataclass that know their help, range and limits.

The check of a value, the page's widget and the command line's flag read the same field.

>>> from dataclasses import dataclass
>>> @dataclass(frozen=True)
... class Walk:
...     steps: int = option(40, "steps per restart", 1, 1000)
...     __post_init__ = check
>>> Walk(0)
Traceback (most recent call last):
ValueError: steps 0 must be at least 1.
"""

from dataclasses import Field, dataclass, field, fields
from math import inf
from numbers import Integral, Real
from typing import Any

from robustaudio.outside import kind

BEYOND = 20  # times the largest count that is offered: larger ones end in no memory, or never


@dataclass(frozen=True)
class Option:
    """What a field of options knows: its help, and what it may hold.

    The page offers numbers from `low` to `high`. Allowed at all is what is at `least` or `above`
    a number, at `most` or `below` another (None: no such limit), and one of the `choices`.
    """

    help: str
    low: float
    high: float
    choices: tuple[str, ...] = ()
    least: float | None = None
    above: float | None = None
    most: float | None = None
    below: float | None = None

    def check(self, name: str, value: Any) -> None:
        """
        Raises:
            ValueError: for a number outside; NaN and infinity are outside every limit.
        """
        if self.above is not None and self.below is not None:
            if not self.above < value < self.below:
                ends = f"{self.above:g} and {self.below:g}"
                raise ValueError(f"{name} {value} must lie between {ends}.")
        elif self.above is not None and not self.above < value < inf:
            raise ValueError(f"{name} {value} must be above {self.above:g}, and finite.")
        elif self.least is not None and not self.least <= value < inf:
            raise ValueError(f"{name} {value} must be at least {self.least:g}.")
        if self.most is not None and value > self.most:
            raise ValueError(f"{name} {value} must be at most {self.most}.")


def option(default: Any, help: str, low: float = -inf, high: float = inf, **allowed: Any) -> Any:
    """A field of a dataclass of options, to be checked by `check`; the others are as in `Option`.

    A whole number is at least 1 and at most 20 times `high` if nothing else is said.
    """
    if type(default) is int:
        allowed = {"least": 1, "most": BEYOND * high if high < inf else None} | allowed
    return field(default=default, metadata={Option: Option(help, low, high, **allowed)})


def option_of(declared: Field) -> Option:
    """What `option` noted on a field."""
    return declared.metadata[Option]


def check(options: Any) -> None:
    """Refuses values that no option may have: the `__post_init__` of a dataclass of options.

    Raises:
        TypeError: for the first option that is no number, or no whole one where it has to be.
        ValueError: for the first option outside its limits, or that is none of its choices.
    """
    for declared in fields(options):
        name, known = declared.name, option_of(declared)
        value: Any = getattr(options, name)
        if declared.type is int and (isinstance(value, bool) or not isinstance(value, Integral)):
            raise TypeError(f"{name} is {kind(value)}; it must be a whole number.")
        if declared.type is float and not isinstance(value, Real):
            raise TypeError(f"{name} is {kind(value)}; it must be a number.")
        if declared.type in (int, float):
            known.check(name, value)
        if known.choices and value not in known.choices:
            raise ValueError(f"{name} {value!r} must be one of {', '.join(known.choices)}.")
