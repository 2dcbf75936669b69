"""What a listener and a teacher read: the analysis of the answers, and its words."""

from dataclasses import dataclass
from typing import Any

from robustaudio.listening.analysis.analyse import Analysis, analyse
from robustaudio.listening.analysis.by_paradigm import (
    GradeResult,
    Judged,
    Result,
    ScoreResult,
    ThresholdResult,
)
from robustaudio.listening.analysis.thresholds import Threshold
from robustaudio.listening.design.paradigm import ComparedRating, Rating
from robustaudio.listening.design.trial import Condition
from robustaudio.listening.run import export
from robustaudio.listening.run.open_study import OpenStudy
from robustaudio.listening.run.replays import Reading
from robustaudio.listening.run.session import Session

FEW = 5  # listeners: with fewer, what is said of a group says little about others
SCORE_LEGEND = (
    "p says how often guessing alone comes out as well or better. It is taken over listeners, "
    "for they differ, and adjusted for the number of results (Holm)."
)
THRESHOLD_LEGEND = (
    "A threshold is the level at which 79.4 % of answers are right, where a 3-down 1-up staircase "
    "settles. Dots are answers, larger where there are more; the line is the mean of the "
    "listeners' curves, in its 95 % band; dashes and the bar at the foot are the threshold and its "
    "95 % interval."
)
RATING_LEGEND = "Dots and numbers are means over listeners, bars their 95 % intervals."
THRESHOLD = (
    "A threshold is the level, relative to the clip's, at which you would be right in "
    "79 % of trials: the further below 0 dB, the softer the change that you hear."
)


@dataclass(frozen=True)
class Pooled:
    """A study's listeners so far: counts, what cannot be read, and the analysis of who has ended.

    `expires` is None where the end of the study cannot be read; `closed` says so. `damaged` names
    the listeners whose lines are `unreadable`, `damage` says so in a sentence.
    """

    title: str
    model: str | None
    expires: str | None
    closed: str
    demo: bool
    begun: int
    finished: int
    simulated: int
    answers: int
    damaged: tuple[str, ...]
    unreadable: int
    damage: str
    wireless: int
    unscreened: int
    analysis: Analysis

    def counts(self) -> dict[str, Any]:
        """All but the analysis, as JSON."""
        values = {name: value for name, value in vars(self).items() if name != "analysis"}
        return values | {"damaged": [*self.damaged]}

    def to_json(self) -> dict[str, Any]:
        return self.counts() | {"analysis": self.analysis.to_json()}


def own_result(room: OpenStudy, code: str) -> dict[str, Any]:
    """The listener's own result, in sentences; only at the very end.

    Raises:
        ValueError: while questions are open.
    """
    name, session = room.find(code)
    if room.state(code)["step"] != "done":
        raise ValueError("the result is told when every question is answered.")
    analysis = analyse(export.judged(name, session), room.study.inaudible_below)
    if name in analysis.excluded:
        return {"lines": _left_out(session, analysis.excluded[name])}
    lines = [own_sentence(result, name) for result in analysis.results]
    threshold = any(isinstance(result, ThresholdResult) for result in analysis.results)
    return {"lines": [*lines, THRESHOLD] if threshold else lines}


def pooled(room: OpenStudy) -> Pooled:
    """What the teacher's page shows while listeners answer: counts, and the analysis so far."""
    reading = room.reading()
    sessions = reading.sessions
    # whoever has not ended yet may have been asked too little to say anything
    ended = {name: session for name, session in sessions.items() if session.ended}
    analysis = room.remembered(
        frozenset((name, len(session.responses)) for name, session in ended.items()),
        lambda: analyse(
            [row for finished in ended.items() for row in export.judged(*finished)],
            room.study.inaudible_below,
        ),
    )
    return Pooled(
        title=room.study.title,
        model=room.study.model.name,
        expires=None if room.closed else room.expires.isoformat(timespec="minutes"),
        closed=room.closed,
        demo=room.demo,
        begun=len(sessions),
        finished=len(ended),
        simulated=sum(session.simulated for session in sessions.values()),
        answers=sum(len(session.responses) for session in sessions.values()),
        damaged=tuple(reading.damaged),
        unreadable=reading.unreadable,
        damage=damage(reading),
        wireless=sum(session.checks.device == "wireless" for session in sessions.values()),
        unscreened=sum(bool(session.checks.unscreened) for session in sessions.values()),
        analysis=analysis,
    )


def damage(reading: Reading) -> str:
    """A sentence on what of a study cannot be read; empty if everything can."""
    sentences = [reading.trouble] if reading.trouble else []
    if reading.damaged:
        lines, names = sum(reading.damaged.values()), ", ".join(reading.damaged)
        listeners = _counted(len(reading.damaged), "listener")
        are = "is" if lines == 1 else "are"
        sentences.append(
            f"{_counted(lines, 'line')} of {listeners} cannot be read or {are} missing: {names}."
        )
    if reading.of_study:
        lines = _counted(reading.of_study, "line")
        sentences.append(f"{lines} of the study itself cannot be read.")
    if reading.strays:
        sentences.append(f"Not read, for no listener is called so: {', '.join(reading.strays)}.")
    return " ".join(sentences)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def legend(result: Result) -> str:
    """What the numbers and the picture of such results mean."""
    match result:
        case ScoreResult():
            return SCORE_LEGEND
        case ThresholdResult():
            return THRESHOLD_LEGEND
    return RATING_LEGEND


def in_words(result: ScoreResult | ThresholdResult | GradeResult) -> str:
    """What a result says of the group; of ratings what is graded, for a picture has the levels."""
    match result:
        case ScoreResult(group=group):
            words = f"{group.correct} of {group.trials} right. {group.statement}"
        case ThresholdResult():
            words = _group_threshold(result.thresholds.correct_79)
        case GradeResult():
            words = result.paradigm.summary
    few = " So few listeners say little about others." if result.count < FEW else ""
    return f"{_counted(result.count, 'listener')}. {words}{few}"


def item(result: Result) -> str:
    """What was graded: a level, or the clean clip among the levels."""
    return "hidden reference" if result.level_db is None else db(result.level_db)


def _group_threshold(threshold: Threshold | None) -> str:
    if threshold is None:
        return "Some thresholds lie below all levels, some above: no mean."
    at = db(round(threshold.level_db, 1))
    if threshold.sign != "=":
        return f"The threshold is {at} or {'softer' if threshold.sign == '<=' else 'louder'}."
    if threshold.lower_db is None or threshold.upper_db is None:
        return f"The threshold is {at}."
    low, high = db(round(threshold.lower_db, 1)), db(round(threshold.upper_db, 1))
    return f"The threshold is {at}; 95 % interval: {low} to {high}."


def own_sentence(result: ScoreResult | ThresholdResult | GradeResult, listener: str) -> str:
    """One condition's result for one listener, by their name."""
    match result:
        case ScoreResult(listeners=scores):
            return score_sentence(f"{result.condition} at {item(result)}", scores[listener])
        case ThresholdResult(listeners=fits):
            threshold = fits[listener].thresholds.correct_79
            return threshold_sentence(result.condition, threshold)
    return grade_sentence(
        result.paradigm, result.condition, item(result), result.listeners[listener].mean
    )


def score_sentence(name: str, score: Judged) -> str:
    """By the verdict of the analysis, which is adjusted for the number of levels."""
    counts = f"{name}: {score.correct} of {score.trials} right."
    if score.verdict == "heard":
        return f"{counts} That is more often right than guessing explains."
    return (
        f"{counts} Guessing alone may be right that often. That does not show that you cannot "
        f"hear it: up to {100 * score.upper:.0f} % right in the long run would still fit your "
        "answers."
    )


def threshold_sentence(condition: Condition | str, threshold: Threshold) -> str:
    level = db(round(threshold.level_db))
    if threshold.sign == "<=":
        return f"{condition}: your threshold lies at or below the softest level, {level}."
    if threshold.sign == ">=":
        return f"{condition}: your threshold lies at or above the loudest level, {level}."
    ends = (threshold.lower_db, threshold.upper_db)
    known = [db(round(end)) for end in ends if end is not None]
    interval = f" (95 % interval: {' to '.join(known)})" if len(known) == 2 else ""
    return f"{condition}: your threshold is about {level}{interval}."


def grade_sentence(paradigm: Rating, condition: Condition | str, item: str, mean: float) -> str:
    if not isinstance(paradigm, ComparedRating):
        return f"{condition}, {item}: you gave {mean:.0f} of {paradigm.scale[1]:g} on average."
    difference = round(mean, 1)
    compared = f"{abs(difference):.1f} {'below' if difference < 0 else 'above'}"
    return (
        f"{condition} at {item}: your grades were "
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


def db(level_db: float) -> str:
    return f"{level_db:g} dB".replace("-", "−")
