"""What options of every procedure must satisfy."""

from math import inf


def check_conditions(conditions: tuple[str, ...]) -> None:
    """
    Raises:
        ValueError: if there is none, or one twice.
    """
    if not conditions or len(set(conditions)) < len(conditions):
        raise ValueError(f"conditions {conditions} must be one or more, each named once.")


def check_counts(options: object, **at_least: int) -> None:
    """
    Raises:
        ValueError: for the first option that is no whole number, or too small.
    """
    for name, least in at_least.items():
        value = getattr(options, name)
        if type(value) is not int or value < least:
            raise ValueError(f"{name} {value!r} must be a whole number of at least {least}.")


def check_levels(levels_db: tuple[float, ...]) -> None:
    """
    Raises:
        ValueError: if there is none, one twice, or one that is infinite or NaN.
    """
    finite = all(-inf < level < inf for level in levels_db)
    if not levels_db or not finite or len(set(levels_db)) < len(levels_db):
        raise ValueError(f"levels_db {levels_db} must be one or more levels in dB, each once.")
