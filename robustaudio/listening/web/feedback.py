"""What a listener and a teacher are told: the analysis of the answers, and its words."""

from typing import Any

from robustaudio.listening.analysis.analyse import analyse
from robustaudio.listening.analysis.by_paradigm import Record, standing
from robustaudio.listening.run import export
from robustaudio.listening.run.open_study import OpenStudy, Reading
from robustaudio.listening.run.session import Session

FEW = 5  # listeners: with fewer, what is said of a group says little about others
THRESHOLD_LEGEND = (
    "A threshold is the level at which 79.4 % of answers are right, where a 3-down 1-up staircase "
    "settles. Dots are answers, larger where there are more; the line is the mean of the "
    "listeners' curves, in its 95 % band; dashes and the bar at the foot are the threshold and its "
    "95 % interval."
)
RATING_LEGEND = "Dots and numbers are means over listeners, bars their 95 % intervals."
LEGENDS = {
    "abx": (
        "p says how often guessing alone comes out as well or better. It is taken over listeners, "
        "for they differ, and adjusted for the number of results (Holm)."
    ),
    "2afc": THRESHOLD_LEGEND,
    "3afc": THRESHOLD_LEGEND,
    "mushra": RATING_LEGEND,
    "impairment": RATING_LEGEND,
}
THRESHOLD = (
    "A threshold is the level, relative to the clip's, at which you would be right in "
    "79 % of trials: the further below 0 dB, the softer the change that you hear."
)


def own_result(room: OpenStudy, code: str) -> dict[str, Any]:
    """The listener's own result, in sentences; only at the very end.

    Raises:
        ValueError: while questions are open.
    """
    name, session = room.find(code)
    if room.state(code)["step"] != "done":
        raise ValueError("the result is told when every question is answered.")
    found = analyse(export.judged(name, session), room.study.inaudible_below)
    if name in found["excluded"]:
        return {"lines": _left_out(session, found["excluded"][name])}
    lines = [_sentence(one, one["listeners"][name]) for one in found["results"]]
    threshold = any("thresholds" in one["group"] for one in found["results"])
    return {"lines": [*lines, THRESHOLD] if threshold else lines}


def pooled(room: OpenStudy) -> dict[str, Any]:
    """What the teacher's page shows while listeners answer: counts, and the analysis so far."""
    reading = room.reading()
    sessions = reading.sessions
    ended = {name: session for name, session in sessions.items() if session.ended}
    found = room.remembered(
        frozenset((name, len(session.responses)) for name, session in ended.items()),
        lambda: analyse(
            [row for of in ended.items() for row in export.judged(*of)], room.study.inaudible_below
        ),
    )
    return {
        "title": room.study.title,
        "model": room.study.model.name,
        "expires": None if room.closed else room.expires.isoformat(timespec="minutes"),
        "closed": room.closed,
        "demo": room.demo,
        "begun": len(sessions),
        "finished": len(ended),
        "simulated": sum(session.simulated for session in sessions.values()),
        "answers": sum(len(session.responses) for session in sessions.values()),
        "damaged": [*reading.damaged],
        "unreadable": reading.unreadable,
        "damage": damage(reading),
        "wireless": sum(of.checks.get("device") == "wireless" for of in sessions.values()),
        "unscreened": sum("unscreened" in session.checks for session in sessions.values()),
        # whoever has not ended yet may have been asked too little to say anything
        "analysis": found,
    }


def damage(reading: Reading) -> str:
    """A sentence on what of a study cannot be read; empty if everything can."""
    said = [reading.trouble] if reading.trouble else []
    if reading.damaged:
        lines, names = sum(reading.damaged.values()), ", ".join(reading.damaged)
        listeners = f"{len(reading.damaged)} listener{_plural(len(reading.damaged))}"
        said.append(
            f"{lines} line{_plural(lines)} of {listeners} cannot be read or "
            f"{'is' if lines == 1 else 'are'} missing: {names}."
        )
    if reading.of_study:
        lines = reading.of_study
        said.append(f"{lines} line{_plural(lines)} of the study itself cannot be read.")
    if reading.strays:
        said.append(f"Not read, for no listener is called so: {', '.join(reading.strays)}.")
    return " ".join(said)


def _plural(count: int) -> str:
    return "" if count == 1 else "s"


def in_words(result: Record) -> str:
    """What a result says of the group; of ratings what is graded, for a picture has the levels."""
    group = result["group"]
    match result["paradigm"]:
        case "abx":
            said = f"{group['correct']} of {group['trials']} right. {group['statement']}"
        case "2afc" | "3afc":
            said = _group_threshold(standing(result)["thresholds"]["correct_79"])
        case "mushra":
            said = "Mean grades, from 0 (bad) to 100 (excellent)."
        case _:
            said = "Mean grades, from 1 to 5, less the hidden reference's: 0 is no difference."
    listeners = group.get("listeners", group.get("count"))
    few = " So few listeners say little about others." if listeners < FEW else ""
    return f"{listeners} listener{'' if listeners == 1 else 's'}. {said}{few}"


def item(result: Record) -> str:
    """What was graded: a level, or the clean clip among the levels."""
    return "hidden reference" if result["level_db"] is None else db(result["level_db"])


def _group_threshold(found: Record | None) -> str:
    if found is None:
        return "Some thresholds lie below all levels, some above: no mean."
    at = db(round(found["level_db"], 1))
    if found["sign"] != "=":
        return f"The threshold is {at} or {'softer' if found['sign'] == '<=' else 'louder'}."
    ends = (found["lower_db"], found["upper_db"])
    if None in ends:
        return f"The threshold is {at}."
    low, high = (db(round(end, 1)) for end in ends)
    return f"The threshold is {at}; 95 % interval: {low} to {high}."


def _sentence(result: dict[str, Any], own: dict[str, Any]) -> str:
    """One condition's result for one listener."""
    condition, paradigm = result["condition"], result["paradigm"]
    match paradigm:
        case "abx":
            return _of_abx(f"{condition} at {db(result['level_db'])}", own)
        case "2afc" | "3afc":
            return _of_threshold(condition, own["thresholds"]["correct_79"])
        case "mushra":
            return f"{condition}, {item(result)}: you gave {own['mean']:.0f} of 100 on average."
    difference = round(own["mean"], 1)
    compared = f"{abs(difference):.1f} {'below' if difference < 0 else 'above'}"
    return (
        f"{condition} at {db(result['level_db'])}: your grades were "
        f"{compared if difference else 'the same as'} the clean clip's on average."
    )


def _left_out(session: Session, reason: str) -> list[str]:
    """Why a listener's answers do not count, by the rule that excludes them."""
    caught = [bool(r.correct) for r in session.responses if r.trial.kind == "catch"]
    why = f"On every page one of the sounds was the reference itself, unmarked: you {reason}."
    if caught:
        easy = "Some trials were easy, to see whether sound comes through and is heard"
        why = f"{easy}: {caught.count(False)} of your {len(caught)} answers to them were wrong."
    return [why, "By a rule that was fixed beforehand, your answers do not count in the result."]


def _of_abx(name: str, own: dict[str, Any]) -> str:
    """By the verdict of the analysis, which is adjusted for the number of levels."""
    counts = f"{name}: {own['correct']} of {own['trials']} right."
    if own["verdict"] == "heard":
        return f"{counts} That is more often right than guessing explains."
    return (
        f"{counts} Guessing alone may be right that often. That does not show that you cannot "
        f"hear it: up to {100 * own['upper']:.0f} % right in the long run would still fit your "
        "answers."
    )


def _of_threshold(condition: str, found: dict[str, Any]) -> str:
    level = db(round(found["level_db"]))
    if found["sign"] == "<=":
        return f"{condition}: your threshold lies at or below the softest level, {level}."
    if found["sign"] == ">=":
        return f"{condition}: your threshold lies at or above the loudest level, {level}."
    ends = [found["lower_db"], found["upper_db"]]
    known = [db(round(end)) for end in ends if end is not None]
    interval = f" (95 % interval: {' to '.join(known)})" if len(known) == 2 else ""
    return f"{condition}: your threshold is about {level}{interval}."


def db(level_db: float) -> str:
    return f"{level_db:g} dB".replace("-", "−")
