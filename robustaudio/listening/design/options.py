"""What options of every procedure must satisfy."""

LEVELS_DB = -160.0, 40.0  # relative to the clip: softer is rounded away, louder buries the clip


def check_level(name: str, level_db: float) -> None:
    """
    Raises:
        ValueError: for a level that nobody could hear, or that would leave nothing of the clip.
    """
    softest, loudest = LEVELS_DB
    if not softest <= level_db <= loudest:
        raise ValueError(f"{name} {level_db:g} must be a level from {softest:g} to {loudest:g} dB.")


def check_conditions(conditions: tuple[object, ...]) -> None:
    """
    Raises:
        ValueError: if there is none, or one twice.
    """
    if not conditions or len(set(conditions)) < len(conditions):
        raise ValueError(
            f"conditions {[*map(str, conditions)]} must be one or more, each named once."
        )


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
        ValueError: if there is none, one twice, or one out of range.
    """
    for level_db in levels_db:
        check_level("levels_db", level_db)
    if not levels_db or len(set(levels_db)) < len(levels_db):
        raise ValueError(f"levels_db {levels_db} must be one or more levels in dB, each once.")
