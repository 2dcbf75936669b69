"""What it would take: from one clip, and from one of every label."""

import json

import pytest
from playwright.sync_api import expect
from ui.driving import SLOW_MS, assert_made_again, choose, downloaded, run, tab


@pytest.mark.browser
def test_what_it_takes_from_this_clip_and_from_one_of_every_label(page, tmp_path, capsys):
    tab(page, "Ruler")
    words = run(page, "targets", "targets-words", "9 of 9 targets reached")
    assert words.startswith("7 → 3")
    cells = page.locator("#targets-map .textpoint text")
    expect(cells).to_have_count(10, timeout=SLOW_MS)
    assert cells.all_text_contents().count("·") == 1
    told = downloaded(page, "download-targets", tmp_path / "one.json").read_text()
    (report,) = json.loads(told)["runs"]
    assert_made_again(report, capsys, ("prediction", "levels_db", "queries"))

    page.locator("#targets-from").get_by_text("one clip per label").click()
    page.locator("#targets-attack").get_by_text("PGD", exact=True).click()
    page.locator("#targets").click()
    expect(page.locator("#targets-words")).to_contain_text("PGD in L∞", timeout=SLOW_MS)
    page.locator("#cancel-targets").click()  # what was found stays
    expect(page.locator("#targets-status .ra-progress")).to_have_count(0, timeout=SLOW_MS)
    page.wait_for_timeout(1_500)
    rows = page.locator("#targets-map .ytick text")
    many = rows.count()
    assert 1 <= many < 10
    told = downloaded(page, "download-targets", tmp_path / "some.json").read_text()
    runs = json.loads(told)["runs"]
    assert [run["result"]["prediction"] for run in runs] == [*"0123456789"][:many]
    choose(page, "clip", "0 · flite rms")
    expect(page.locator("#targets-words .ra-card")).to_have_count(0)
