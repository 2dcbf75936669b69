"""A record as text: aligned, and nothing in it is taken for markup."""

from robustaudio.cli.text import as_text


def test_a_record_is_lines_and_tables():
    record = {"clip": "[bold]a.wav", "radius": None, "scores": {"a": 1e-5, "bb": 0.25},
              "levels": [{"name": "x", "level_db": -40.0}, {"name": "yy", "level_db": None}],
              "history": [0.0] * 9, "empty": []}  # fmt: skip
    assert as_text(record).splitlines() == [
        "clip     [bold]a.wav", "radius   -", "scores", "  a   1e-05", "  bb  0.2500", "levels",
        "  name  level_db", "  x     -40.0000", "  yy           -", "history  [9 values]",
        "empty    []",
    ]  # fmt: skip


def test_a_pipe_gets_whole_lines():
    assert as_text([{"about": "word " * 100 + "end"}]).splitlines()[1].endswith("end")
