"""What may be claimed of a score: heard, inaudible, or neither."""

from collections.abc import Mapping
from dataclasses import dataclass

from robustaudio.listening.analysis.statistics import ALPHA, holm


@dataclass(frozen=True)
class Claim:
    """A verdict in a word or two, and as a sentence with its numbers."""

    verdict: str
    statement: str


def claim_of(p: float, upper: float, inaudible_below: float) -> Claim:
    """What may be said of a score: p is the adjusted one, `upper` its one-sided bound.

    Not heard is not inaudible: that is a claim of equivalence, and needs its own evidence.
    """
    at_most = f"at most {100 * upper:.0f} % right with 95 % confidence"
    if p <= ALPHA:
        return Claim("heard", f"Heard ({_adjusted(p)}).")
    if upper < 0.5:  # chance in ABX
        statement = f"Right less often than by guessing ({at_most}): were answers swapped?"
        return Claim("below chance", statement)
    if upper < inaudible_below:
        stated = f"less than the {100 * inaudible_below:.0f} % that the study set"
        return Claim("inaudible", f"Inaudible: {at_most}, {stated}.")
    not_shown = f"not shown to be heard ({_adjusted(p)})"
    return Claim("undecided", f"Undecided: {not_shown}, nor to be inaudible: {at_most}.")


def claim_of_group(mean: Claim, p_values: Mapping[str, float]) -> Claim:
    """What may be said of a group: nothing is inaudible that one of its listeners hears.

    `mean` is the claim of the mean score; `p_values` are the listeners' adjusted ones.
    """
    by_some = sum(p <= ALPHA for p in holm(p_values).values())
    if mean.verdict == "heard" or not by_some:
        return mean
    some = f"Heard by {by_some} of {len(p_values)} listeners, but not shown for them on average."
    return Claim("heard by some", some)


def _adjusted(p: float) -> str:
    return f"adjusted p = {p:.2g}" if p >= 0.001 else "adjusted p < 0.001"
