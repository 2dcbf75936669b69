"""The page of the attacks on digits, made of a small run."""

import math

from robustaudio.attacks import APGD, PGD, DeepFool
from robustaudio.audio.datasets import open_dataset
from robustaudio.evaluation.attack import Plan
from robustaudio.reports import attacked_digits as page
from robustaudio.threats.norms import L2


def test_the_page_of_a_small_run(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "KEPT", tmp_path / "kept")
    monkeypatch.setattr(page, "CLASSIFIERS", ("digits-lstm",))
    monkeypatch.setattr(page, "TARGETED", ("digits-lstm",))
    plans = {
        "PGD, linf": Plan(PGD(steps=5)),
        "APGD (CE), linf": Plan(APGD(steps=5)),
        "DeepFool, l2": Plan(DeepFool(), L2),
    }
    monkeypatch.setattr(page, "PLANS", plans)
    monkeypatch.setattr(page, "TARGETED_PLANS", {"PGD, linf": plans["PGD, linf"]})
    bundled = open_dataset("bundled-digits")
    monkeypatch.setattr(page, "open_dataset", lambda name: Test(bundled))
    record = page.attacked_digits(tmp_path / "attacks.md", limit=3, log=lambda line: None)
    text = (tmp_path / "attacks.md").read_text()
    for part in (
        "## digits-lstm",
        "| PGD, linf |",
        "Towards a random target",
        "APGD against PGD",
        "contradicted",
    ):
        assert part in text
    gap = record["sandwich"]["digits-lstm"]["linf"]
    assert gap["contradicted"] == 0 and 0 < gap["smallest_gap_db"] <= gap["median_gap_db"]
    assert not math.isnan(record["untargeted"]["digits-lstm"]["PGD, linf"]["median_snr_db"])
    kept = sorted((tmp_path / "kept").rglob("*.jsonl"))
    times = [path.stat().st_mtime_ns for path in kept]
    page.attacked_digits(tmp_path / "attacks.md", limit=3, log=lambda line: None)
    assert len(kept) == 4 and times == [path.stat().st_mtime_ns for path in kept]


class Test:
    """The bundled clips as a test split."""

    __test__ = False

    def __init__(self, dataset):
        self.dataset = dataset

    def select(self, split, limit):
        return self.dataset.select("bundled", limit)
