"""Wishes of a visitor to the first tab, as its widgets give them."""

from dataclasses import asdict

from robustaudio.attacks import ATTACKS
from robustaudio.ui.wish import ANY_OTHER, NOISE, Wish


def defaults(method: str) -> dict:
    return {} if method == NOISE else asdict(ATTACKS[method]())


def wish(**changes) -> Wish:
    values = {
        "method": "pgd",
        "norm": "linf",
        "level_db": -45,
        "target": ANY_OTHER,
        "representation": "waveform",
        "survive_rounding": False,
        "sigma": 0.1,
        "seed": 0,
    }
    values |= {"options": defaults(changes.get("method", "pgd"))} | changes
    return Wish(**values)
