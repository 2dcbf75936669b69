"""Noise that a classifier is sure about: a label evolves."""

import json

import pytest
from playwright.sync_api import expect
from ui.driving import assert_made_again, choose, downloaded, fill, opened, run


@pytest.mark.browser
def test_a_label_evolves_from_silence(app, page_at, tmp_path, capsys):
    page = opened(page_at, app)
    page.locator("#more-like-itself button").first.click()
    expect(page.locator("#maximise-label input")).to_have_value("9")
    choose(page, "maximise-label", "3")
    fill(page, "#maximise-queries", "300")
    said = run(page, "maximise", "maximise-words", "that this is “3”")
    assert "300 queries" in said and "sure before" in said
    expect(page.locator("#maximise-player .ra-track")).to_have_count(3)
    told = downloaded(page, "report-maximised", tmp_path / "report.json").read_text()
    report = json.loads(told)
    assert report["result"]["queries"] == 300 and "--start=silence" in report["command"]
    assert_made_again(report, capsys, ("probability", "probability_before", "queries"))
