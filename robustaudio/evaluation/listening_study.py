"""Reads what a listening study leaves, strictly: its export, or its analysis.

Both may come from anybody. The export (`rows.json`) holds the study with its sounds and a row per
answer; the analysis (`analysis.json`, `listen analyse --json`) holds names and thresholds only.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from json import JSONDecodeError
from pathlib import Path
from typing import Any

from robustaudio.columns import (
    FLAG,
    Column,
    check_row,
    columns_of,
    is_text,
    needed,
    number,
    one_of,
    text,
    whole,
)
from robustaudio.listening.analysis.by_paradigm import grouped
from robustaudio.listening.analysis.thresholds import FARTHEST_DB, SIGNS, Threshold
from robustaudio.listening.design.forced_choice import Adaptive
from robustaudio.listening.design.options import LEVELS_DB
from robustaudio.listening.design.paradigm import LEVEL, TrackedChoice
from robustaudio.listening.design.procedures import Staircase
from robustaudio.listening.design.ratings import MOST_ITEMS
from robustaudio.listening.design.study import PARADIGMS, Model, Study
from robustaudio.listening.design.study_file import (
    LONGEST_NAME,
    MOST_CONDITIONS,
    MOST_TRIALS,
    study_in,
)
from robustaudio.listening.design.trial import COLUMNS, Condition, Row, from_row
from robustaudio.listening.run.admission import MOST_LISTENERS
from robustaudio.listening.run.export import FACTS
from robustaudio.listening.run.sent import GAINS_DB, MOST_ATTEMPTS, RATES_HZ
from robustaudio.listening.run.stored import DEVICES
from robustaudio.outside import read_json, shown

LONGEST_FILE = 64_000_000  # bytes: a study's sounds have 50 million at most
TAKE = "Take rows.json, from the teacher's page or of `listen analyse --output`."
MOST_ROWS = 50_000  # in all; each has about 1 200 bytes
MOST_RESULTS = MOST_CONDITIONS * MOST_TRIALS  # of an analysis: ABX has one per level
LONGEST_CONDITION = 2 * LONGEST_NAME + len(str(Condition("", "")))
LONGEST_LISTENER = 80  # characters: a name in a store, or a pseudonym of somebody's own
FARTHEST_END_DB = 10_000.0  # of an interval: two listeners who differ leave it wide
# of a fit: as many (level, threshold) pairs as some five seconds weigh
MOST_WORK, WORK_PER_TRACK, THRESHOLDS_PER_DB = 6_000_000, 1_000, 2


LINES = whole(0, 10**9)
SIZE = number(-1e12, 1e12)
# every column of the export; what else stands in a row is not read
KNOWN: Mapping[str, Column] = {
    "study": text(LONGEST_NAME), "study_title": text(LONGEST_NAME), "study_sha256": text(64),
    "study_gain_db": number(-400, 0),
    **{f"model_{name}": replace(column, optional=True)
       for name, column in columns_of(Model).items()},
    "schema_version": whole(1, 1_000), "app_version": text(LONGEST_NAME),
    "consent_version": whole(1, 1_000), "simulated": FLAG,
    "damaged_lines": LINES, "study_damaged_lines": LINES, "study_damaged_listeners": LINES,
    "listener": needed(text(LONGEST_LISTENER)), "ended": needed(FLAG), "seed": whole(0, 2**63),
    "sample_rate": number(*RATES_HZ), "device": one_of(*DEVICES), "gain_db": number(*GAINS_DB),
    "attempts": whole(0, MOST_ATTEMPTS), "score": number(0, 100), "passed": FLAG,
    "unscreened": FLAG, "clip": text(LONGEST_NAME), "family": text(LONGEST_NAME),
    "intervals": text(1_000), "trial": needed(whole(0, 100_000)),
    "kind": needed(one_of("practice", "catch", "test")),
    "paradigm": needed(one_of(*PARADIGMS)), "condition": needed(text(LONGEST_CONDITION)),
    "level_db": LEVEL, "interval": whole(0, MOST_ITEMS - 1), "right": whole(0, 2),
    "answer": needed(SIZE), "correct": FLAG, "response_time_s": number(0, 86_400),
    "plays": whole(0, 100_000), "switches": whole(0, 100_000), "hour": text(LONGEST_NAME),
    **dict.fromkeys(FACTS, SIZE), "stimulus_sha256": text(64),
}  # fmt: skip


@dataclass(frozen=True)
class ListenerThreshold:
    """What one listener shows of a family, in dB; None where nothing bounds it.

    Below `faint_db` hardly anything is heard (60 % of two intervals right); the threshold (76 %)
    lies between `lower_db` and `upper_db`. All are ends of 95 % intervals.
    """

    faint_db: float | None
    lower_db: float | None
    upper_db: float | None


@dataclass(frozen=True)
class GroupThreshold:
    """The threshold at d' = 1 of a single listener, or the mean of several; and each listener's.

    With `sign` "<=" or ">=" `level_db` is a bound; with None some heard everything and some
    nothing. An end of the 95 % interval is None where nothing bounds it.
    """

    listeners: tuple[ListenerThreshold, ...]
    sign: str | None = None
    level_db: float | None = None
    lower_db: float | None = None
    upper_db: float | None = None

    @classmethod
    def of(
        cls, listeners: Iterable[ListenerThreshold], threshold: Threshold | None
    ) -> "GroupThreshold":
        return cls(tuple(listeners), **(vars(threshold) if threshold else {}))


@dataclass(frozen=True, eq=False)
class Export:
    """A study with its sounds, and the rows of the listeners who have finished it."""

    study: Study
    rows: Sequence[Row]
    simulated: bool


@dataclass(frozen=True)
class ListedResult:
    """A result of an analysis; `threshold` is None where its paradigm finds none.

    Earlier versions wrote the text of a condition alone; then `parts` is None.
    """

    text: str
    parts: Condition | None
    threshold: GroupThreshold | None

    @property
    def clip(self) -> str:
        """The clip's name; of a text alone, up to the last separator."""
        separator = str(Condition("", ""))
        return self.parts.clip if self.parts else self.text.rpartition(separator)[0]

    def family_of(self, clip: str) -> str | None:
        """The family of a clip that this is about; None where it is about another clip."""
        if self.parts:
            return self.parts.family if self.parts.clip == clip else None
        beginning = str(Condition(clip, ""))
        return self.text.removeprefix(beginning) if self.text.startswith(beginning) else None


@dataclass(frozen=True, eq=False)
class ListedAnalysis:
    """The results of a study whose sounds are not known; `model` is the classifier attacked."""

    results: Sequence[ListedResult]
    simulated: bool
    model: str | None


def read_results(path: Path) -> Export | ListedAnalysis:
    """The file of a listening study: every value that is used has been checked.

    Raises:
        ValueError: one sentence, for anything else.
    """
    content = _object(path)
    if "rows" in content:
        study = study_in(content.get("study"))
        return _export(content["rows"], study, path.name)
    try:
        return _analysis(content)
    except (KeyError, TypeError, AttributeError):
        raise ValueError(f"{path.name} is not what a listening study exports. {TAKE}") from None


def _object(path: Path) -> dict[str, Any]:
    try:
        content = read_json(path, LONGEST_FILE, path.name)
    except ValueError as error:
        content = None
        if not isinstance(error.__cause__, JSONDecodeError):
            raise ValueError(f"{error} {TAKE}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path.name} is not the JSON that a listening study exports. {TAKE}")
    if "procedure" in content and "rows" not in content:
        raise ValueError(f"{path.name} is a study, without answers. {TAKE}")
    return content


# --- the export ----------------------------------------------------------------------------------


def _export(records: Any, study: Study, file: str) -> Export:
    """The rows of the listeners who have finished, every column checked."""
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise ValueError(f"{file} is not what a listening study exports. {TAKE}")
    if len(records) > MOST_ROWS:
        raise ValueError(f"{file} has {len(records)} rows; at most {MOST_ROWS}, please.")
    rows = [_row(record, f"{file}, row {place}", study) for place, record in enumerate(records, 1)]
    by_listener = Counter(row.listener for row in rows)
    if len(by_listener) > MOST_LISTENERS:
        raise ValueError(f"{file} has {len(by_listener)} listeners; {MOST_LISTENERS} are the most.")
    for listener, count in by_listener.items():
        if count > (most := _most_rows(study)):
            raise ValueError(
                f"{file} has {count} rows of the listener {shown(listener)}; the study asks for "
                f"{most} at most."
            )
    _check_work(rows, file)
    ended = [place for place, record in enumerate(records) if record.get("ended", True)]
    simulated = any(records[place].get("simulated") for place in ended)
    return Export(study, [rows[place] for place in ended], simulated)


def _row(record: dict[str, Any], where: str, study: Study) -> Row:
    """A row, its columns checked."""
    if missing := [name for name in COLUMNS if name not in record]:
        raise ValueError(f"{where} lacks {', '.join(missing)}.")
    check_row(record, KNOWN, where)
    try:
        row = from_row(record, study.procedure)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    check_row(record, row.paradigm.columns, where)
    return row


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
    """Refuse what would take a minute to fit: many listeners, levels and conditions at once."""
    if not rows or not isinstance(rows[0].paradigm, TrackedChoice):
        return
    work = 0
    for track in grouped(rows, lambda row: (row.condition, row.listener)).values():
        levels = {row.level_db for row in track if row.level_db is not None}
        around = THRESHOLDS_PER_DB * (max(levels) - min(levels) + 4 * FARTHEST_DB)
        work += WORK_PER_TRACK + len(levels) * around
    if work > MOST_WORK:
        raise ValueError(
            f"{file} has more answers than the ruler can weigh; take analysis.json of "
            "`listen analyse --output`, which has weighed them."
        )


# --- the analysis --------------------------------------------------------------------------------


def _analysis(content: dict[str, Any]) -> ListedAnalysis:
    results, model = content["analysis"]["results"], content.get("model")
    if not isinstance(results, list) or len(results) > MOST_RESULTS:
        raise TypeError("results are a list.")
    if not text(LONGEST_NAME).allows(model):
        raise ValueError(f"model {shown(model)} must be {text(LONGEST_NAME).right}.")
    return ListedAnalysis([*map(_result, results)], bool(content.get("simulated")), model)


def _result(record: dict[str, Any]) -> ListedResult:
    condition, listeners, group = (record[key] for key in ("condition", "listeners", "group"))
    if not is_text(condition, LONGEST_CONDITION):
        raise ValueError(f"condition {shown(condition)} must be {text(LONGEST_CONDITION).right}.")
    if len(listeners) > MOST_LISTENERS:
        count = len(listeners)
        raise ValueError(f"{condition} has {count} listeners; {MOST_LISTENERS} are the most.")
    parts = Condition(record["clip"], record["family"]) if "clip" in record else None
    if parts and str(parts) != condition:
        raise ValueError(f"condition {shown(condition)} must be of its clip and family.")
    threshold = _threshold(condition, listeners, group) if "thresholds" in group else None
    return ListedResult(condition, parts, threshold)


def _threshold(condition: str, listeners: dict, group: dict[str, Any]) -> GroupThreshold:
    """At d' = 1, which all paradigms have in common: the group's, or a single listener's own."""
    each, common = [], group["thresholds"]["d_prime_1"]
    standing = None if common is None else _checked_threshold(condition, common)
    for name, fitted in listeners.items():
        if not is_text(name, LONGEST_LISTENER):
            raise ValueError(f"listener {shown(name)} must be {text(LONGEST_LISTENER).right}.")
        threshold = fitted["thresholds"]["d_prime_1"]
        ends = ListenerThreshold(fitted["faint_db"], threshold["lower_db"], threshold["upper_db"])
        _check_levels(condition, (ends.faint_db, ends.lower_db, ends.upper_db))
        each.append(ends)
        if len(listeners) == 1:
            standing = _checked_threshold(condition, threshold)
    return GroupThreshold.of(each, standing)


def _checked_threshold(condition: str, record: dict[str, Any]) -> Threshold:
    names = ("sign", "level_db", "lower_db", "upper_db")
    threshold = Threshold(*(record[name] for name in names))
    if not one_of(*SIGNS).allows(threshold.sign):
        raise ValueError(f"{condition}: sign {shown(threshold.sign)} is no threshold in dB's.")
    _check_levels(condition, (threshold.level_db,))
    _check_levels(condition, (threshold.lower_db, threshold.upper_db), FARTHEST_END_DB)
    return threshold


def _check_levels(
    condition: str, levels: Sequence[Any], beyond_db: float = 4 * FARTHEST_DB
) -> None:
    column = number(LEVELS_DB[0] - beyond_db, LEVELS_DB[1] + beyond_db)
    for level in levels:
        if not column.allows(level):
            raise ValueError(
                f"{condition}: {shown(level)} is no threshold in dB; {column.right} would be right."
            )
