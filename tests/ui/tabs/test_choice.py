"""The top of the page: task, classifier and clip, and the clip that is shown is the one it has."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Page, expect
from ui.driving import SLOW_MS, choose, choose_instruments, upload

from robustaudio.audio.clip import Clip
from robustaudio.audio.datasets import open_dataset
from robustaudio.ui import figures
from robustaudio.ui.sources import UPLOAD, NoClip, Source
from robustaudio.ui.tabs.choice import resumed


def test_a_page_whose_clip_the_server_lost_gets_no_other_one(services):
    first, name = services.start("digits")[1], "9 · flite slt"
    listed = Source(name, services.clips["digits"][name], "digits")
    own = Source(UPLOAD, Path("my four.wav"), "digits", uploaded=True, visit="v")
    for held in (own, listed):  # nothing was lost
        assert resumed(services, held, first, held.shown) is held
        assert resumed(services, held, first, first.shown) is held  # the page is a moment behind
    assert resumed(services, first, first, listed.shown) == listed
    lost = resumed(services, first, first, own.shown)
    with pytest.raises(NoClip, match="no longer on the server; upload it again"):
        services.open(lost, "digits-cnn")
    for nonsense in (None, "x", [1], {}, {"task": [], "name": {}}, {"task": "digits", "name": "x"}):
        assert resumed(services, first, first, nonsense) is first


@pytest.mark.browser
def test_an_upload_of_another_rate_is_heard(page, tmp_path):
    clip = Clip.load(open_dataset("bundled-digits").folder / "four-rms.wav").resampled(44_100)
    path = tmp_path / "mine.flac"
    soundfile.write(path, np.stack([clip.samples.numpy()] * 2, 1), 44_100)
    upload(page, path)
    expect(page.locator("#prediction strong")).to_have_text("4", timeout=SLOW_MS)
    expect(page.locator("#prediction")).to_contain_text("your own clip")
    choose(page, "clip", "7 · flite slt")  # the clip from before can be chosen again
    expect(page.locator("#prediction strong")).to_have_text("7", timeout=SLOW_MS)


@pytest.mark.browser
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


def options(page: Page, field: str) -> list[str]:
    page.locator(f"#{field} input").click()
    found = page.get_by_role("option").all_inner_texts()
    page.keyboard.press("Escape")
    return [text.replace("✓", "").strip() for text in found]


@pytest.mark.browser
def test_task_then_classifier_then_clip(page):
    choose(page, "target", "3")
    choose_instruments(page)
    expect(page.locator("#target input")).to_have_value("any other")  # 3 is no instrument
    expect(page.locator("#perturb-words")).to_contain_text("on instruments-svm", timeout=SLOW_MS)
    expect(page.locator(".toast-body")).to_have_count(0)
    assert options(page, "classifier") == [
        "instruments-cnn", "instruments-svm", "instruments-svm-denoise", "instruments-svm-noise"
    ]  # fmt: skip
    assert "acoustic guitar" in options(page, "target")
    assert options(page, "clip")[0] == "acoustic guitar · FluidR3 Nylon String Guitar"
    expect(page.locator("#player")).to_contain_text("2.00 s")
    page.locator("#player .ra-play").click()
    page.keyboard.press("b")
    expect(page.locator("#player .ra-status")).to_contain_text("Playing B, perturbed")
    choose(page, "clip", "organ · FluidR3 Church Organ")
    expect(page.locator("#prediction")).to_contain_text("organ · FluidR3 Church Organ")
    page.locator("#task").get_by_text("Spoken digits").click()  # and back
    expect(page.locator("#prediction")).to_contain_text("digits-cnn · 7 · flite slt")
    expect(page.locator("#perturb-words")).to_contain_text("7 →", timeout=SLOW_MS)
    assert len(options(page, "target")) == 11


@pytest.mark.browser
def test_an_own_clip_stays_when_the_task_changes(page, services):
    upload(page, Path(open_dataset("bundled-digits").folder / "four-rms.wav"))
    expect(page.locator("#prediction strong")).to_have_text("4", timeout=SLOW_MS)
    page.locator("#task").get_by_text("Musical instruments").click()
    expect(page.locator("#prediction")).to_contain_text("instruments-svm · your own clip")
    heard = page.locator("#prediction strong").inner_text()
    assert heard in {
        figures.shown_label(label) for label in services.cards["instruments-svm"].labels
    }
    expect(page.locator("#perturb-words")).to_contain_text("on instruments-svm", timeout=SLOW_MS)
