"""An option refuses what it cannot be, in one sentence; its field holds what others read."""

from dataclasses import dataclass, fields

import pytest

from robustaudio.options import check, option, option_of


@dataclass(frozen=True)
class Walk:
    steps: int = option(10, "steps", 5, 100)
    rate: float = option(0.5, "length of a step", 0, 2, above=0)
    share: float = option(0.5, "of the walk", 0, 1, least=0, most=1)
    shrink: float = option(0.9, "after a success", 0.1, 0.99, above=0, below=1)
    way: str = option("up", "where to", choices=("up", "down"))
    __post_init__ = check


@pytest.mark.parametrize(
    "options, kind, sentence",
    [
        ({"steps": 0}, ValueError, "steps 0 must be at least 1."),
        ({"steps": 2001}, ValueError, "steps 2001 must be at most 2000."),
        ({"steps": 2.0}, TypeError, "steps is the float 2.0; it must be a whole number."),
        ({"steps": True}, TypeError, "steps is the bool True; it must be a whole number."),
        ({"rate": 0}, ValueError, "rate 0 must be above 0, and finite."),
        ({"rate": float("nan")}, ValueError, "rate nan must be above 0, and finite."),
        ({"rate": "1"}, TypeError, "rate is the str '1'; it must be a number."),
        ({"share": -0.1}, ValueError, "share -0.1 must be at least 0."),
        ({"share": 1.1}, ValueError, "share 1.1 must be at most 1."),
        ({"shrink": 1.0}, ValueError, "shrink 1.0 must lie between 0 and 1."),
        ({"way": "left"}, ValueError, "way 'left' must be one of up, down."),
    ],
)
def test_impossible_values_are_refused(options, kind, sentence):
    with pytest.raises(kind) as refused:
        Walk(**options)
    assert str(refused.value) == sentence


def test_what_is_offered_is_less_than_what_is_allowed():
    steps = option_of(fields(Walk)[0])
    assert (steps.low, steps.high) == (5, 100) and steps.help == "steps"
    assert Walk(steps=1).steps == 1 and Walk(steps=2000, rate=50.0).rate == 50
