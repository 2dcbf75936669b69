"""What a listener and a teacher are told: the analysis of the answers, and its words."""

from typing import Any

from robustaudio.listening import rows
from robustaudio.listening.analysis import analyse
from robustaudio.listening.room import Room

ALPHA = 0.05


def own_result(room: Room, code: str) -> dict[str, Any]:
    """The listener's own result, in sentences; only at the very end.

    Raises:
        ValueError: while questions are open.
    """
    name, session = room.find(code)
    if room.state(code)["step"] != "done":
        raise ValueError("the result is told when every question is answered.")
    found = analyse(rows.judged(name, session), room.study.inaudible_below)
    reason = found["excluded"].get(name)
    if reason:
        easy = f"Some questions were easy, to see whether sound came through: you {reason}."
        return {"lines": [easy, "So your answers do not count towards the result."]}
    return {"lines": [_sentence(one, one["listeners"][name]) for one in found["results"]]}


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
        "expires": room.expires.isoformat(timespec="minutes"),
        "demo": room.demo,
        "begun": len(sessions),
        "finished": len(ended),
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
            found = group["thresholds"]["correct_79"]
            if found is None:
                return f"{people}: some heard everything, some nothing; no common threshold."
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
    worse = max(0.0, -own["mean"])
    return (
        f"{condition} at {_db(result['level_db'])}: your grades were {worse:.1f} below the clean "
        "clip's on average."
    )


def _of_abx(name: str, own: dict[str, Any]) -> str:
    counts = f"{name}: {own['correct']} of {own['trials']} right."
    by_chance = f"Whoever guesses gets that many or more in {own['p']:.1%} of tests"
    if own["p"] <= ALPHA:
        return f"{counts} {by_chance}: you very probably heard it."
    return (
        f"{counts} {by_chance}. That shows neither that you heard it nor that you cannot: "
        f"up to {own['upper']:.0%} right would still fit your answers."
    )


def _of_threshold(condition: str, found: dict[str, Any]) -> str:
    if found["sign"] == "<=":
        return f"{condition}: you heard even the softest, at {_db(round(found['level_db']))}."
    if found["sign"] == ">=":
        return (
            f"{condition}: you did not hear even the loudest, at {_db(round(found['level_db']))}."
        )
    ends = [found["lower_db"], found["upper_db"]]
    known = [_db(round(end)) for end in ends if end is not None]
    interval = f" (95 % interval: {' to '.join(known)})" if len(known) == 2 else ""
    return f"{condition}: you heard it from about {_db(round(found['level_db']))}{interval}."


def _db(level_db: float) -> str:
    return f"{level_db:g} dB".replace("-", "−")
