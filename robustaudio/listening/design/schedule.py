"""What comes when: every draw of a session, each from (seed, purpose, number) and nothing else.

So the same responses give the same next trial, and no draw moves because another was added.
"""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

PURPOSES = ("track", "catch", "position", "coin", "items", "page")
Item = TypeVar("Item")


def draws(seed: int, purpose: str, *numbers: int) -> np.random.Generator:
    """The randomness of one decision."""
    return np.random.default_rng([seed, PURPOSES.index(purpose), *numbers])


def fair(seed: int, number: int, alternatives: int) -> int:
    """A right answer that no earlier one tells anything about."""
    return int(draws(seed, "coin", number).integers(alternatives))


def balanced(seed: int, track: int, number: int, alternatives: int) -> int:
    """The right answer of a track's trial: each twice in every block of 2 x alternatives trials."""
    block, place = divmod(number, 2 * alternatives)
    order = draws(seed, "position", track, block).permutation(2 * alternatives)
    return int(order[place]) % alternatives


def is_catch(seed: int, number: int, every: int) -> bool:
    """Whether this is the one catch trial of its block of `every` trials; 0 for no catch trials."""
    if not every:
        return False
    block, place = divmod(number, every)
    return place == draws(seed, "catch", block).integers(every)


def least_asked(seed: int, number: int, counts: dict[Item, int]) -> Item:
    """One of those asked least often: interleaved, each once per round in a new order."""
    least = [item for item, count in counts.items() if count == min(counts.values())]
    return least[draws(seed, "track", number).integers(len(least))]


def shuffled(seed: int, purpose: str, number: int, items: Sequence[Item]) -> tuple[Item, ...]:
    """All of them, in a random order."""
    return tuple(items[i] for i in draws(seed, purpose, number).permutation(len(items)))
