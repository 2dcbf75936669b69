"""What listeners and teachers read claims no more than was shown."""

import re
from dataclasses import replace

import pytest
from listening.small_study import small_study

from robustaudio.listening.analysis.by_paradigm import Judged
from robustaudio.listening.analysis.thresholds import Threshold
from robustaudio.listening.design.ratings import IMPAIRMENT
from robustaudio.listening.design.trial import Response, to_record
from robustaudio.listening.run.host import Host
from robustaudio.listening.run.sent import start
from robustaudio.listening.run.session import new_code, session_of
from robustaudio.listening.run.store import Event, MemoryStore
from robustaudio.listening.simulated_listeners import HOW, Listener
from robustaudio.listening.simulated_study import simulate
from robustaudio.listening.web import feedback

QUEST = "{kind: quest, trials: 12, practice: 1, catch_every: 6}"
MUSHRA = "{kind: mushra, levels_db: [-40, -10], practice: 0}"
IMPAIRED = "{kind: impairment, levels_db: [-40, -10], repeats: 1, practice: 0}"


@pytest.fixture
def room():
    model = "{name: digits-cnn, certified_radius: 0.125, alpha: 0.001, n: 10000}"
    room, _ = Host(MemoryStore()).open(small_study(procedure=QUEST, model=model))
    simulate(room, [Listener(-40.0), Listener(-30.0)], seed=3)
    return room


def test_nothing_is_told_before_the_end(room):
    code = new_code()
    room.store.append(start(room.token, session_of(code)))
    with pytest.raises(ValueError, match="told when every question is answered"):
        feedback.own_result(room, code)
    found = feedback.pooled(room)
    assert (found.begun, found.finished) == (3, 2)
    assert found.analysis.listeners == 2  # who is in the middle has said too little


def test_words_claim_no_more_than_was_shown():
    own = Judged(12, 16, 0.75, 0.04, 0.5, 0.9, 1.0, 0.04, "heard", "Heard.")
    heard = feedback.score_sentence("c", own)
    assert heard == "c: 12 of 16 right. That is more often right than guessing explains."
    not_shown = feedback.score_sentence("c", replace(own, verdict="undecided", upper=0.72))
    assert "does not show that you cannot hear it: up to 72 %" in not_shown
    bound = Threshold("<=", -60.0, None, -60.0)
    words = feedback.threshold_sentence("c", bound)
    assert words == "c: your threshold lies at or below the softest level, −60 dB."
    words = feedback.threshold_sentence("c", replace(bound, sign=">=", level_db=0.0))
    assert words == "c: your threshold lies at or above the loudest level, 0 dB."


@pytest.mark.parametrize(
    ("mean", "words"),
    [
        (-0.84, "your grades were 0.8 below the clean clip's"),
        (0.3, "your grades were 0.3 above the clean clip's"),
        (-0.04, "your grades were the same as the clean clip's"),
    ],
)
def test_a_grade_above_the_clean_clips_is_told_too(mean, words):
    assert words in feedback.grade_sentence(IMPAIRMENT, "c", "−20 dB", mean)


def pooled_words(procedure: str, listeners: list[Listener]) -> str:
    room, _ = Host(MemoryStore()).open(small_study(procedure=procedure))
    simulate(room, listeners, seed=0)
    return feedback.in_words(feedback.pooled(room).analysis.results[0])


def test_a_group_is_told_its_p_once_and_when_it_is_small():
    abx = "{kind: abx, levels_db: [-20], trials: 8, practice: 0, catch_every: 0}"
    few = pooled_words(abx, [Listener(-20.0), Listener(-22.0)])
    assert re.match(r"2 listeners\. \d+ of 16 right\. ", few) and few.count("p = ") == 1
    assert few.endswith("So few listeners say little about others.")
    many = pooled_words(abx, [Listener(-60.0, lapse_rate=n / 20) for n in range(9)])
    assert many.startswith("9 listeners.") and many.endswith("Heard (adjusted p < 0.001).")


def test_grades_are_told_with_their_unit():
    words = pooled_words(MUSHRA, [Listener(-30.0)] * 5)
    assert words == "5 listeners. Mean grades, from 0 (bad) to 100 (excellent)."
    words = pooled_words(IMPAIRED, [Listener(-30.0)])
    assert words.startswith("1 listener. Mean grades, from 1 to 5, less the hidden reference's: 0")


def answered(procedure: str, answer) -> list[str]:
    """What a listener is told who gives `answer(trial, how many of its kind came before)`."""
    room, _ = Host(MemoryStore()).open(small_study(procedure=procedure))
    code, responses = new_code(), []
    name = session_of(code)
    begun = start(room.token, name)
    room.store.append(begun)
    room.store.append(Event(room.token, name, "sound", 0, {"sample_rate": 48_000, "gain_db": -20}))
    while trial := room.study.procedure.next(responses, begun.data["seed"]):
        before = sum((r.trial.kind, r.trial.level_db) == (trial.kind, trial.level_db)
                     for r in responses)  # fmt: skip
        responses.append(Response(trial, answer(trial, before), **HOW))
        event = Event(room.token, name, "trial", trial.number, to_record(responses[-1]))
        room.store.append(event)
    return feedback.own_result(room, code)["lines"]


def test_one_good_score_of_six_is_not_called_heard():
    """12 of 16 at one level has p = .038, but p_holm = .23 of six: guessing brings one so good."""
    levels = [-60, -55, -50, -45, -40, -35]
    procedure = f"{{kind: abx, levels_db: {levels}, trials: 16, practice: 0, catch_every: 0}}"
    right = {level: 12 if level == -35 else 8 for level in levels}
    lines = answered(procedure, lambda trial, n: (trial.right + (n >= right[trial.level_db])) % 2)
    (best,) = (line for line in lines if "12 of 16" in line)
    assert "Guessing alone may be right that often" in best and len(lines) == 6


def test_each_rule_of_exclusion_has_its_own_sentence():
    mushra = "{kind: mushra, levels_db: [-40, -10], practice: 0, repeats: 3}"
    graded, ruled = answered(mushra, lambda trial, n: tuple(50.0 for _ in trial.intervals))
    assert "one of the sounds was the reference itself, unmarked: you graded" in graded
    assert "fixed beforehand" in ruled and "easy" not in graded
    abx = "{kind: abx, levels_db: [-20], trials: 12, practice: 0, catch_every: 4}"
    missed, _ = answered(abx, lambda trial, n: (trial.right + (trial.kind == "catch")) % 2)
    assert re.search(r"trials were easy.*: (\d) of your \1 answers to them were wrong", missed)
    assert "catch" not in missed
