"""What the page shows is true: verdicts, old results, menus, a lost server, names of files."""

import pytest
from playwright.sync_api import expect
from ui.driving import SLOW_MS, choose, clip_name, downloaded, opened, run, tab


@pytest.mark.browser
def test_menus_and_fields_that_were_merely_looked_at_change_nothing(page):
    tab(page, "Prove")
    run(page, "verify", "verify-words", "PROVEN")
    run(page, "certify", "certify-words", "CERTIFIED")
    tab(page, "Ruler")
    run(page, "measure", "ruler", "the attack needs")
    parts = ("perturb-words", "verify-words", "certify-words", "ruler")
    mine = ", ".join(f"#{words} :is(.ra-card, figure)" for words in parts)
    page.evaluate("mine => document.querySelectorAll(mine).forEach(one => one.mine = 1)", mine)
    for name, menus in {
        "Hear & break": ("classifier", "clip", "method", "target"),
        "Prove": ("classifier", "certify-at"),
        "Ruler": ("classifier",),
    }.items():
        tab(page, name)
        for menu in menus:
            field = page.locator(f"#{menu} input")
            field.click()
            expect(page.get_by_role("option").first).to_be_visible()
            page.keyboard.press("Escape")
            field.click()
            page.locator("#header").click()
            field.click()
            page.keyboard.press("Tab")
        selected = page.locator("#classifier input").input_value()
        choose(page, "classifier", selected)
        page.locator("#task input:checked").click()
        page.locator("#task input:checked").focus()
        for _ in range(45):
            page.keyboard.press("Tab")
        page.wait_for_timeout(600)
    expect(page.locator(".ra-old, .toast-body, .ra-progress")).to_have_count(0)
    kept = "mine => [...document.querySelectorAll(mine)].map(one => one.mine)"
    assert page.evaluate(kept, mine) == [1] * len(parts)  # the very same, none made anew


@pytest.mark.browser
@pytest.mark.parametrize("button", ["perturb", "verify", "certify"])
def test_a_server_that_cannot_be_reached_is_named_where_its_answer_would_stand(
    app, page_at, button
):
    page = opened(page_at, app, expected=("Failed to load resource", "ERR_", "Failed to fetch"))
    tab(page, "Hear & break" if button == "perturb" else "Prove")
    page.context.set_offline(True)
    page.locator(f"#{button}").click()
    expect(page.locator(f"#{button}-status")).to_contain_text("The server cannot be reached")


@pytest.mark.browser
def test_files_are_named_after_clip_classifier_and_verb(page, tmp_path):
    choose(page, "clip", clip_name("nine-slt.wav"))
    expect(page.locator("#perturb-words")).to_contain_text("9 →", timeout=SLOW_MS)

    def name_of(button: str) -> str:
        with page.expect_download() as download:
            page.locator(f"#{button}").click()
        return download.value.suggested_filename

    assert name_of("download-wav") == "nine-slt-digits-cnn-perturbed.wav"
    assert name_of("download-report") == "nine-slt-digits-cnn-attack.json"
    tab(page, "Prove")
    run(page, "verify", "verify-words", "PROVEN")
    assert name_of("download-proofs") == "nine-slt-digits-cnn-verify.json"
    run(page, "certify", "certify-words", "of the clip's L2 norm")
    assert name_of("download-proofs") == "nine-slt-digits-cnn-certify.json"
    tab(page, "Ruler")
    run(page, "targets", "targets-words", "targets reached")
    assert name_of("download-targets") == "nine-slt-digits-cnn-targets.json"
    tab(page, "Listen")
    page.locator("#listen-open").click()
    expect(page.locator("#listen-opened a").first).to_be_visible(timeout=SLOW_MS)
    assert name_of("listen-export") == "9-flite slt-abx-study.json"
    assert downloaded(page, "listen-export", tmp_path / "study.json").stat().st_size > 100
