"""A session is what its events say, whoever reads them again."""

from dataclasses import replace

import pytest
from listening.over_http import Listener
from listening.small_study import small_study

from robustaudio.listening.run import export
from robustaudio.listening.run.host import Host
from robustaudio.listening.run.json_lines import JsonLinesStore
from robustaudio.listening.run.session import Session, session_of
from robustaudio.listening.simulated_listeners import Listener as Simulated
from robustaudio.listening.simulated_study import simulate
from robustaudio.listening.web import feedback


def test_another_server_goes_on_where_the_first_was_killed(listener, tmp_path):
    listener.begin()
    for trial in range(3):
        state = listener.answer(trial, 1).json()
    later = Listener(Host(JsonLinesStore(tmp_path)), listener.token)
    later.code = listener.code
    assert later.get("state").json() == state
    assert later.session.trial() == listener.session.trial()


@pytest.mark.parametrize("typed", [str.lower, lambda code: code.replace("-", " - "),
                                   lambda code: f" {code.replace('-', '')} "])  # fmt: skip
def test_a_code_is_known_however_it_is_typed(listener, typed):
    listener.begin()
    assert session_of(typed(listener.code)) == session_of(listener.code)
    listener.code = typed(listener.code).strip()
    assert listener.post("forget").json() == {"step": "deleted"}


def test_checks_are_drawn_from_a_seed_of_their_own(listener):
    """What is heard there depends on nothing that the right answers come from."""
    listener.begin()
    events = listener.rooms.store.read(listener.token, session_of(listener.code))
    other = replace(events[0], data=events[0].data | {"seed": events[0].data["seed"] + 1})
    session = listener.session
    again = Session.replay(session.study, [other, *events[1:]])
    assert again.seed != session.seed and again.check_seed == session.check_seed
    assert again.screening == session.screening
    assert "check_seed" not in export.CONSENT


def test_a_damaged_answer_is_asked_for_again(listener, tmp_path):
    listener.begin()
    for trial in range(4):
        listener.answer(trial)
    path = tmp_path / listener.token / f"{session_of(listener.code)}.jsonl"
    lines = path.read_bytes().splitlines()
    lines[-3] = b"\0"  # trial 1
    path.write_bytes(b"\n".join(lines) + b"\n")
    assert listener.get("state").json()["trial"]["number"] == 1
    assert listener.answer(1).json()["trial"]["number"] == 4


def test_answers_after_a_damaged_one_are_not_lost(tmp_path):
    room, _ = Host(JsonLinesStore(tmp_path)).open(small_study())
    simulate(room, [Simulated(-40.0)], seed=0)
    (name,) = room.store.sessions(room.token)
    before = room.sessions()[name].responses
    path = tmp_path / room.token / f"{name}.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    damaged = next(n for n, line in enumerate(lines) if b'"trial", "index": 4' in line)
    lines[damaged] = lines[damaged].replace(b'"answer": ', b'"answer":1')
    path.write_bytes(b"".join(lines))
    session = room.sessions()[name]
    assert session.responses == before[:4] + before[5:] and session.damaged == 1
    trial = session.trial()
    assert trial == before[4].trial  # asked again, as it was
    assert feedback.pooled(room).answers == len(before) - 1
