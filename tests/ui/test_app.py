"""The whole page in a real Chromium, as the person it is for."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Page, expect
from ui.driving import (
    SLOW_MS,
    assert_made_again,
    choose,
    clip_name,
    downloaded,
    fill,
    opened,
    run,
    tab,
    upload,
)

from robustaudio.audio.clip import Clip
from robustaudio.audio.datasets import open_dataset
from robustaudio.classifiers import checkpoints
from robustaudio.listening.run import export
from robustaudio.listening.run.host import Host
from robustaudio.listening.run.store import MemoryStore
from robustaudio.listening.simulated_listeners import Listener
from robustaudio.listening.simulated_study import simulate
from robustaudio.ui.launch import launch
from robustaudio.ui.listen import study_of

pytestmark = pytest.mark.browser
DECIBEL = re.compile(r"−?[0-9.]+ dB")


@pytest.fixture(scope="module")
def app(browser):
    page = launch(block=False, quiet=True)
    yield page.local_url
    page.close()


@pytest.fixture
def page(app, page_at) -> Page:
    return opened(page_at, app)


def test_the_first_sight_is_a_whole_example(page):
    expect(page.locator("#prediction")).to_contain_text("heard as")
    expect(page.locator("#perturb-words")).to_contain_text("the decision changed")
    expect(page.locator("#masking-words")).to_contain_text("total noise-to-mask ratio")
    for plot in ("probabilities", "waveforms", "spectrogram-clean", "spectrogram-perturbed",
                 "spectrogram-difference", "masking-spectrum", "masking-ratio"):  # fmt: skip
        expect(page.locator(f"#{plot} .js-plotly-plot")).to_be_visible(timeout=SLOW_MS)


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


def test_noise_at_a_representation_says_what_the_inversion_loses(page):
    choose(page, "method", "Gaussian noise")
    expect(page.locator("#level")).to_have_count(0)
    page.locator("#representation").get_by_text("mel").click()
    sigma = page.locator("#sigma input")
    sigma.fill("0.4")
    sigma.press("Tab")
    words = run(page, "perturb", "perturb-words", "what the inversion with the clean phase misses")
    assert DECIBEL.search(words.split("misses is")[1])


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


def start_a_long_attack(page: Page) -> None:
    choose(page, "method", "Carlini–Wagner (L2)")
    page.locator("#options-cw button").first.click()
    fill(page, "#cw-steps", "2000")
    fill(page, "#cw-searches", "20")
    page.locator("#perturb").click()
    expect(page.locator("#perturb-status progress")).to_be_visible(timeout=SLOW_MS)


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


def test_nothing_found_is_not_judged(page):
    choose(page, "method", "DeepFool")
    expect(page.locator("#level input[type=number]")).to_have_value("0")
    fill(page, "#level", "-110")
    run(page, "perturb", "perturb-words", "nothing found up to −110.0 dB of the clip's peak")
    expect(page.locator("#masking-words")).to_have_text(
        "There is no perturbation, and so nothing to judge."
    )
    expect(page.locator("#frame")).to_have_count(0)
    expect(page.locator("#exhibits-words table")).to_have_count(0)
    expect(page.locator("#exhibits-player .ra-hint")).to_be_visible()


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


def test_the_cursor_moves_the_spectrum_and_its_line_in_the_map(page):
    frame, title = page.locator("#frame input[type=number]"), "#masking-spectrum .gtitle"
    expect(page.locator(title)).to_be_visible(timeout=SLOW_MS)
    worst = float(frame.input_value())
    expect(page.locator(title)).to_have_text(f"Frame at {worst:.2f} s")
    line = page.locator("#masking-ratio .shapelayer path")
    expect(line).to_have_count(1)
    at = line.get_attribute("d")
    spectrogram = page.locator("#spectrogram-clean .js-plotly-plot").element_handle()
    fill(page, "#frame", "0.256")
    expect(page.locator(title)).to_have_text("Frame at 0.26 s", timeout=SLOW_MS)
    expect(line).not_to_have_attribute("d", at)
    assert spectrogram.is_visible()  # nothing else was drawn anew
    choose(page, "clip", clip_name("zero-rms.wav"))  # another result, another worst frame
    expect(page.locator(title)).not_to_have_text("Frame at 0.26 s", timeout=SLOW_MS)


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


def test_the_ruler_stands_in_order(page):
    choose(page, "classifier", "digits-cnn-ibp")
    tab(page, "Ruler")
    run(page, "measure", "ruler", "the attack needs")
    proven, broken = (
        float(page.locator(f"#ruler .{kind} .ra-level").inner_text()[:-3].replace("−", "-"))
        for kind in ("ra-proven", "ra-attacked")
    )
    assert -90 < proven < broken < 0
    for strip in ("ra-of-l2", "ra-of-masking"):  # each on an axis of its own
        expect(page.locator(f"#ruler .{strip} .ra-level")).to_contain_text("−")
        expect(page.locator(f"#ruler .{strip} .ra-axis i")).not_to_have_count(0)


def test_what_a_class_heard_stands_beside_the_proof(page, tmp_path):
    classifier = checkpoints.load_classifier("digits-cnn-ibp", "cpu")
    clip = classifier.prepare(Clip.load(open_dataset("bundled-digits").folder / "seven-slt.wav"))
    options = {"kind": "quest", "trials": 12, "audible_db": 0}
    room, _ = Host(MemoryStore()).open(study_of("seven", clip, "x", None, ["white"], options))
    simulate(room, [Listener(-43.0)], seed=0)
    (tmp_path / "seven-heard.json").write_text(export.as_json(room, export.tidy(room)))
    choose(page, "classifier", "digits-cnn-ibp")
    tab(page, "Ruler")
    page.get_by_role("button", name="What people heard of this clip").click()
    expect(page.locator("#ruler-heard")).to_be_visible()
    page.wait_for_timeout(500)  # a panel that has just opened gives its fields their values again
    page.locator("#ruler-heard input[type=file]").set_input_files(tmp_path / "seven-heard.json")
    expect(page.locator("#ruler-heard")).to_contain_text("seven-heard", timeout=SLOW_MS)
    run(page, "measure", "ruler", "One simulated listener heard white noise at")
    expect(page.locator("#ruler .ra-claims li")).to_have_count(2)
    expect(page.locator("#ruler .ra-of-l2 .ra-heard .ra-level")).to_contain_text("dB")
    page.locator("#everyone input").check()
    page.locator("#measure").click()
    all_of_them = len(checkpoints.names(task="digits"))
    expect(page.locator("#ruler figure")).to_have_count(all_of_them, timeout=4 * SLOW_MS)
    expect(page.locator("#ruler .ra-claims")).to_have_count(all_of_them)
    expect(page.locator("#ruler .ra-heard")).to_have_count(1)  # of one clip, drawn once
    choose(page, "clip", clip_name("five-awb.wav"))  # the study is of another clip
    expect(page.locator("#ruler")).not_to_contain_text("heard", timeout=SLOW_MS)
    expect(page.locator("#ruler-heard")).not_to_contain_text("seven-heard", timeout=SLOW_MS)


def test_a_long_run_shows_progress_and_can_be_cancelled(page):
    choose(page, "classifier", "digits-cnn-noise")
    tab(page, "Prove")
    page.locator("#certify-n input").fill("60000")
    page.locator("#certify-n input").press("Tab")
    page.locator("#certify").click()
    expect(page.locator("#certify-status progress")).to_be_visible(timeout=SLOW_MS)
    page.locator("#cancel-certify").click()
    expect(page.locator("#certify-status progress")).to_have_count(0, timeout=SLOW_MS)
    page.wait_for_timeout(500)
    expect(page.locator("#certify-words .ra-card")).to_have_count(0)
    page.locator("#certify-n input").fill("200")
    page.locator("#certify-n input").press("Tab")
    run(page, "certify", "certify-words", "CERTIFIED")


def test_a_proof_of_another_clip_never_appears(page):
    choose(page, "classifier", "digits-cnn-noise")
    tab(page, "Prove")
    page.locator("#certify-n input").fill("4000")
    page.locator("#certify-n input").press("Tab")
    page.locator("#certify").click()
    expect(page.locator("#certify-status progress")).to_be_visible(timeout=SLOW_MS)
    choose(page, "clip", clip_name("zero-rms.wav"))
    expect(page.locator("#prediction strong")).to_have_text("0", timeout=SLOW_MS)
    page.wait_for_timeout(3_000)
    expect(page.locator("#certify-words .ra-card")).to_have_count(0)
    expect(page.locator("#certify-status progress")).to_have_count(0)
    choose(page, "certify-at", "log_mel")  # what this classifier has
    run(page, "certify", "certify-words", "at the log_mel")


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


def test_an_upload_of_another_rate_is_heard(page, tmp_path):
    clip = Clip.load(open_dataset("bundled-digits").folder / "four-rms.wav").resampled(44_100)
    path = tmp_path / "mine.flac"
    soundfile.write(path, np.stack([clip.samples.numpy()] * 2, 1), 44_100)
    upload(page, path)
    expect(page.locator("#prediction strong")).to_have_text("4", timeout=SLOW_MS)
    expect(page.locator("#prediction")).to_contain_text("your own clip")
    choose(page, "clip", "7 · flite slt")  # the clip from before can be chosen again
    expect(page.locator("#prediction strong")).to_have_text("7", timeout=SLOW_MS)


def test_a_recording_from_the_microphone_is_classified(page):
    page.locator("#own-clip button").first.click()
    page.locator("#upload").get_by_label("Record audio").click()
    page.locator("#upload").get_by_text("Record", exact=True).locator("visible=true").click()
    page.wait_for_timeout(1_200)
    before = page.locator("#perturb-words").inner_text()
    page.locator("#upload").get_by_text("Stop", exact=True).locator("visible=true").first.click()
    expect(page.locator("#perturb-words")).not_to_have_text(
        before, timeout=SLOW_MS, use_inner_text=True
    )


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
