"""What the page shows is true: verdicts, old results, menus, a lost server, names of files."""

import pytest
from playwright.sync_api import Locator, Page, expect
from ui.driving import SLOW_MS, choose, clip_name, downloaded, fill, opened, run, tab

from robustaudio.ui.launch import launch


@pytest.fixture(scope="module")
def app(browser):
    page = launch(block=False, quiet=True)
    yield page.local_url
    page.close()


@pytest.fixture
def page(app, page_at) -> Page:
    return opened(page_at, app)


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


@pytest.mark.browser
def test_the_ruler_says_once_that_there_is_no_proof(page):
    page.locator("#task").get_by_text("Musical instruments").click()
    expect(page.locator("#perturb-words")).to_contain_text("on instruments-svm", timeout=SLOW_MS)
    tab(page, "Ruler")
    run(page, "measure", "ruler", "the attack needs")
    words = page.locator("#ruler").inner_text()
    assert words.count("must be dense") == 1 and words.count("no proof, as above") == 2
    expect(page.locator("#ruler .ra-of-smoothing")).to_have_count(1)


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
