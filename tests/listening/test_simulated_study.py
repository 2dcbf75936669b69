"""Simulated listeners take a whole study, and say what it would have found."""

from listening.small_study import small_study

from robustaudio.listening.run import export
from robustaudio.listening.run.host import Host
from robustaudio.listening.run.store import MemoryStore
from robustaudio.listening.simulated_listeners import Listener
from robustaudio.listening.simulated_study import simulate

QUEST = "{kind: quest, trials: 20, practice: 1, audible_db: 0}"


def test_a_study_that_is_simulated_again_has_the_same_answers():
    told, tables = [], []
    for _ in range(2):
        room, _ = Host(MemoryStore()).open(small_study(procedure=QUEST))
        told.append(simulate(room, [Listener(-40.0), Listener(-30.0)], seed=3))
        tables.append(export.tidy(room))
        assert all(session.simulated and session.ended for session in room.sessions().values())
    answers = [[(row["level_db"], row["answer"]) for row in table] for table in tables]
    assert answers[0] == answers[1] and len(answers[0]) > 40
    assert told[0] == told[1] and told[0]["listeners"] == 2
