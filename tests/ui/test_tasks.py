"""Two tasks on one page: what a task offers, and what it cannot do and says so."""

import pytest
from playwright.sync_api import expect
from ui.driving import SLOW_MS, choose_instruments, opened, tab

from robustaudio.audio.datasets import open_dataset
from robustaudio.audio.tasks import TASKS


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_the_bundled_clips_come_first_and_every_file_has_a_name(task):
    bundled, clips = open_dataset(f"bundled-{task.name}"), task.clips()
    assert [path.name for path in clips.values()][: len(bundled)] == [
        row.file for row in bundled.rows
    ]
    assert len(set(clips.values())) == len(clips) and task.clip in clips
    assert not any("_" in name.split(" · ")[0] for name in clips)


def test_a_corpus_that_is_not_at_hand_is_left_out(monkeypatch, tmp_path):
    monkeypatch.setenv("ROBUSTAUDIO_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for task in TASKS:
        assert len(task.clips()) == len(open_dataset(f"bundled-{task.name}"))


@pytest.mark.browser
def test_what_a_classifier_cannot_do_is_one_sentence(page):
    choose_instruments(page)
    expect(page.locator("#representation label")).to_have_count(1)  # it has the waveform only
    tab(page, "Prove")
    expect(page.locator("#verify-unable")).to_contain_text("the last layer must be dense, not")
    expect(page.locator("#verify")).to_be_disabled()
    tab(page, "Ruler")
    page.locator("#measure").click()
    expect(page.locator("#ruler")).to_contain_text("the attack needs", timeout=3 * SLOW_MS)
    expect(page.locator("#ruler")).to_contain_text("the last layer must be dense, not")


@pytest.mark.browser
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_eleven_long_labels_fit_a_phone(app, page_at, dark):
    page = opened(page_at, app, width=390, dark=dark)
    choose_instruments(page)
    expect(page.locator("#probabilities .xtick text").first).to_be_visible(timeout=SLOW_MS)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    ends = page.evaluate(
        "[...document.querySelectorAll('#probabilities .xtick text')]"
        ".map(text => text.getBoundingClientRect().bottom)"
    )
    below = page.evaluate("document.querySelector('#probabilities').getBoundingClientRect().bottom")
    assert len(ends) == 11 and max(ends) <= below
