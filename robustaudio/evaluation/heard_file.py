"""Files that a listening study leaves, read strictly: its export, or its analysis.

Both may come from anybody. The export (`rows.json`) holds the study with its sounds and a row per
answer; the analysis (`analysis.json`, `listen analyse --json`) holds names and thresholds only.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from json import JSONDecodeError
from pathlib import Path
from typing import Any

from robustaudio.columns import (
    FLAG,
    Column,
    check_row,
    is_text,
    needed,
    number,
    one_of,
    text,
    whole,
)
from robustaudio.listening.analysis.analyse import COLUMNS
from robustaudio.listening.analysis.by_paradigm import Row, grouped
from robustaudio.listening.analysis.thresholds import FARTHEST_DB
from robustaudio.listening.design.forced_choice import Adaptive
from robustaudio.listening.design.options import LEVELS_DB
from robustaudio.listening.design.procedures import Staircase
from robustaudio.listening.design.ratings import MOST_ITEMS
from robustaudio.listening.design.study import JOINED, Model, Study
from robustaudio.listening.design.study_file import (
    LONGEST_NAME,
    MOST_CONDITIONS,
    MOST_TRIALS,
    RANGES,
    study_in,
)
from robustaudio.listening.design.trial import CHOICES, SCALES
from robustaudio.listening.run.admission import MOST_LISTENERS
from robustaudio.listening.run.export import FACTS
from robustaudio.listening.run.session import DEVICES, GAINS_DB, MOST_ATTEMPTS, RATES_HZ
from robustaudio.outside import read_json, shown

LONGEST_FILE = 64_000_000  # bytes: a study's sounds have 50 million at most
TAKE = "Take rows.json, from the teacher's page or of `listen analyse --output`."
MOST_ROWS = 50_000  # in all; each has about 1 200 bytes
MOST_RESULTS = MOST_CONDITIONS * MOST_TRIALS  # of an analysis: ABX has one per level
LONGEST_CONDITION = 2 * LONGEST_NAME + len(JOINED)
LONGEST_LISTENER = 80  # characters: a name in a store, or a pseudonym of somebody's own
CRITERION = "d_prime_1"  # of the study's thresholds: what all paradigms have in common
ENDS = ("lower_db", "upper_db")
ADAPTIVE = ("2afc", "3afc")  # paradigms that find thresholds
SIGNS = ("=", "<=", ">=")
FARTHEST_END_DB = 10_000.0  # of an interval: two listeners who differ leave it wide
# of a fit: as many (level, threshold) pairs as some five seconds weigh
MOST_WORK, WORK_PER_TRACK, THRESHOLDS_PER_DB = 6_000_000, 1_000, 2


LINES = whole(0, 10**9)
SIZE, LEVEL = number(-1e12, 1e12), number(*LEVELS_DB)
GRADE = number(min(low for low, _ in SCALES.values()), max(high for _, high in SCALES.values()))
# every column of the export; what else stands in a row is not read
KNOWN: Mapping[str, Column] = {
    "study": text(LONGEST_NAME), "study_title": text(LONGEST_NAME), "study_sha256": text(64),
    "study_gain_db": number(-400, 0), "model_name": text(LONGEST_NAME),
    **{f"model_{name}": (whole if name == "n" else number)(*RANGES[name])
       for name in vars(Model()) if name in RANGES},
    "schema_version": whole(1, 1_000), "app_version": text(LONGEST_NAME),
    "consent_version": whole(1, 1_000), "simulated": FLAG,
    "damaged_lines": LINES, "study_damaged_lines": LINES, "study_damaged_listeners": LINES,
    "listener": needed(text(LONGEST_LISTENER)), "ended": needed(FLAG), "seed": whole(0, 2**63),
    "sample_rate": number(*RATES_HZ), "device": one_of(*DEVICES), "gain_db": number(*GAINS_DB),
    "attempts": whole(0, MOST_ATTEMPTS), "score": number(0, 100), "passed": FLAG,
    "unscreened": FLAG, "clip": text(LONGEST_NAME), "family": text(LONGEST_NAME),
    "intervals": text(1_000), "trial": needed(whole(0, 100_000)),
    "kind": needed(one_of("practice", "catch", "test")),
    "paradigm": needed(one_of(*CHOICES, *SCALES)), "condition": needed(text(LONGEST_CONDITION)),
    "level_db": LEVEL, "interval": whole(0, MOST_ITEMS - 1), "right": whole(0, 2),
    "answer": needed(GRADE), "correct": FLAG, "response_time_s": number(0, 86_400),
    "plays": whole(0, 100_000), "switches": whole(0, 100_000), "hour": text(LONGEST_NAME),
    **dict.fromkeys(FACTS, SIZE), "stimulus_sha256": text(64),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Export:
    """A study with its sounds, and the rows of the listeners who have finished it."""

    study: Study
    rows: Sequence[Row]


@dataclass(frozen=True, eq=False)
class Analysis:
    """The results of a study whose sounds are not known; `model` is the classifier attacked."""

    results: Sequence[dict[str, Any]]
    simulated: bool
    model: str | None


def read_results(path: Path) -> Export | Analysis:
    """The file of a listening study: every value that is used has been checked.

    Raises:
        ValueError: one sentence, for anything else.
    """
    told = _object(path)
    if "rows" in told:
        study = study_in(told.get("study"))
        return Export(study, _rows(told["rows"], study, path.name))
    try:
        return _analysis(told)
    except (KeyError, TypeError, AttributeError):
        raise ValueError(f"{path.name} is not what a listening study exports. {TAKE}") from None


def _object(path: Path) -> dict[str, Any]:
    try:
        told = read_json(path, LONGEST_FILE, path.name)
    except ValueError as error:
        told = None
        if not isinstance(error.__cause__, JSONDecodeError):
            raise ValueError(f"{error} {TAKE}") from error
    if not isinstance(told, dict):
        raise ValueError(f"{path.name} is not the JSON that a listening study exports. {TAKE}")
    if "procedure" in told and "rows" not in told:
        raise ValueError(f"{path.name} is a study, without answers. {TAKE}")
    return told


# --- the export ----------------------------------------------------------------------------------


def _rows(told: Any, study: Study, file: str) -> list[Row]:
    """The rows of who has finished, each column of a type and in a range.

    Raises:
        ValueError: naming the row, the column and the value; for more than a study asks.
    """
    if not isinstance(told, list) or not all(isinstance(row, dict) for row in told):
        raise ValueError(f"{file} is not what a listening study exports. {TAKE}")
    if len(told) > MOST_ROWS:
        raise ValueError(f"{file} has {len(told)} rows; at most {MOST_ROWS}, please.")
    for place, row in enumerate(told, 1):
        _check(row, f"{file}, row {place}", study)
    by_listener = Counter(row["listener"] for row in told)
    if len(by_listener) > MOST_LISTENERS:
        raise ValueError(f"{file} has {len(by_listener)} listeners; {MOST_LISTENERS} are the most.")
    for listener, count in by_listener.items():
        if count > (most := _most_rows(study)):
            raise ValueError(
                f"{file} has {count} rows of the listener {shown(listener)}; the study asks for "
                f"{most} at most."
            )
    _check_work(told, file)
    return [row for row in told if row["ended"]]


def _check(row: Row, where: str, study: Study) -> None:
    """Raise a ValueError for the first column that is missing or holds what it cannot."""
    row.setdefault("ended", True)
    if missing := [name for name in COLUMNS if name not in row]:
        raise ValueError(f"{where} lacks {', '.join(missing)}.")
    check_row(row, KNOWN, where)
    if row["condition"] not in study.procedure.conditions:
        raise ValueError(f"{where}: condition {shown(row['condition'])} is none of the study's.")
    asked = _paradigm(study)
    if row["paradigm"] != asked:
        raise ValueError(f"{where}: paradigm {row['paradigm']} must be the study's, {asked}.")
    if asked in CHOICES:
        answer = needed(whole(0, CHOICES[asked] - 1))
        own = {"level_db": needed(LEVEL), "answer": answer, "correct": needed(FLAG)}
        check_row(row, own, where)


def _paradigm(study: Study) -> str:
    first = study.procedure.next((), 0)
    assert first is not None, "every procedure asks something"
    return first.paradigm


def _most_rows(study: Study) -> int:
    """As many rows as one listener can have: of ratings one per item."""
    procedure, most = study.procedure, MOST_ITEMS * MOST_TRIALS
    if not isinstance(procedure, Adaptive):
        return most
    track = procedure.max_trials if isinstance(procedure, Staircase) else procedure.expected_length
    tests = len(procedure.conditions) * track
    catches = tests // (procedure.block - 1) + 1 if procedure.block else 0
    return min(most, procedure.practice + tests + catches)


def _check_work(rows: Sequence[Row], file: str) -> None:
    """Refuse what would take a minute to fit: many listeners, levels and conditions at once.

    Raises:
        ValueError: for a file whose analysis is already made, and quick to read.
    """
    if not rows or rows[0]["paradigm"] not in ADAPTIVE:
        return
    work = 0
    for track in grouped(rows, "condition", "listener").values():
        levels = {row["level_db"] for row in track}
        around = THRESHOLDS_PER_DB * (max(levels) - min(levels) + 4 * FARTHEST_DB)
        work += WORK_PER_TRACK + len(levels) * around
    if work > MOST_WORK:
        raise ValueError(
            f"{file} has more answers than the ruler can weigh; take analysis.json of "
            "`listen analyse --output`, which has weighed them."
        )


# --- the analysis --------------------------------------------------------------------------------


def _analysis(told: dict[str, Any]) -> Analysis:
    """
    Raises:
        ValueError: naming a value that cannot be.
        KeyError, TypeError, AttributeError: where it is nothing of the kind.
    """
    results, model = told["analysis"]["results"], told.get("model")
    if not isinstance(results, list) or len(results) > MOST_RESULTS:
        raise TypeError("results are a list.")
    if not text(LONGEST_NAME).allows(model):
        raise ValueError(f"model {shown(model)} must be {text(LONGEST_NAME).right}.")
    for result in results:
        _check_result(result)
    return Analysis(results, bool(told.get("simulated")), model)


def _check_result(result: dict[str, Any]) -> None:
    condition, listeners, group = (result[key] for key in ("condition", "listeners", "group"))
    if not is_text(condition, LONGEST_CONDITION):
        raise ValueError(f"condition {shown(condition)} must be {text(LONGEST_CONDITION).right}.")
    if len(listeners) > MOST_LISTENERS:
        count = len(listeners)
        raise ValueError(f"{condition} has {count} listeners; {MOST_LISTENERS} are the most.")
    if "thresholds" not in group:
        return
    for name, own in listeners.items():
        if not is_text(name, LONGEST_LISTENER):
            raise ValueError(f"listener {shown(name)} must be {text(LONGEST_LISTENER).right}.")
        ends = (own["thresholds"][CRITERION][end] for end in ENDS)
        _check_levels(condition, (own["faint_db"], *ends))
        if len(listeners) == 1:
            _check_threshold(condition, own["thresholds"][CRITERION])
    if (found := group["thresholds"][CRITERION]) is not None:
        _check_threshold(condition, found)


def _check_threshold(condition: str, found: dict[str, Any]) -> None:
    levels = (found["level_db"], *(found[end] for end in ENDS))
    if not one_of(*SIGNS).allows(found["sign"]):
        raise ValueError(f"{condition}: sign {shown(found['sign'])} is no threshold in dB's.")
    _check_levels(condition, levels[:1])
    _check_levels(condition, levels[1:], FARTHEST_END_DB)


def _check_levels(
    condition: str, levels: Sequence[Any], beyond_db: float = 4 * FARTHEST_DB
) -> None:
    column = number(LEVELS_DB[0] - beyond_db, LEVELS_DB[1] + beyond_db)
    for level in levels:
        if not column.allows(level):
            raise ValueError(
                f"{condition}: {shown(level)} is no threshold in dB; {column.right} would be right."
            )
