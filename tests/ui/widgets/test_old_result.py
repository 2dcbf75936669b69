"""A result whose inputs were changed is dim, and says for what it holds."""

import pytest
from playwright.sync_api import Locator, Page, expect
from ui.driving import SLOW_MS, choose, fill, run, tab


def is_dim(of: Locator) -> bool:
    return float(of.evaluate("one => getComputedStyle(one).opacity")) < 1


def expect_old(page: Page, run_of: str, *held: str) -> None:
    """The result says for what it holds, and is dim; without `held` it is as good as new."""
    note, result = page.locator(f"#{run_of}-old"), page.locator(f"#{run_of}-words")
    if not held:
        expect(note.locator(".ra-old")).to_have_count(0)
        assert not is_dim(result)
        return
    for part in held:
        expect(note).to_contain_text(part)
    assert is_dim(result)


@pytest.mark.browser
def test_a_result_whose_inputs_were_changed_is_dim_and_says_for_what_it_holds(page):
    fill(page, "#level", "-30")
    expect_old(page, "perturb", "Old result, for Level (dB) −45. Press Perturb again.")
    assert is_dim(page.locator("#waveforms")) and is_dim(page.locator("#exhibits-player"))
    fill(page, "#level", "-45")
    expect_old(page, "perturb")
    for menu, other, own in (("method", "JSMA", "PGD"), ("target", "2", "any other")):
        choose(page, menu, other)
        expect_old(page, "perturb", own)
        choose(page, menu, own)
        expect_old(page, "perturb")
    page.locator("#options-pgd button").first.click()
    fill(page, "#pgd-steps", "12")
    expect_old(page, "perturb", "for steps 40.")
    run(page, "perturb", "perturb-words", "PGD in L∞")
    expect_old(page, "perturb")
    page.locator("#representation").get_by_text("mel").click()
    expect_old(page, "perturb", "Representation waveform")
    choose(page, "classifier", "digits-cnn-ibp")  # its result is of now
    expect(page.locator("#perturb-words")).to_contain_text("on digits-cnn-ibp", timeout=SLOW_MS)
    expect_old(page, "perturb")

    tab(page, "Prove")
    run(page, "verify", "verify-words", "PROVEN")
    fill(page, "#verify-level", "-20")
    expect_old(page, "verify", "for Level (dB) −70. Press Verify again.")
    page.locator("#verify-norm").get_by_text("Masking set").click()
    expect_old(page, "verify", "Threat L∞", "Level (dB) −70")
    page.locator("#verify-norm").get_by_text("L∞").click()
    expect_old(page, "verify")
    page.locator("#verify-method").get_by_text("CROWN-IBP", exact=True).click()
    expect_old(page, "verify", "for Bounds Interval (IBP). Press Verify again.")
    run(page, "verify", "verify-words", "CROWN-IBP")
    expect_old(page, "verify")

    run(page, "certify", "certify-words", "CERTIFIED")
    for field, other, own in (("sigma", "0.5", "0.25"), ("n", "300", "1000"), ("n0", "50", "100")):
        page.locator(f"#certify-{field} input").fill(other)
        expect_old(page, "certify", f"{own}. Press Certify again.")
        page.locator(f"#certify-{field} input").fill(own)
        expect_old(page, "certify")
    expect(page.locator("#verify-old .ra-old")).to_have_count(0)  # each for itself

    tab(page, "Ruler")
    run(page, "targets", "targets-words", "targets reached")
    page.locator("#targets-norm").get_by_text("L2").click()
    expect_old(page, "targets", "for Norm L∞. Press Find out again.")


@pytest.mark.browser
def test_the_ruler_is_dimmed_like_any_result(page):
    tab(page, "Ruler")
    page.locator("#everyone input").check()
    assert not is_dim(page.locator("#ruler"))  # nothing was measured yet
    page.locator("#everyone input").uncheck()
    run(page, "measure", "ruler", "the attack needs")
    page.locator("#everyone input").check()
    note = page.locator("#ruler-old")
    expect(note).to_contain_text("Compare all classifiers off. Press Measure again.")
    assert is_dim(page.locator("#ruler"))
    page.locator("#everyone input").uncheck()
    expect(note.locator(".ra-old")).to_have_count(0)
    assert not is_dim(page.locator("#ruler"))
