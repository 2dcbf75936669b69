"""What a listener's browser sends, checked, as events of the session."""

import secrets
from typing import Any

from robustaudio import __version__
from robustaudio.columns import is_number
from robustaudio.listening.design.trial import Response, Trial, to_record
from robustaudio.listening.run.headphones import PASSES_AT, beep_count
from robustaudio.listening.run.session import SCHEMA_VERSION, Session, hour
from robustaudio.listening.run.store import Event
from robustaudio.listening.run.stored import DEVICES

CONSENT_VERSION = 2  # of the words on the page; another number when they change
RATES_HZ, GAINS_DB = (3_000, 768_000), (-60.0, 0.0)
MOST_ATTEMPTS = 5  # of the screening
MOST_COUNTED = 100_000  # plays and switches of a trial
DAY_S = 86_400


def start(study: str, session: str) -> Event:
    """Consent was given: the first thing that is stored."""
    facts = {
        "schema_version": SCHEMA_VERSION,
        "app_version": __version__,
        "consent_version": CONSENT_VERSION,
        "simulated": False,
        "seed": secrets.randbits(48),
        "check_seed": secrets.randbits(48),
        "hour": hour(),
    }
    return Event(study, session, "start", 0, facts)


def check(kind: str, body: dict[str, Any], current: Session) -> dict[str, Any]:
    """The facts of one check before the trials, by its kind.

    Raises:
        ValueError: for a wrong count of beeps, and for values that cannot be.
    """
    match kind:
        case "sound":  # through what, and at which rate the browser plays
            if body.get("beeps") != beep_count(current.check_seed):
                raise ValueError(
                    "that is not how many there were; play them again, a little louder."
                )
            device = body.get("device", "unknown")
            if device not in DEVICES:
                raise ValueError(f"device {device!r} must be one of {', '.join(DEVICES)}.")
            return {"sample_rate": _number(body, "sample_rate", *RATES_HZ), "device": device}
        case "screening":  # an attempt at the headphone test
            if current.checks.attempts >= MOST_ATTEMPTS:
                raise ValueError(f"{MOST_ATTEMPTS} attempts are the most; go on without, please.")
            answers = body.get("answers")
            score = current.screening.score(answers if isinstance(answers, list) else [])
            return {"score": score, "passed": score >= PASSES_AT[current.screening.kind]}
        case "unscreened":
            return {"unscreened": True}
    # the level that the listener chose, relative to the files; it is locked from now on
    return {"gain_db": _number(body, "gain_db", *GAINS_DB)}


def answer(study: str, session: str, body: dict[str, Any], trial: Trial) -> Event:
    """The answer to a trial.

    Raises:
        ValueError: for an answer that the trial does not offer, or counts that cannot be.
    """
    given: Any = body.get("answer")
    response = Response(
        trial,
        tuple(given) if isinstance(given, list) else given,
        round(_number(body, "response_time_s", 0, DAY_S), 3),
        int(_number(body, "plays", 0, MOST_COUNTED)),
        int(_number(body, "switches", 0, MOST_COUNTED)),
        hour(),
    )
    return Event(study, session, "trial", trial.number, to_record(response))


def _number(body: dict[str, Any], name: str, low: float, high: float) -> float:
    value: Any = body.get(name)
    if not is_number(value) or not low <= value <= high:
        raise ValueError(f"{name} {value!r} must be a number from {low:g} to {high:g}.")
    return value
