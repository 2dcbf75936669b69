"""Answers as a tidy table: one row per trial, and of ratings one per item, with every fact.

The table holds no code of a listener, no address and no browser; `session` is a pseudonym.
"""

import csv
import io
import json
import re
from dataclasses import asdict
from typing import Any

from robustaudio.listening.design import trial
from robustaudio.listening.design.trial import Response, to_rows
from robustaudio.listening.run.open_study import OpenStudy
from robustaudio.listening.run.session import SCHEMA_VERSION, Session
from robustaudio.perception.levels import amplitude_db

Row = dict[str, Any]
CSV_ENCODING = "utf-8-sig"  # with the mark by which Excel knows UTF-8
FORMULA = re.compile(r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")  # what spreadsheets run (OWASP)
CONSENT = ("schema_version", "app_version", "consent_version", "simulated")
FACTS = (
    "l2", "linf", "snr_db", "sigma", "rms_dbfs_before_gain", "noise_to_mask_db", "stimulus_sha256",
)  # fmt: skip


def judged(name: str, session: Session) -> list[trial.Row]:
    """The rows of one listener that the analysis reads."""
    return [row for response in session.responses for row in to_rows(response, name)]


def tidy(room: OpenStudy) -> list[Row]:
    """Every row of a study, with what the study, the listener and the stimulus add to it.

    `damaged_lines` counts what cannot be read of a listener or is missing, `study_damaged_lines` of
    all and of the study itself, and `study_damaged_listeners` whose lines they are.

    The perturbation's level as played, in dB of full scale, is the sum of `rms_dbfs_before_gain`,
    `study_gain_db` (for all sounds of the study) and `gain_db` (which the listener chose).
    """
    reading = room.reading()
    about = {
        "study": room.token,
        "study_title": room.study.title,
        "study_sha256": room.study.digest,
        "study_gain_db": amplitude_db(room.study.stimuli.gain),
        **{f"model_{key}": value for key, value in asdict(room.study.model).items()},
        "study_damaged_lines": reading.unreadable,
        "study_damaged_listeners": len(reading.damaged),
    }
    return [
        {**about, **_of_listener(name, session), **_of_response(response), **row.to_json()}
        | _of_stimulus(room, response, row.level_db)
        for name, session in reading.sessions.items()
        for response in session.responses
        for row in to_rows(response, name)
    ]


def as_csv(rows: list[Row]) -> str:
    """The rows with a header (RFC 4180), to be encoded by `CSV_ENCODING`.

    A text that a spreadsheet would run as a formula has an apostrophe before it; numbers have none.
    """
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]) if rows else ["study"], lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)
    return out.getvalue()


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and FORMULA.match(value) else value


def as_json(room: OpenStudy, rows: list[Row]) -> str:
    """The rows, the study that they answer (enough to render every stimulus), and what is lost."""
    reading = room.reading()
    damaged = {
        "lines": reading.unreadable,
        "of_study": reading.of_study,
        "listeners": reading.damaged,
        "not_read": reading.strays,
        "store": reading.trouble,
    }
    study = {"schema_version": SCHEMA_VERSION, "study": room.study.record()}
    return json.dumps({**study, "damaged": damaged, "rows": rows}, indent=1, ensure_ascii=False)


def _of_listener(name: str, session: Session) -> Row:
    consent = {name: getattr(session.start, name, None) for name in CONSENT}
    about = {"listener": name, "ended": session.ended, "seed": session.seed}
    return {**consent, **about, "damaged_lines": session.damaged, **asdict(session.checks)}


def _of_response(response: Response) -> Row:
    """Clip and family apart, and what each button played."""
    played = ["clean" if level is None else f"{level:g}" for level in response.trial.intervals]
    return {**asdict(response.trial.condition), "intervals": " | ".join(played)}


def _of_stimulus(room: OpenStudy, response: Response, level_db: float | None) -> Row:
    """Sizes of the perturbation; none of the clean clip."""
    if level_db is None:
        return dict.fromkeys(FACTS)
    return dict(room.study.stimuli.facts(response.trial.condition, level_db))
