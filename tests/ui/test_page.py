"""The whole page in a real Chromium, as the person it is for."""

from pathlib import Path

import pytest
from playwright.sync_api import expect
from ui.driving import SLOW_MS, choose, clip_name, fill, opened, start_a_long_attack, tab

pytestmark = pytest.mark.browser


def test_the_first_sight_is_a_whole_example(page):
    expect(page.locator("#prediction")).to_contain_text("heard as")
    expect(page.locator("#perturb-words")).to_contain_text("the decision changed")
    expect(page.locator("#masking-words")).to_contain_text("total noise-to-mask ratio")
    for plot in ("probabilities", "waveforms", "spectrogram-clean", "spectrogram-perturbed",
                 "spectrogram-difference", "masking-spectrum", "masking-ratio"):  # fmt: skip
        expect(page.locator(f"#{plot} .js-plotly-plot")).to_be_visible(timeout=SLOW_MS)


def test_a_click_is_answered_while_the_job_waits_for_its_turn(page):
    choose(page, "classifier", "digits-cnn-noise")
    start_a_long_attack(page)
    tab(page, "Prove")
    fill(page, "#certify-n", "100000")
    page.locator("#certify").click()
    expect(page.locator("#certify-status progress")).to_be_visible(timeout=SLOW_MS)
    page.locator("#verify").click()  # two run, this is the third
    waiting = page.locator("#verify-status .ra-progress")
    expect(waiting).to_contain_text("waiting", timeout=2_000)
    page.wait_for_timeout(1_000)
    expect(waiting).to_contain_text("waiting")
    page.locator("#cancel-verify").click()
    expect(waiting).to_have_count(0)
    page.wait_for_timeout(1_000)  # until the cancelling is over
    page.locator("#verify").click()
    expect(waiting).to_contain_text("waiting")
    page.locator("#cancel-certify").click()
    expect(page.locator("#verify-words .ra-card")).to_have_count(1, timeout=SLOW_MS)
    expect(waiting).to_have_count(0)
    tab(page, "Hear & break")
    page.locator("#cancel-perturb").click()


def test_a_number_that_cannot_be_gives_one_sentence_and_the_cursor_stays_inside(page, capfd):
    fill(page, "#frame", "99")
    expect(page.locator("#masking-spectrum .gtitle")).to_have_text("Frame at 0.98 s")
    toast = page.locator(".toast-body")
    for number in ("-1000000000", "0.5"):
        page.locator("#seed input").fill(number)
        page.locator("#perturb").click()
        expect(toast).to_contain_text(f"seed {float(number):g} must be a whole number from 0 to")
        page.locator(".toast-close").click()
        expect(page.locator("#perturb-status .ra-progress")).to_have_count(0)  # nor does it wait
    tab(page, "Prove")
    for field, number, sentence in (
        ("n0", "0", "n0 0 must be a whole number from 1 to 100000"),
        ("n", "1000000000", "n 1e+09 must be a whole number"),
        ("sigma", "1000000000", "sigma 1e+09 must be a number from 0 to 1000"),
    ):
        own = page.locator(f"#certify-{field} input")
        before = own.input_value()
        own.fill(number)
        page.locator("#certify").click()
        expect(toast).to_contain_text(sentence)
        page.locator(".toast-close").click()
        own.fill(before)
    assert "Traceback" not in "".join(capfd.readouterr())


def test_two_visitors_at_once_share_nothing(app, page_at):
    first, second = opened(page_at, app), opened(page_at, app)
    choose(first, "clip", clip_name("five-awb.wav"))
    choose(second, "clip", clip_name("six-en-gb-x-rp-f2.wav"))
    choose(second, "classifier", "digits-cnn-noise")
    tab(second, "Prove")
    second.locator("#certify-n input").fill("40000")
    second.locator("#certify-n input").press("Tab")
    second.locator("#certify").click()
    expect(second.locator("#certify-status progress")).to_be_visible(timeout=SLOW_MS)
    # the second visitor's heavy run does not hold up the first one's page
    expect(first.locator("#prediction strong")).to_have_text("5", timeout=5_000)
    choose(first, "clip", clip_name("zero-rms.wav"))
    expect(first.locator("#prediction strong")).to_have_text("0", timeout=5_000)
    expect(first.locator("#perturb-words")).to_contain_text("0 →", timeout=SLOW_MS)
    expect(second.locator("#prediction strong")).to_have_text("6")
    second.locator("#cancel-certify").click()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_phone_shows_all_of_it_without_sideways_scrolling(app, page_at, dark):
    page = opened(page_at, app, width=390, dark=dark)
    for name in ("Prove", "Ruler", "Learn", "Hear & break"):
        tab(page, name)
        page.wait_for_timeout(200)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    # drawn while its tab was hidden, a plot still fits
    expect(page.locator("#waveforms .main-svg").first).to_be_visible(timeout=SLOW_MS)
    page.wait_for_function("document.querySelector('#waveforms .main-svg').clientWidth <= 390")


def test_files_of_the_machine_stay_on_the_machine(app, page_at):
    page = opened(page_at, app)
    for path in ("/etc/passwd", "app.py", str(Path(__file__).resolve())):
        assert page.request.get(f"{app}gradio_api/file={path}").status in (403, 404)
