"""The masking panel: judged is what was found, frame by frame."""

import pytest
from playwright.sync_api import expect
from ui.driving import SLOW_MS, choose, clip_name, fill, run


@pytest.mark.browser
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


@pytest.mark.browser
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
