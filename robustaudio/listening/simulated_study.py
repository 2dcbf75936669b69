"""Simulated listeners in a real study: through its procedure, its store and its analysis."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean, stdev
from typing import Any

import numpy as np

from robustaudio.listening.analysis.analyse import analyse
from robustaudio.listening.analysis.thresholds import STAIRCASE_TARGET
from robustaudio.listening.design.trial import CHOICES, to_record
from robustaudio.listening.run import session
from robustaudio.listening.run.export import judged
from robustaudio.listening.run.open_study import OpenStudy
from robustaudio.listening.run.store import Event
from robustaudio.listening.simulated_listeners import Listener, responses

GAIN_DB, RATE_HZ = -20.0, 48_000


def name_of(number: int, seed: int) -> str:
    return hashlib.sha256(f"{seed} {number}".encode()).hexdigest()[:20]


def visit(room: OpenStudy, listener: Listener, number: int, seed: int) -> None:
    """One listener takes the study from consent to the end; every answer goes into the store."""
    name = name_of(number, seed)
    begun = session.start(room.token, name)
    own_seed = seed + number
    room.store.append(replace(begun, data={**begun.data, "seed": own_seed, "simulated": True}))
    checks = {"sample_rate": RATE_HZ, "device": "unknown", "gain_db": GAIN_DB}
    room.store.append(Event(room.token, name, "sound", 0, checks))
    generator = np.random.default_rng([seed, number])
    given = list(responses(room.study.procedure, listener, own_seed, generator))
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
    found = analyse(
        [row for name in names for row in judged(name, sessions[name])], room.study.inaudible_below
    )
    trials = [len(sessions[name].responses) for name in names]
    return {
        "listeners": len(listeners),
        "trials_mean": fmean(trials),
        "excluded": len(found["excluded"]),
        "conditions": [_recovered(result, names) for result in found["results"]],
    }


def _recovered(result: dict[str, Any], truth: dict[str, Listener]) -> dict[str, Any]:
    """How far the result of each listener lies from the truth."""
    own = result["listeners"]
    about = {"condition": result["condition"], "paradigm": result["paradigm"]}
    if result["paradigm"] not in ("2afc", "3afc"):
        score = {"level_db": result["level_db"], "listeners": len(own)}
        if result["paradigm"] == "abx":
            heard = fmean(one["verdict"] == "heard" for one in own.values())
            return about | score | {"heard": heard}
        return about | score | {"mean": result["group"]["mean"]}
    guess, errors, held = 1 / CHOICES[result["paradigm"]], [], []
    for name, one in own.items():
        estimate = one["thresholds"]["correct_79"]
        true_db = truth[name].level_at(STAIRCASE_TARGET, guess)
        if estimate["sign"] == "=":
            errors.append(estimate["level_db"] - true_db)
        low, high = estimate["lower_db"], estimate["upper_db"]
        held.append((low is None or low <= true_db) and (high is None or true_db <= high))
    return about | {
        "listeners": len(own),
        "bounds": len(own) - len(errors),
        "bias_db": fmean(errors) if errors else None,
        "sd_db": stdev(errors) if len(errors) > 1 else None,
        "coverage": fmean(held),
    }
