"""Studies that are over soon, for tests."""

from robustaudio.listening.design.study import Study
from robustaudio.listening.design.study_file import parse

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
