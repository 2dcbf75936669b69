"""What the first tab does, shows while it does it, and never shows."""

import json
import re

import gradio as gr
import pytest
import soundfile
from playwright.sync_api import expect
from ui.driving import (
    SLOW_MS,
    assert_made_again,
    choose,
    clip_name,
    downloaded,
    fill,
    run,
    start_a_long_attack,
)

from robustaudio.attacks import DeepFool
from robustaudio.audio.clip import Clip
from robustaudio.classifiers import checkpoints
from robustaudio.evaluation.attack import Attacking, Plan, attack
from robustaudio.evaluation.engine import measure_clip
from robustaudio.ui.tabs.hear_and_break import HearAndBreak
from robustaudio.ui.wish import ANY_OTHER
from robustaudio.ui.words.hear_and_break import perturbation_words


def target() -> gr.Dropdown:
    return gr.Dropdown([ANY_OTHER, "0", "1"], value=ANY_OTHER, render=False)


def test_nothing_found_is_said_and_not_judged(services, source):
    classifier, clip = services.open(source, "digits-cnn")
    plan = Plan(DeepFool())
    result = measure_clip(attack, classifier, clip.samples, Attacking(plan, -100))
    assert result.difference.linf == 0
    words = perturbation_words(result)
    assert "nothing found up to −100.0 dB of the clip's peak" in words
    assert "no perturbation at all" not in words and "allowed" not in words
    with gr.Blocks():
        tab = HearAndBreak(target())
    shown, masking = tab.shows(classifier, clip, result, 0), tab.masking
    assert shown[tab.exhibits] is shown[tab.exhibits_words] is None
    assert "nothing to judge" in shown[masking.words]
    assert shown[masking.cursor] == gr.update(visible=False)
    assert shown[masking.spectrum] is shown[masking.ratio] is None


DECIBEL = re.compile(r"−?[0-9.]+ dB")


@pytest.mark.browser
def test_break_hear_and_download(page, tmp_path, capsys):
    choose(page, "clip", clip_name("nine-slt.wav"))
    expect(page.locator("#prediction strong")).to_have_text("9")
    choose(page, "target", "2")
    level = page.locator("#level input[type=number]")
    level.fill("-30")
    level.press("Tab")
    words = run(page, "perturb", "perturb-words", "target 2 reached")
    assert "level −30.0 dB" in words

    play = page.locator("#player .ra-play")
    play.click()
    for key, name in (("b", "perturbed"), ("a", "clean"), ("d", "difference")):
        page.keyboard.press(key)
        expect(page.locator("#player .ra-status")).to_contain_text(name)
    page.keyboard.press("Space")

    wav = downloaded(page, "download-wav", tmp_path / "perturbed.wav")
    report = json.loads(downloaded(page, "download-report", tmp_path / "report.json").read_text())
    assert soundfile.info(wav).subtype == "FLOAT"
    classifier = checkpoints.load_classifier(report["classifier"]["name"])
    again = classifier.prepare(Clip.load(wav)).samples
    assert classifier.labels[int(classifier(again[None]).argmax())] == "2"
    assert_made_again(report, capsys, ("prediction", "linf", "l2", "queries"))


@pytest.mark.browser
def test_noise_at_a_representation_says_what_the_inversion_loses(page):
    choose(page, "method", "Gaussian noise")
    expect(page.locator("#level")).to_have_count(0)
    page.locator("#representation").get_by_text("mel").click()
    sigma = page.locator("#sigma input")
    sigma.fill("0.4")
    sigma.press("Tab")
    words = run(page, "perturb", "perturb-words", "what the inversion with the clean phase misses")
    assert DECIBEL.search(words.split("misses is")[1])


@pytest.mark.browser
def test_another_attack_shows_its_own_options_and_makes_its_own_command(page, tmp_path, capsys):
    level = page.locator("#level input[type=number]")
    expect(page.locator("#options-pgd")).to_be_visible()
    choose(page, "method", "BIM")
    expect(page.locator("#options-pgd")).to_have_count(0)
    expect(level).to_have_value("-45")
    page.locator("#options-bim button").first.click()
    fill(page, "#bim-steps", "12")
    page.locator("#bim-variant").get_by_text("b", exact=True).click()
    words = run(page, "perturb", "perturb-words", "BIM in L∞ on digits-cnn")
    assert "12 steps" not in words and "13 queries" in words
    report = json.loads(downloaded(page, "download-report", tmp_path / "report.json").read_text())
    assert report["result"]["settings"] == {"steps": 12, "step_size": 0.1, "variant": "b"}
    assert_made_again(report, capsys, ("prediction", "linf", "l2", "queries", "settings"))

    choose(page, "method", "DeepFool")  # it looks for the smallest: the level is a limit
    expect(page.locator("#options-deepfool")).to_be_visible()
    expect(level).to_have_value("0")
    expect(page.locator("#level")).to_contain_text("The largest allowed")
    page.locator("#norm").get_by_text("Masking set").click()
    expect(level).to_have_value("20")
    expect(page.locator("#level")).to_contain_text("frames and bins, which is 0 dB")
    fill(page, "#level", "15")
    page.locator("#survive-rounding input").check()
    words = run(page, "perturb", "perturb-words", "DeepFool in masking set on digits-cnn, rounded")
    assert " 15.0 dB of the masking threshold" in words
    report = json.loads(downloaded(page, "download-report", tmp_path / "report.json").read_text())
    assert_made_again(report, capsys, ("prediction", "linf", "survive_rounding", "norm"))
    choose(page, "method", "Carlini–Wagner (L2)")
    expect(level).to_have_value("15")  # begins where DeepFool does: left alone
    choose(page, "method", "FGSM")
    expect(level).to_have_value("0")
    for name in ("fgsm", "deepfool", "pgd", "bim"):  # FGSM has no options at all
        expect(page.locator(f"#options-{name}")).to_have_count(0)


@pytest.mark.browser
def test_what_cannot_be_gives_one_sentence(page):
    before = page.locator("#perturb-words .ra-card").inner_text()
    choose(page, "method", "JSMA")
    page.locator("#options-jsma button").first.click()
    fill(page, "#jsma-share", "0")
    page.locator("#perturb").click()
    toast = page.locator(".toast-body")
    expect(toast).to_contain_text("share 0 must be above 0", timeout=SLOW_MS)
    assert "Traceback" not in toast.inner_text()
    assert page.locator("#perturb-words .ra-card").inner_text() == before


@pytest.mark.browser
def test_an_attack_is_seen_while_it_runs_and_stops_when_cancelled(page):
    start_a_long_attack(page)
    line = page.locator("#search .scatterlayer .trace path.js-line").first
    expect(line).to_be_visible(timeout=SLOW_MS)
    expect(page.locator("#perturb-status")).to_contain_text("step")
    then = line.get_attribute("d")
    page.wait_for_function(
        "then => document.querySelector('#search .scatterlayer .trace path.js-line')"
        "?.getAttribute('d') !== then",
        arg=then, timeout=SLOW_MS,
    )  # fmt: skip
    page.locator("#cancel-perturb").click()
    expect(page.locator("#perturb-words")).to_contain_text("stopped by hand", timeout=SLOW_MS)
    expect(page.locator("#perturb-words")).to_contain_text("Carlini–Wagner (L2) in L∞")
    page.wait_for_timeout(1_500)
    expect(page.locator("#perturb-status progress")).to_have_count(0)
    expect(line).to_be_visible()  # what was found until then stays
    fill(page, "#cw-steps", "30")
    fill(page, "#cw-searches", "2")
    page.locator("#perturb").click()
    expect(page.locator("#perturb-words")).not_to_contain_text("stopped", timeout=SLOW_MS)
    expect(page.locator("#perturb-words")).to_contain_text("Carlini–Wagner (L2) in L∞")
    expect(line).to_be_visible()  # the whole search stays


@pytest.mark.browser
def test_another_classifier_never_shows_the_old_ones_result(page):
    start_a_long_attack(page)
    choose(page, "method", "FGSM")
    page.evaluate(
        "() => { window.seen = []; new MutationObserver(() => window.seen.push("
        "document.querySelector('#perturb-words').innerText)).observe("
        "document.querySelector('#perturb-words'), {childList: true, subtree: true}); }"
    )
    for classifier in ("digits-cnn-noise", "digits-lstm-ibp", "digits-cnn-ibp"):
        choose(page, "classifier", classifier)
    expect(page.locator("#perturb-words")).to_contain_text("FGSM in L∞ on digits-cnn-ibp")
    expect(page.locator("#perturb-status .ra-progress")).to_have_count(0)
    page.wait_for_timeout(2_500)
    words = page.locator("#perturb-words").inner_text()
    assert "FGSM in L∞ on digits-cnn-ibp" in words
    seen = page.evaluate("window.seen")
    assert seen[0].strip() == "" and not any("Carlini" in words for words in seen)
    expect(page.locator("#perturb-status .ra-progress")).to_have_count(0)
    choose(page, "method", "Carlini–Wagner (L2)")  # the button and its Cancel go on working
    page.locator("#perturb").click()
    expect(page.locator("#search .js-plotly-plot")).to_be_visible(timeout=SLOW_MS)
    page.locator("#cancel-perturb").click()
    expect(page.locator("#perturb-words")).to_contain_text("stopped by hand", timeout=SLOW_MS)
    expect(page.locator("#perturb-status .ra-progress")).to_have_count(0)


@pytest.mark.browser
def test_what_was_found_of_another_clip_is_gone_until_the_new_result(page):
    choose(page, "method", "Carlini–Wagner (L2)")
    page.locator("#options-cw button").first.click()
    fill(page, "#cw-steps", "2000")
    fill(page, "#cw-searches", "20")
    expect(page.locator("#frame")).to_have_count(1)
    choose(page, "clip", clip_name("zero-rms.wav"))
    expect(page.locator("#perturb-status progress")).to_be_visible(timeout=SLOW_MS)
    for gone in ("#perturb-words .ra-card", "#masking-words .ra-card", "#exhibits-words table",
                 "#frame", "#explore .js-plotly-plot:visible"):  # fmt: skip
        expect(page.locator(gone)).to_have_count(0)
    for player in ("#player", "#exhibits-player"):
        expect(page.locator(f"{player} .ra-hint")).to_be_visible()
    for button in ("#download-wav", "#download-report"):
        expect(page.locator(button)).to_be_disabled()
    page.locator("#cancel-perturb").click()  # of a run that no button began
    expect(page.locator("#perturb-words")).to_contain_text("stopped by hand", timeout=SLOW_MS)
    expect(page.locator("#perturb-status .ra-progress")).to_have_count(0)
    page.wait_for_timeout(1_500)
    expect(page.locator("#perturb-words .ra-card")).to_have_count(1)


@pytest.mark.browser
def test_three_exhibits_stand_side_by_side_and_switch(page):
    table = page.locator("#exhibits-words tbody tr")
    expect(table).to_have_count(3)
    rows = [row.locator("th, td").all_inner_texts() for row in table.all()]
    assert [row[1] for row in rows] == ["PGD", "uniform noise, same L2", "clip 5 samples late"]
    own, noise, shift = (float(row[2]) for row in rows)
    assert own == pytest.approx(noise, rel=1e-3) and shift > own > 0
    assert [row[5] for row in rows] == ["3", "7", "7"]
    player = page.locator("#exhibits-player")
    expect(player.locator(".ra-track")).to_have_count(4)
    player.locator(".ra-play").click()
    for key, name in (("b", "perturbed"), ("c", "noise"), ("d", "shifted"), ("a", "clean")):
        page.keyboard.press(key)
        expect(player.locator(".ra-status")).to_contain_text(f"Playing {key.upper()}, {name}")
    page.keyboard.press("Space")
    expect(page.locator("#player .ra-status")).to_have_text("A, clean")
