"""Verification: what was proven, played, and known to be impossible."""

import json

import pytest
from playwright.sync_api import expect
from ui.driving import SLOW_MS, assert_made_again, choose, clip_name, downloaded, run, tab


@pytest.mark.browser
def test_the_masking_set_is_verified_and_heard(page, tmp_path, capsys):
    choose(page, "classifier", "digits-cnn-ibp")
    tab(page, "Prove")
    expect(page.locator("#noise-player")).to_have_count(0)  # of another threat
    page.locator("#verify-norm").get_by_text("Masking set").click()
    level = page.locator("#verify-level input[type=number]")
    expect(level).to_have_value("-12")
    expect(page.locator("#verify-level")).to_contain_text("masking threshold")
    expect(page.locator("#noise-player .ra-hint")).to_contain_text("Verify the masking set")
    level.fill("-30")
    level.press("Tab")
    page.locator("#verify-method").get_by_text("CROWN-IBP", exact=True).click()
    words = run(page, "verify", "verify-words", "30.0 dB below the clip's masking threshold")
    assert words.startswith("PROVEN") and "96 dB SPL" in words
    expect(page.locator("#logit-intervals .shapelayer path")).to_have_count(1, timeout=SLOW_MS)
    expect(page.locator("#verify-caption")).to_contain_text("Dashed: the least logit of 7")
    expect(page.locator("#noise-words")).to_contain_text("shaped: 30.0 dB below the threshold")
    expect(page.locator("#noise-player .ra-track")).to_have_count(5)
    page.locator("#noise-player .ra-play").click()
    for key, name in (("c", "+ white noise"), ("b", "+ shaped noise"), ("e", "white alone")):
        page.keyboard.press(key)
        expect(page.locator("#noise-player .ra-status")).to_contain_text(name)
    page.keyboard.press("Space")
    told = downloaded(page, "download-proofs", tmp_path / "report.json").read_text()
    report = json.loads(told)["runs"][-1]
    assert_made_again(report, capsys, ("verified", "method", "logits_lower", "largest_level_db"))

    choose(page, "clip", clip_name("zero-rms.wav"))  # nothing of the clip before stays
    for gone in ("#verify-words .ra-card", "#noise-words .ra-card", "#verify-caption p"):
        expect(page.locator(gone)).to_have_count(0)
    expect(page.locator("#noise-player .ra-hint")).to_contain_text("Verify the masking set")
    expect(page.locator("#noise-player .ra-track").first).to_be_hidden()
    page.locator("#verify-norm").get_by_text("L2").click()
    expect(level).to_have_value("-70")
    expect(page.locator("#noise-player")).to_have_count(0)
    page.locator("#verify-norm").get_by_text("Masking set").click()  # and back again
    expect(page.locator("#noise-player .ra-hint")).to_contain_text("Verify the masking set")
    page.locator("#verify-norm").get_by_text("L2").click()
    assert "(SNR 70.0 dB or more)" in run(page, "verify", "verify-words", "SNR 70.0 dB")


@pytest.mark.browser
def test_what_a_classifier_cannot_prove_is_known_before_it_is_asked(page):
    tab(page, "Prove")
    expect(page.locator("#verify")).to_be_enabled()
    expect(page.locator("#verify-unable p")).to_have_count(0)
    page.locator("#task").get_by_text("Musical instruments").click()
    expect(page.locator("#prediction")).to_contain_text("violin · FluidR3 Violin")
    expect(page.locator("#verify")).to_be_disabled()
    sentence = page.locator("#verify-unable")
    expect(sentence).to_contain_text("No proof for instruments-svm")
    expect(sentence).to_contain_text("moothing works")
    expect(page.locator("#certify")).to_be_enabled()
    choose(page, "classifier", "instruments-svm-noise")
    expect(sentence).to_contain_text("No proof for instruments-svm-noise")
    page.locator("#task").get_by_text("Spoken digits").click()
    expect(page.locator("#verify")).to_be_enabled()
    expect(page.locator("#verify-unable p")).to_have_count(0)
    run(page, "verify", "verify-words", "PROVEN")
