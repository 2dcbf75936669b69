"""Sessions of every kind of procedure."""

from listening.simulated import simulated_session

from robustaudio.listening.design.forced_choice import ForcedChoice
from robustaudio.listening.design.procedures import ABX, Quest, Staircase
from robustaudio.listening.design.trial import Condition, Response
from robustaudio.listening.simulated_listeners import HOW, Listener

TWO = (Condition("seven", "white"), Condition("seven", "masked"))
ONE = (Condition("one", "white"),)
SHORT = [
    ABX(TWO, levels_db=(-50.0, -30.0), trials=8),
    Quest(TWO, trials=12),
    Quest(ONE, alternatives=3, trials=15, catch_every=4),
    Staircase(TWO, reversals=6),
    Staircase(ONE, down=1, up=3, alternatives=3, practice=0, catch_every=0),
]


def sessions(count: int = 6):
    """Every procedure with listeners that hear much, some and nothing."""
    for procedure in SHORT:
        for seed in range(count):
            yield (
                procedure,
                seed,
                simulated_session(procedure, Listener((-90, -45, 0)[seed % 3]), seed),
            )


def asked(responses: list[Response]) -> list[Response]:
    return [r for r in responses if r.trial.kind == "test"]


def answered(procedure: ForcedChoice, right: list[bool], seed: int = 0) -> list[Response]:
    """A session of so many answers, right or wrong as said; catches and practice are right."""
    responses, answers = [], iter(right)
    while trial := procedure.next(responses, seed):
        correct = next(answers, None) if trial.kind == "test" else True
        if correct is None:
            break
        assert trial.right is not None
        answer = trial.right if correct else 1 - min(trial.right, 1)
        responses.append(Response(trial, answer, **HOW))
    return responses
