"""Words of the panel What would it take?"""

from collections.abc import Sequence

from robustaudio.evaluation.results import TargetLevels
from robustaudio.ui.html import card, decibel, label_words
from robustaudio.ui.words.terms import BY_ITSELF, Ending, limited


def targets_words(rows: Sequence[TargetLevels], clips: int = 1, ending: Ending = BY_ITSELF) -> str:
    """The easiest and the hardest of all the targets that were tried, of so many `clips`."""
    norm = rows[0].norm
    pairs = [
        (level, f"{label_words(row.prediction)} → {label_words(target)}")
        for row in rows
        for target, level in row.levels_db.items()
    ]
    reached = sorted((level, pair) for level, pair in pairs if level is not None)
    facts = [
        f"{rows[0].settings.title} in {norm.symbol} on {rows[0].classifier}",
        f"{len(reached)} of {len(pairs)} targets reached",
        f"{sum(row.queries for row in rows)} queries in {sum(row.seconds for row in rows):.1f} s",
    ]
    notes = [
        "each level is the smallest that this attack found: another one may find less, and what "
        "was not found may exist"
    ]
    last = f", {len(rows)} of {clips} clips" if clips > 1 else ""
    notes += [
        f"{note}{last}. The targets of the last one may take less than is shown"
        for note in limited(ending)
    ]
    if not reached:
        return card("nothing found", "no target was reached", facts, notes)
    (least, easiest), (most, hardest) = reached[0], reached[-1]
    facts.insert(0, f"hardest of those reached: {hardest}, {decibel(most)}")
    outcome = f"is the easiest: {decibel(least)} of {norm.words.relative_to}"
    return card(f"<strong>{easiest}</strong>", outcome, facts, notes)
