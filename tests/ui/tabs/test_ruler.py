"""The ruler: proofs, breaks and what people heard, in order."""

import pytest
from playwright.sync_api import expect
from ui.driving import SLOW_MS, choose, clip_name, run, tab

from robustaudio.audio.clip import Clip
from robustaudio.audio.datasets import open_dataset
from robustaudio.classifiers import checkpoints
from robustaudio.listening.run import export
from robustaudio.listening.run.host import Host
from robustaudio.listening.run.store import MemoryStore
from robustaudio.listening.simulated_listeners import Listener
from robustaudio.listening.simulated_study import simulate
from robustaudio.ui.tabs.listen import study_of


@pytest.mark.browser
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


@pytest.mark.browser
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


@pytest.mark.browser
def test_the_ruler_says_once_that_there_is_no_proof(page):
    page.locator("#task").get_by_text("Musical instruments").click()
    expect(page.locator("#perturb-words")).to_contain_text("on instruments-svm", timeout=SLOW_MS)
    tab(page, "Ruler")
    run(page, "measure", "ruler", "the attack needs")
    words = page.locator("#ruler").inner_text()
    assert words.count("must be dense") == 1 and words.count("no proof, as above") == 2
    expect(page.locator("#ruler .ra-of-smoothing")).to_have_count(1)
