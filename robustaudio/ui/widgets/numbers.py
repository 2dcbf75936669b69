"""Number fields that may be empty, and what each may hold."""

from dataclasses import fields

from robustaudio.audio.draws import MOST_SEED
from robustaudio.certification.smoothing import Smoothing
from robustaudio.options import option_of

# lowest, highest, whether whole; an attack's options have sliders, which know theirs
RANGES = {"seed": (0, MOST_SEED, True)} | {
    declared.name: (option_of(declared).low, option_of(declared).high, declared.type is int)
    for declared in fields(Smoothing)
}


def required(**numbers: float | None) -> None:
    """Refuses a number field that was left empty, and what the page does not offer.

    Raises:
        ValueError: one sentence that names the field.
    """
    for name, number in numbers.items():
        if number is None:
            shown = name.replace("_db", " in dB").replace("_", " ")
            raise ValueError(f"{shown} is empty; a number would be right.")
        if name not in RANGES:
            continue
        low, high, whole = RANGES[name]
        if not low <= number <= high or (whole and number != int(number)):
            kind = "a whole number" if whole else "a number"
            raise ValueError(f"{name} {number:g} must be {kind} from {low:g} to {high:g}.")
