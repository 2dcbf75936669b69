"""Number fields that may be empty, and what each may hold."""

RANGES = {"seed": (0, 10**15), "sigma": (0, 1_000), "n0": (1, 100_000), "n": (1, 100_000)}


COUNTS = ("seed", "n0", "n")


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
        (low, high), whole = RANGES[name], name in COUNTS
        if not low <= number <= high or (whole and number != int(number)):
            kind = "a whole number" if whole else "a number"
            raise ValueError(f"{name} {number:g} must be {kind} from {low:g} to {high:g}.")
