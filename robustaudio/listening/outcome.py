"""What a listener and a teacher are told: the analysis of the answers, and its words."""

from typing import Any

from robustaudio.listening import rows
from robustaudio.listening.analysis import analyse
from robustaudio.listening.results import standing
from robustaudio.listening.room import Room
from robustaudio.listening.session import Session

THRESHOLD = (
    "A threshold is the level, relative to the clip's, at which you would be right in "
    "79 % of trials: the further below 0 dB, the softer the change that you hear."
)


def own_result(room: Room, code: str) -> dict[str, Any]:
    """The listener's own result, in sentences; only at the very end.

    Raises:
        ValueError: while questions are open.
    """
    name, session = room.find(code)
    if room.state(code)["step"] != "done":
        raise ValueError("the result is told when every question is answered.")
    found = analyse(rows.judged(name, session), room.study.inaudible_below)
    if name in found["excluded"]:
        return {"lines": _left_out(session, found["excluded"][name])}
    lines = [_sentence(one, one["listeners"][name]) for one in found["results"]]
    threshold = any("thresholds" in one["group"] for one in found["results"])
    return {"lines": [*lines, THRESHOLD] if threshold else lines}


def pooled(room: Room) -> dict[str, Any]:
    """What the teacher's page shows while listeners answer: counts, and the analysis so far."""
    sessions = room.sessions()
    ended = {name: session for name, session in sessions.items() if session.ended}
    found = room.remembered(
        frozenset(ended),
        lambda: analyse(
            [row for of in ended.items() for row in rows.judged(*of)], room.study.inaudible_below
        ),
    )
    return {
        "title": room.study.title,
        "model": room.study.model.name,
        "expires": room.expires.isoformat(timespec="minutes"),
        "demo": room.demo,
        "begun": len(sessions),
        "finished": len(ended),
        "simulated": sum(session.simulated for session in sessions.values()),
        "answers": sum(len(session.responses) for session in sessions.values()),
        "unscreened": sum("unscreened" in session.checks for session in sessions.values()),
        # whoever has not ended yet may have been asked too little to say anything
        "analysis": found,
    }


def in_words(result: dict[str, Any]) -> str:
    """What a result says of the group."""
    group = result["group"]
    listeners = group.get("listeners", group.get("count", 0))
    people = f"{listeners} listener{'' if listeners == 1 else 's'}"
    match result["paradigm"]:
        case "abx":
            p = group.get("p_holm", group["p"])
            counts = f"{people}, {group['correct']} of {group['trials']} right (p = {p:.2g})."
            return f"{counts} {group.get('statement', '')}".strip()
        case "2afc" | "3afc":
            found = standing(result)["thresholds"]["correct_79"]
            if found is None:
                return f"{people}: some thresholds lie below all levels, some above: no mean."
            return f"{people}. {_group_threshold(found)}"
    ends = (group["lower"], group["upper"])
    interval = "" if None in ends else f" (95 % interval: {ends[0]:.1f} to {ends[1]:.1f})"
    return f"{people}, mean {group['mean']:.1f}{interval}."


def _group_threshold(found: dict[str, Any]) -> str:
    at = _db(round(found["level_db"], 1))
    if found["sign"] != "=":
        beyond = "softer" if found["sign"] == "<=" else "louder"
        return f"The threshold (79.4 % right) is {at} or {beyond}."
    ends = (found["lower_db"], found["upper_db"])
    if None in ends:
        return f"The threshold (79.4 % right) is {at}."
    low, high = (_db(round(end, 1)) for end in ends)
    return f"The threshold (79.4 % right) is {at}; 95 % interval: {low} to {high}."


def _sentence(result: dict[str, Any], own: dict[str, Any]) -> str:
    """One condition's result for one listener."""
    condition, paradigm = result["condition"], result["paradigm"]
    match paradigm:
        case "abx":
            return _of_abx(f"{condition} at {_db(result['level_db'])}", own)
        case "2afc" | "3afc":
            return _of_threshold(condition, own["thresholds"]["correct_79"])
        case "mushra":
            level_db = result["level_db"]
            item = "the hidden reference" if level_db is None else f"at {_db(level_db)}"
            return f"{condition}, {item}: you gave {own['mean']:.0f} of 100 on average."
    difference = round(own["mean"], 1)
    compared = f"{abs(difference):.1f} {'below' if difference < 0 else 'above'}"
    return (
        f"{condition} at {_db(result['level_db'])}: your grades were "
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
        f"hear it: up to {own['upper']:.0%} right in the long run would still fit your answers."
    )


def _of_threshold(condition: str, found: dict[str, Any]) -> str:
    level = _db(round(found["level_db"]))
    if found["sign"] == "<=":
        return f"{condition}: your threshold lies at or below the softest level, {level}."
    if found["sign"] == ">=":
        return f"{condition}: your threshold lies at or above the loudest level, {level}."
    ends = [found["lower_db"], found["upper_db"]]
    known = [_db(round(end)) for end in ends if end is not None]
    interval = f" (95 % interval: {' to '.join(known)})" if len(known) == 2 else ""
    return f"{condition}: your threshold is about {level}{interval}."


def _db(level_db: float) -> str:
    return f"{level_db:g} dB".replace("-", "−")
