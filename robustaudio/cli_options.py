"""Options are checked before torch is imported: what cannot count is refused, never ignored."""

import argparse
from math import inf

OF_DATA = ("split", "limit", "skip_unreadable", "smallest", "radius", "workers")
OF_A_CLIP = ("output", "report")
SEEDS = 2**63  # as many as a generator takes


def check_options(arguments: argparse.Namespace) -> None:
    """Refuses numbers out of range, and options that do nothing beside the others.

    Raises:
        ValueError: one sentence, for the first of them.
    """
    given = vars(arguments)
    _check_numbers(given)
    if given.get("clip") and not given.get("dataset"):
        for name in OF_DATA:
            if given.get(name) not in (None, False):
                raise ValueError(f"{_flag(name)} belongs to a data set, not to a single clip.")
    if given.get("dataset") and any(given.get(name) for name in OF_A_CLIP):
        raise ValueError("--output and --report belong to a single clip, not to a data set.")
    if given.get("subtype") and not given.get("output"):
        raise ValueError("--subtype belongs to --output, which is not given.")
    if given.get("demo") and given.get("store") is not None:
        raise ValueError("--demo keeps nothing, and --store says where to keep it: give one.")


def _check_numbers(given: dict) -> None:
    if not 0 <= given.get("seed", 0) < SEEDS:
        raise ValueError(f"seed {given['seed']} must lie between 0 and 2^63 - 1.")
    if (limit := given.get("limit")) is not None and not isinstance(limit, list) and limit < 1:
        raise ValueError(f"limit {limit} must be at least 1.")
    if (workers := given.get("workers")) is not None and workers < 1:
        raise ValueError(f"workers {workers} must be at least 1.")
    radii = given.get("radius") or []
    if not all(0 <= radius < inf for radius in radii):
        raise ValueError(f"radii {radii} must be 0 or more, and finite.")


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
