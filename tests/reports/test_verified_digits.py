"""The tables of proofs: their numbers are shares of all clips, and their bounds are in order."""

import json
import os
import re

import pytest
import torch

from robustaudio.attacks import PGD, Psychoacoustic
from robustaudio.evaluation.attack import Plan
from robustaudio.reports import verified_digits as page
from robustaudio.reports.markdown import percent, table
from robustaudio.reports.svg import scatter_svg
from robustaudio.threats.norms import L2, LINF, MASKING

NEEDS_FSDD = pytest.mark.skipif(
    "ROBUSTAUDIO_DATA" not in os.environ, reason="needs FSDD in ROBUSTAUDIO_DATA"
)


def test_a_ball_below_one_step_holds_no_other_file():
    """A clip of peak 2^-3 (4096 steps): one step lies at 20 log10(1/4096) = -72.25 dB."""
    peaks = torch.tensor([2.0**-3, 1.0])
    assert page.holds_no_other_file(peaks, -72.3).tolist() == [True, False]
    assert page.holds_no_other_file(peaks, -72.2).tolist() == [False, False]
    assert page.holds_no_other_file(peaks, -90.4).tolist() == [True, True]


def test_a_table_is_markdown():
    assert table(["a", "b"], [["1", percent(0.4567)]]) == "| a | b |\n| --- | --- |\n| 1 | 45.7 |"


def test_the_picture_puts_each_point_where_its_numbers_are():
    drawing = scatter_svg({"low": (90.0, 40.0), "high & far": (98.0, 91.0)}, "x", "y")
    dots = [tuple(map(float, m)) for m in re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', drawing)]
    assert len(dots) == 2 and dots[0][0] < dots[1][0] and dots[0][1] > dots[1][1]
    assert "high &amp; far" in drawing and drawing.count("<circle") == 2


@NEEDS_FSDD
def test_the_bounds_of_a_small_run_are_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "CERTIFIED", ("digits-lstm-ibp",))
    monkeypatch.setattr(page, "HIDING", Plan(Psychoacoustic(20, 20), MASKING))
    measured = (
        page.Measured(LINF, (-90.0, -60.0, -50.0), -60.0, PGD(steps=2)),
        page.Measured(L2, (-80.0,), -60.0),
        page.Measured(MASKING, (-24.0, 0.0), -12.0, PGD(steps=2)),
    )
    levels = {threat.norm.name: threat.levels_db for threat in measured}
    monkeypatch.setattr(page, "MEASURED", measured)
    monkeypatch.setattr(page, "PARETO_DB", -60.0)
    monkeypatch.setattr(page, "KEPT", tmp_path / "kept")
    record = page.verified_digits(tmp_path / "page.md", limit=4, log=lambda line: None)
    (row,) = record["classifiers"]
    for norm, expected in levels.items():
        found = row["norms"][norm]
        assert list(found["crown"]) == [f"{level:g}" for level in expected]
        for level in found["crown"]:
            robust = found.get("robust", {}).get(level, row["clean"])
            assert found["interval"][level] <= found["crown"][level] <= robust <= row["clean"]
            assert found["provability"][level] >= found["crown"][level]
        assert list(found["crown"].values()) == sorted(found["crown"].values(), reverse=True)
    kept = {path: path.read_bytes() for path in (tmp_path / "kept").rglob("*.jsonl")}
    assert kept
    again = page.verified_digits(tmp_path / "page.md", limit=4, log=lambda line: None)
    assert again["classifiers"][0]["norms"] == row["norms"]
    assert kept == {path: path.read_bytes() for path in (tmp_path / "kept").rglob("*.jsonl")}
    assert row["seconds"].keys() == {f"{n}, {m}" for n in levels for m in ("interval", "crown")}
    text = (tmp_path / "page.md").read_text()
    assert "python -m robustaudio table verified-digits --limit 4" in text
    assert "on 4 clips" in text and "PROVER" in text
    assert (tmp_path / "page.svg").read_text().startswith("<svg")


def test_the_spread_of_the_runs_is_that_of_their_cards(tmp_path, monkeypatch):
    def card(seed: int, clean: float, proven: float) -> dict:
        return {
            "training": {"seed": seed},
            "test_accuracy": clean,
            "verified": {"linf -80 dB": proven},
        }

    monkeypatch.setattr(page, "SEEDS", tmp_path)
    monkeypatch.setattr(page, "CERTIFIED", ("made-up",))
    for seed, clean, proven in ((1, 0.9, 0.5), (2, 0.8, 0.7)):
        path = tmp_path / f"made-up-{seed}.json"
        path.write_text(json.dumps(card(seed, clean, proven)))
    record = page.seeds(tmp_path / "seeds.md")
    assert list(record["runs"]["made-up"]) == ["seed 1", "seed 2"]
    text = (tmp_path / "seeds.md").read_text()
    assert "| mean | 85.0 | 60.0 |" in text
    assert "| standard deviation | 7.1 | 14.1 |" in text  # of 2 values: difference / sqrt(2)
    with pytest.raises(ValueError, match="--limit 3"):
        page.seeds(limit=3)
