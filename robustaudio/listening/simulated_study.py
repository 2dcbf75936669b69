"""Simulated listeners in a real study: through its procedure, its store and its analysis."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean, stdev
from typing import Any

import numpy as np

from robustaudio.listening.analysis.analyse import analyse
from robustaudio.listening.analysis.by_paradigm import GradeResult, ScoreResult, ThresholdResult
from robustaudio.listening.analysis.thresholds import STAIRCASE_TARGET
from robustaudio.listening.design.trial import to_record
from robustaudio.listening.run import sent
from robustaudio.listening.run.export import judged
from robustaudio.listening.run.open_study import OpenStudy
from robustaudio.listening.run.store import Event
from robustaudio.listening.simulated_listeners import Listener, responses


def name_of(number: int, seed: int) -> str:
    return hashlib.sha256(f"{seed} {number}".encode()).hexdigest()[:20]


def visit(room: OpenStudy, listener: Listener, number: int, seed: int) -> None:
    """One listener takes the study from consent to the end; every answer goes into the store."""
    name = name_of(number, seed)
    begun = sent.start(room.token, name)
    drawn = {"seed": seed + number, "simulated": True}
    room.store.append(replace(begun, data={**begun.data, **drawn}))
    checks = {"sample_rate": 48_000, "device": "unknown", "gain_db": -20.0}
    room.store.append(Event(room.token, name, "sound", 0, checks))
    generator = np.random.default_rng([seed, number])
    given = list(responses(room.study.procedure, listener, seed + number, generator))
    for response in given:
        data = to_record(response)
        room.store.append(Event(room.token, name, "trial", response.trial.number, data))
    room.store.append(Event(room.token, name, "end", 0, {"answers": len(given)}))


def simulate(room: OpenStudy, listeners: Sequence[Listener], seed: int) -> dict[str, Any]:
    """What a study of this size finds out about listeners whose truth is known.

    Per condition: of thresholds the bias, the standard deviation, how many are only bounds, and how
    often the 95 % interval held the truth; of scores how many listeners were right more often than
    guessing explains.
    """
    for number, listener in enumerate(listeners):
        visit(room, listener, number, seed)
    sessions = room.sessions()
    names = {name_of(number, seed): listener for number, listener in enumerate(listeners)}
    analysis = analyse(
        [row for name in names for row in judged(name, sessions[name])], room.study.inaudible_below
    )
    trials = [len(sessions[name].responses) for name in names]
    return {
        "listeners": len(listeners),
        "trials_mean": fmean(trials),
        "excluded": len(analysis.excluded),
        "conditions": [_recovered(result, names) for result in analysis.results],
    }


def _recovered(
    result: ScoreResult | ThresholdResult | GradeResult, truth: dict[str, Listener]
) -> dict[str, Any]:
    """How far the result of each listener lies from the truth."""
    about = {"condition": str(result.condition), "paradigm": result.paradigm.name}
    if not isinstance(result, ThresholdResult):
        about |= {"level_db": result.level_db, "listeners": len(result.listeners)}
        if isinstance(result, GradeResult):
            return about | {"mean": result.group.mean}
        verdicts = [score.verdict for score in result.listeners.values()]
        return about | {"heard": fmean(verdict == "heard" for verdict in verdicts)}
    errors, within = [], []
    for name, fitted in result.listeners.items():
        threshold = fitted.thresholds.correct_79
        true_db = truth[name].level_at(STAIRCASE_TARGET, result.paradigm.guess_rate)
        if threshold.sign == "=":
            errors.append(threshold.level_db - true_db)
        low, high = threshold.lower_db, threshold.upper_db
        within.append((low is None or low <= true_db) and (high is None or true_db <= high))
    return about | {
        "listeners": len(result.listeners),
        "bounds": len(result.listeners) - len(errors),
        "bias_db": fmean(errors) if errors else None,
        "sd_db": stdev(errors) if len(errors) > 1 else None,
        "coverage": fmean(within),
    }
