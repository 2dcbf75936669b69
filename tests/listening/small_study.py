"""Studies that are over soon, for tests."""

from datetime import UTC, datetime, timedelta

from robustaudio.listening.design.study import Study
from robustaudio.listening.design.study_file import parse
from robustaudio.listening.run.host import Host
from robustaudio.listening.run.json_lines import JsonLinesStore
from robustaudio.listening.run.sent import start
from robustaudio.listening.run.store import STUDY, Event
from robustaudio.listening.simulated_listeners import Listener
from robustaudio.listening.simulated_study import simulate

TEXT = """
title: A short test
clips:
  - {name: seven, sound: "bundled:seven-slt.wav"}
families: [white]
screening: none
procedure: {kind: abx, levels_db: [-20], trials: 6, practice: 1, catch_every: 4}
"""


def small_study(**changes: str) -> Study:
    """`TEXT` with some of its lines replaced, by their keys."""
    lines = TEXT.strip().splitlines()
    for key, value in changes.items():
        lines = [line for line in lines if not line.startswith(f"{key}:")] + [f"{key}: {value}"]
    return parse("\n".join(lines), None)


def expired(folder, token: str) -> None:
    """As if the study's time had passed while no server ran."""
    past = {"at": (datetime.now(UTC) - timedelta(hours=1)).isoformat(timespec="seconds")}
    JsonLinesStore(folder).append(Event(token, STUDY, "expires", 9, past))


def filled(store, listeners: int) -> str:
    """An open study with listeners of three answers each."""
    room, _ = Host(store).open(small_study(), hours=48)
    for number in range(listeners):
        name = f"aaaa{number:04d}"
        store.append(start(room.token, name))
        for index in range(3):
            store.append(Event(room.token, name, "trial", index, {"answer": 1}))
    return room.token


def answered(folder):
    """A study with one listener who has finished."""
    room, key = Host(JsonLinesStore(folder)).open(small_study())
    simulate(room, [Listener(-40.0)], seed=0)
    return room, key
