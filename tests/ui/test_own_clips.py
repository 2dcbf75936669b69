"""Clips of a visitor's own: which files are taken, what is said of others, how long they stay."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.sync_api import expect
from ui.conftest import pages
from ui.driving import SLOW_MS, choose, opened, page_services, run, tab, upload

from robustaudio.audio.datasets import BUNDLED
from robustaudio.ui.launch import launch
from robustaudio.ui.sources import Source

pytestmark = pytest.mark.browser
PREVIEW = ("Waveform load error", "Failed to load resource")  # Gradio's own, of a file it shows
SEVENS_NAME = "7 · flite slt"
SEVEN, FOUR = BUNDLED / "seven-slt.wav", BUNDLED / "four-rms.wav"


@pytest.fixture(scope="module")
def app(browser, tmp_path_factory):
    """The app with a folder for uploads of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))
        patch.setenv("ROBUSTAUDIO_LISTENING", "memory:")
        page = launch(block=False, quiet=True)
        yield page
        page.close()


@pytest.fixture(scope="module")
def visit(app, browser):
    """One page for all files that are sent to it."""
    with pages(browser) as page_at:
        yield opened(page_at, app.local_url, expected=PREVIEW)


@pytest.fixture
def at_seven(visit):
    """The page as it began: a clip of the list, which the classifier hears as a seven."""
    if visit.locator("#clip input").input_value() != SEVENS_NAME:
        choose(visit, "clip", SEVENS_NAME)
    expect(visit.locator("#prediction strong")).to_have_text("7", timeout=SLOW_MS)
    return visit


def cached(app) -> list[Path]:
    """What visitors have uploaded, as long as Gradio keeps it."""
    return [path for path in Path(app.server_app.uploaded_file_dir).rglob("*") if path.is_file()]


@pytest.mark.parametrize("lost", ["cache", "visit"])
def test_a_clip_of_ones_own_outlives_gradios_cache(app, page_at, tmp_path, lost):
    own = tmp_path / f"my-{lost}.wav"
    own.write_bytes(FOUR.read_bytes())
    page = opened(page_at, app.local_url, expected=PREVIEW)
    upload(page, own)
    expect(page.locator("#prediction strong")).to_have_text("4", timeout=SLOW_MS)
    expect(page.locator("#perturb-words")).to_contain_text("4 →", timeout=SLOW_MS)
    gone = [path for path in cached(app) if path.name == own.name]
    assert gone
    for path in gone:
        path.unlink()
    if lost == "visit":
        services = next(one for one in page_services() if list(one.kept.home.rglob(own.name)))
        for path in services.kept.home.rglob(own.name):
            path.unlink()
        page.locator("#perturb").click()
        words = page.locator("#perturb-words")
        expect(words).to_contain_text("no longer on the server; upload it again", timeout=SLOW_MS)
        assert "/" not in words.inner_text()
        choose(page, "clip", "7 · flite slt")
        expect(page.locator("#perturb-words")).to_contain_text("7 →", timeout=SLOW_MS)
        return
    page.locator("#level input[type=number]").fill("-40")
    page.locator("#level input[type=number]").press("Tab")
    assert "level −40.0 dB" in run(page, "perturb", "perturb-words", "level −40.0 dB")
    tab(page, "Prove")
    run(page, "verify", "verify-words", "PROVEN")
    tab(page, "Listen")
    page.locator("#listen-open").click()
    expect(page.locator("#listen-opened iframe")).to_be_visible(timeout=SLOW_MS)


def closed(app, ends_s: float) -> None:
    """The connection is lost: Gradio calls a visit closed, for good, and drops what it held of it.

    It does so an hour after it was last set; here after `ends_s`.
    """
    for session in app.server_app.state_holder.session_data.values():
        session.is_closed, session.STATE_TTL_WHEN_CLOSED = True, ends_s


def held_by(app) -> list:
    """What the server holds of all its visits."""
    sessions = app.server_app.state_holder.session_data.values()
    return [held for session in [*sessions] for held in [*session.state_data.values()]]


def sleep_for_long(app, page) -> None:
    """What a phone does, until all that was held is dropped."""
    for _ in range(30):  # Gradio looks now and then, and a late event is held anew
        closed(app, 0.5)
        page.wait_for_timeout(1_000)
        if not any(isinstance(held, Source) for held in held_by(app)):
            break
    else:
        pytest.fail("a source is still held")
    closed(app, 3600)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def test_a_page_that_was_offline_keeps_its_clip(page_at, monkeypatch):
    monkeypatch.setattr("robustaudio.ui.tabs.choice.STILL_HERE_MS", 1_000)
    monkeypatch.setenv("ROBUSTAUDIO_LISTENING", "memory:")
    app = launch(block=False, quiet=True)
    try:
        page = opened(page_at, app.local_url, expected=PREVIEW)
        upload(page, FOUR)
        expect(page.locator("#perturb-words")).to_contain_text("4 →", timeout=SLOW_MS)
        closed(app, 6)
        page.wait_for_timeout(9_000)
        expect(page.locator("#perturb-words")).to_contain_text("PGD")  # nor does it run anew
        choose(page, "method", "FGSM")
        assert run(page, "perturb", "perturb-words", "FGSM in L∞").startswith("4")
        page.close()  # before its server: it asks once a second
    finally:
        app.close()


def test_a_clip_that_was_lost_meanwhile_is_never_another_one(page_at, monkeypatch):
    monkeypatch.setenv("ROBUSTAUDIO_LISTENING", "memory:")
    app = launch(block=False, quiet=True)  # its own: every visit of it is put to sleep
    try:
        page = opened(page_at, app.local_url, expected=PREVIEW)
        choose(page, "clip", "9 · flite slt")
        expect(page.locator("#perturb-words")).to_contain_text("9 →", timeout=SLOW_MS)
        sleep_for_long(app, page)
        page.wait_for_timeout(1_000)
        choose(page, "method", "FGSM")
        words = run(page, "perturb", "perturb-words", "FGSM in L∞")
        assert words.startswith("9")  # of the list: chosen again
        upload(page, FOUR)
        expect(page.locator("#perturb-words")).to_contain_text("4 →", timeout=SLOW_MS)
        sleep_for_long(app, page)
        for place in ("#prediction", "#perturb-words"):
            expect(page.locator(place)).to_contain_text("upload it again", timeout=SLOW_MS)
        page.close()
    finally:
        app.close()


def cut() -> bytes:
    return SEVEN.read_bytes()[:2_000]


@pytest.mark.parametrize(
    "name, content, sentence",
    [
        ("silence.wav", np.zeros(8_000), "is silent"),
        ("letter.txt", b"Dear committee, " * 40, "not a sound file that can be read"),
        ("three-minutes.wav", np.sin(np.arange(8_000 * 180)), "at most 120 s"),
        ("empty.wav", b"", "is empty"),
        ("cut.wav", cut(), "truncated"),
        ("blip.wav", np.ones(40), "at least 0.05 s"),
        ("<b onclick=x>.bin", b"\0" * 64, "<b onclick=x>.bin"),
    ],
)
def test_a_file_that_cannot_be_used_takes_the_old_verdict_away(
    at_seven, tmp_path, name, content, sentence
):
    page, path = at_seven, tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        soundfile.write(path, content, 8_000)
    upload(page, path)
    for place in ("prediction", "perturb-words"):
        words = page.locator(f"#{place}")
        expected = "bin" if name.startswith("<") else sentence  # Gradio drops signs from names
        expect(words).to_contain_text(expected, timeout=SLOW_MS)
        assert "heard as" not in words.inner_text() and "→" not in words.inner_text()
        assert str(tmp_path) not in words.inner_text() and words.locator("b").count() == 0
    expect(page.locator("#player .ra-hint")).to_be_visible()
    expect(page.locator("#player .ra-play")).not_to_be_visible()
    expect(page.locator("#waveforms .js-plotly-plot")).to_have_count(0)
    choose(page, "clip", SEVENS_NAME)
    expect(page.locator("#prediction strong")).to_have_text("7", timeout=SLOW_MS)
    expect(page.locator("#perturb-words")).to_contain_text("7 →", timeout=SLOW_MS)


def test_a_file_that_is_too_large_is_not_sent(app, at_seven, tmp_path):
    page, path = at_seven, tmp_path / "hours.wav"
    with path.open("wb") as stream:
        stream.truncate(51 * 2**20)
    upload(page, path)
    expect(page.locator("#prediction")).to_contain_text("hours.wav has 51 MB; at most 50 MB")
    expect(page.locator("#perturb-words")).to_contain_text("at most 50 MB", timeout=SLOW_MS)
    assert not [one for one in cached(app) if one.name == path.name]


@pytest.mark.parametrize("name", ["memo.webm", "memo.amr", "memo.3gp", "memo.caf", "memo"])
def test_the_content_decides_and_not_the_type_that_a_browser_guesses(at_seven, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(FOUR.read_bytes())
    upload(at_seven, path)
    expect(at_seven.locator("#prediction strong")).to_have_text("4", timeout=SLOW_MS)


def test_a_sound_of_any_type_can_be_dropped(app, page_at):
    page = opened(page_at, app.local_url, expected=PREVIEW)
    page.locator("#own-clip button").first.click()
    box = page.locator("#upload button").first
    expect(box).to_be_visible()
    data = page.evaluate_handle(
        """(bytes) => {
          const bag = new DataTransfer();
          bag.items.add(new File([new Uint8Array(bytes)], "memo.webm", { type: "video/webm" }));
          return bag;
        }""",
        list(FOUR.read_bytes()),
    )
    for event in ("dragenter", "dragover", "drop"):
        box.dispatch_event(event, {"dataTransfer": data})
    expect(page.locator("#prediction strong")).to_have_text("4", timeout=SLOW_MS)


def test_a_file_dialog_offers_voice_memos(app, page_at):
    page = opened(page_at, app.local_url)
    page.locator("#own-clip button").first.click()
    with page.expect_file_chooser() as chosen:
        page.locator("#upload button").first.click()
    accepted = str(chosen.value.element.get_attribute("accept")).split(",")
    assert {"audio/*", ".m4a", ".webm", ".3gp", ".amr"} <= set(accepted)
