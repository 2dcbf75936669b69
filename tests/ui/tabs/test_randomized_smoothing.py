"""Randomized smoothing: long votes, cancelled votes, votes that would show nothing."""

import pytest
from playwright.sync_api import Page, expect
from ui.driving import SLOW_MS, choose, clip_name, run, tab


def begin_votes(page: Page, count: int) -> None:
    """Certify by so many votes, until the page shows how far they are."""
    choose(page, "classifier", "digits-cnn-noise")
    tab(page, "Prove")
    page.locator("#certify-n input").fill(f"{count}")
    page.locator("#certify-n input").press("Tab")
    page.locator("#certify").click()
    expect(page.locator("#certify-status progress")).to_be_visible(timeout=SLOW_MS)


@pytest.mark.browser
def test_a_long_run_shows_progress_and_can_be_cancelled(page):
    begin_votes(page, 60000)
    page.locator("#cancel-certify").click()
    expect(page.locator("#certify-status progress")).to_have_count(0, timeout=SLOW_MS)
    page.wait_for_timeout(500)
    expect(page.locator("#certify-words .ra-card")).to_have_count(0)
    page.locator("#certify-n input").fill("200")
    page.locator("#certify-n input").press("Tab")
    run(page, "certify", "certify-words", "CERTIFIED")


@pytest.mark.browser
def test_a_proof_of_another_clip_never_appears(page):
    begin_votes(page, 4000)
    choose(page, "clip", clip_name("zero-rms.wav"))
    expect(page.locator("#prediction strong")).to_have_text("0", timeout=SLOW_MS)
    page.wait_for_timeout(3_000)
    expect(page.locator("#certify-words .ra-card")).to_have_count(0)
    expect(page.locator("#certify-status progress")).to_have_count(0)
    choose(page, "certify-at", "log_mel")  # what this classifier has
    run(page, "certify", "certify-words", "at the log_mel")


@pytest.mark.browser
def test_a_vote_for_another_class_is_orange_and_one_click_from_a_better_classifier(page):
    tab(page, "Prove")
    run(page, "certify", "certify-words", "The vote hears 5, not 7")
    expect(page.locator("#certify-words .ra-broken")).to_have_count(1)
    page.get_by_role("button", name="Try digits-cnn-noise").click()
    expect(page.locator("#classifier input")).to_have_value("digits-cnn-noise")
    expect(page.locator("#prediction")).to_contain_text("digits-cnn-noise")
    expect(page.locator("#certify-words .ra-card")).to_have_count(0)
    expect(page.locator("#certify-switch")).to_have_count(0)
    run(page, "certify", "certify-words", "CERTIFIED 7")
    expect(page.locator("#certify-words .ra-holds")).to_have_count(1)
    expect(page.locator("#certify-words")).to_contain_text("the most that 1000 votes can show")
    tab(page, "Hear & break")  # and the first tab followed
    expect(page.locator("#perturb-words")).to_contain_text("on digits-cnn-noise", timeout=SLOW_MS)


@pytest.mark.browser
def test_too_few_votes_are_known_before_they_are_cast(page):
    tab(page, "Prove")
    n, why = page.locator("#certify-n input"), page.locator("#certify-unable")
    n.fill("8")
    expect(why).to_contain_text("n must be 10 or more")  # 0.001^(1/10) is above 1/2
    expect(page.locator("#certify")).to_be_disabled()
    n.fill("10")
    expect(page.locator("#certify")).to_be_enabled()
    expect(why.locator("p")).to_have_count(0)
    page.locator("#certify-alpha input").fill("0.0001")
    expect(why).to_contain_text("n must be 14 or more")
    page.locator("#certify-alpha input").fill("0.001")
    expect(page.locator("#certify")).to_be_enabled()
