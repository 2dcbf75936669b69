"""Prove: verification beside randomized smoothing, and one report on both."""

import json

import pytest
from playwright.sync_api import expect
from ui.driving import SLOW_MS, assert_made_again, choose, downloaded, run, tab


@pytest.mark.browser
def test_prove_by_intervals_and_by_smoothing(page, tmp_path, capsys):
    choose(page, "classifier", "digits-cnn-ibp")
    tab(page, "Prove")
    words = run(page, "verify", "verify-words", "largest proven level −")
    assert "NOT PROVEN" not in words and "PROVEN" in words
    expect(page.locator("#logit-intervals .js-plotly-plot")).to_be_visible(timeout=SLOW_MS)

    choose(page, "classifier", "digits-cnn-noise")
    expect(page.locator("#verify-words .ra-card")).to_have_count(0)  # of another classifier
    assert "L2 radius" in run(page, "certify", "certify-words", "CERTIFIED")
    expect(page.locator("#votes .js-plotly-plot")).to_be_visible(timeout=SLOW_MS)
    told = downloaded(page, "download-proofs", tmp_path / "report.json").read_text()
    report = json.loads(told)["runs"][-1]
    assert_made_again(report, capsys, ("prediction", "radius", "counts"))


@pytest.mark.browser
def test_a_cleared_field_gives_one_sentence(page):
    tab(page, "Prove")
    level = page.locator("#verify-level input[type=number]")
    level.fill("")
    level.press("Tab")
    expect(level).to_have_value("-70")  # an emptied slider's number comes back, and not as 0
    assert "within −70.0 dB of the clip's peak" in run(page, "verify", "verify-words", "PROVEN")
    sigma = page.locator("#certify-sigma input")
    sigma.fill("")
    sigma.press("Tab")
    page.locator("#certify").click()
    toast = page.locator(".toast-body")
    expect(toast).to_contain_text("sigma is empty; a number would be right", timeout=SLOW_MS)
    assert "Traceback" not in toast.inner_text()
