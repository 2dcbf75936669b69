"""The table of the instruments: pairs, log-odds, intervals, and a page made of a small run."""

from dataclasses import replace

import pytest
import torch

from robustaudio.audio.datasets import open_dataset
from robustaudio.classifiers.checkpoints import load_classifier
from robustaudio.evaluation.attack import Plan
from robustaudio.reports import attacked_instruments as page
from robustaudio.threats.norms import L2


def test_log_odds_are_those_of_the_probabilities():
    classifier = load_classifier("instruments-svm")
    x = torch.randn(2, classifier.length, generator=torch.Generator().manual_seed(0)) * 0.1
    target = torch.tensor([3, 7])
    p = classifier.probabilities(x).double().gather(1, target[:, None])[:, 0]
    expected = (p / (1 - p)).log()
    assert torch.allclose(page.log_odds(classifier, x, target), expected, atol=1e-4)


def test_intervals_hold_their_middle_and_known_ends():
    median, low, high = page.interval([float(n) for n in range(101)])
    assert low < median == 50 < high and low > 38 and high < 62
    share, least, most = page.share_interval(9, 10)
    assert (share, least, most) == pytest.approx((0.9, 0.5550, 0.9975), abs=1e-4)  # R binom.test


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """Every search with a few queries, one clip per label, on the bundled clips."""

    def fewer(plan: Plan) -> Plan:
        return replace(plan, attack=replace(plan.attack, queries=12))

    bundled = open_dataset("bundled-instruments")
    rows = tuple(replace(row, split="test") for row in bundled.rows)
    monkeypatch.setattr(page, "open_dataset", lambda name: replace(bundled, rows=rows))
    monkeypatch.setattr(page, "SEARCHES", {k: fewer(p) for k, p in page.SEARCHES.items()})
    monkeypatch.setattr(page, "MANY", fewer(page.MANY))
    monkeypatch.setattr(page, "GRADIENT", Plan(page.PGD(steps=5), L2))
    monkeypatch.setattr(page, "EVERY", 10)
    monkeypatch.setattr(page, "KEPT", tmp_path / "kept")


def test_the_page_is_made_and_what_was_measured_is_not_measured_again(quick, tmp_path, monkeypatch):
    output = tmp_path / "instruments.md"
    made = page.attacked_instruments(output, limit=1, log=lambda line: None)
    text = output.read_text(encoding="utf-8")
    assert "python -m robustaudio table instruments --limit 1" in text
    assert text.count("| instruments-svm |") >= 3 and "voice → voice" in text
    assert made["searches"]["instruments-svm"]["genetic"]["pairs"] >= 10
    for name in ("queries", "pca"):
        assert (tmp_path / f"instruments-{name}.svg").read_text(encoding="utf-8").startswith("<svg")
    monkeypatch.setattr(page, "_rows", lambda *_: pytest.fail("measured again"))
    page.attacked_instruments(output, limit=1, log=lambda line: None)
    assert output.read_text(encoding="utf-8") == text
