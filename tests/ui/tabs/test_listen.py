"""The Listen tab: what it asks for and says, and tests on the app's own server."""

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import pytest
from listening.small_study import TEXT, small_study
from playwright.sync_api import Page, expect
from ui.driving import SLOW_MS

from robustaudio.audio.clip import Clip
from robustaudio.audio.datasets import BUNDLED
from robustaudio.listening.design.study_file import parse
from robustaudio.listening.run.headphones import beep_count
from robustaudio.listening.run.host import Host
from robustaudio.listening.run.json_lines import JsonLinesStore
from robustaudio.listening.run.store import MemoryStore
from robustaudio.listening.simulated_listeners import Listener
from robustaudio.listening.simulated_study import simulate
from robustaudio.ui.launch import launch
from robustaudio.ui.tabs import listen


def test_every_procedure_starts_at_a_length_of_its_own():
    lengths = {kind: listen._length(kind) for _, kind in listen.TESTS}
    assert {kind: length.get("value") for kind, length in lengths.items()} == {
        "abx": 16, "quest": 40, "staircase": 12, "impairment": None,
    }  # fmt: skip
    assert lengths["staircase"]["label"] == "Reversals of each"
    assert not lengths["impairment"]["visible"]
    options = listen._options("staircase", -40.0, 8, 0.0)
    assert options == {"kind": "staircase", "reversals": 8, "audible_db": 0.0}


def test_the_tab_counts_practice_and_catch_trials():
    assert "About 24 questions" in listen._questions("abx", ["white"], 16)
    assert "About 92 questions" in listen._questions("quest", ["white", "shaped"], 40)
    assert "About 14 questions" in listen._questions("impairment", ["a", "b"], 16)
    assert listen._questions("abx", [], 16) == ""


def test_where_nothing_can_be_stored_the_tab_says_so(tmp_path):
    always = listen._demo(MemoryStore())
    assert always["value"] and always["interactive"] is False
    assert "this server keeps answers in memory only" in always["info"]
    assert "interactive" not in listen._demo(JsonLinesStore(tmp_path))


def test_controls_that_do_nothing_are_hidden_and_added_levels_said():
    shown = {kind: listen._level(kind)["visible"] for _, kind in listen.TESTS}
    assert shown == {"abx": True, "quest": False, "staircase": False, "impairment": True}
    assert "10 and 20 dB above it are graded, too" in listen._level("impairment")["info"]
    assert listen._options("impairment", -40, 0, 0)["levels_db"] == [-40, -30, -20]


@pytest.mark.parametrize("demo", [False, True])
def test_the_ruler_takes_the_answers_of_the_own_test_only(tmp_path, demo):
    rooms = Host(JsonLinesStore(tmp_path / "answers"))
    study = small_study(procedure="{kind: quest, trials: 6, audible_db: 0}")
    room, key = rooms.open(study, demo=demo)
    opened = {"token": room.token, "key": key}
    with pytest.raises(ValueError, match="nobody has finished the test yet"):
        listen.answers_of(rooms, opened, tmp_path)
    simulate(room, [Listener(-40.0)], seed=0)
    path = listen.answers_of(rooms, opened, tmp_path)
    assert path.name == ("analysis.json" if demo else "rows.json")
    assert ("rows" in json.loads(path.read_text())) != demo
    strangers = [None, {}, 3, {"token": room.token}, opened | {"key": "x"}, opened | {"token": [1]}]
    for other in [*strangers, opened | {"key": None}, {"token": "none", "key": key}]:
        with pytest.raises(ValueError, match="you have no open test"):
            listen.answers_of(rooms, other, tmp_path)
    rooms.close(room.token)
    with pytest.raises(ValueError, match="you have no open test"):
        listen.answers_of(rooms, opened, tmp_path)


def test_only_an_attack_is_of_a_model():
    clip = Clip.load(BUNDLED / "seven-slt.wav")
    options = listen._options("abx", -20.0, 16, 0.0)
    study = listen.study_of("seven", clip, "digits-cnn", None, ["white"], options)
    assert study.model.name is None


@pytest.fixture
def app(browser, tmp_path, monkeypatch):
    monkeypatch.setenv("ROBUSTAUDIO_LISTENING", str(tmp_path / "answers"))
    page = launch(block=False, quiet=True)
    yield page.local_url
    page.close()


def opened_test(page: Page) -> Page:
    """Opens a test of the clip and its perturbation on the Listen tab; the listener's page."""
    page.set_default_timeout(SLOW_MS)
    expect(page.locator("#perturb-words strong").first).to_be_visible(timeout=SLOW_MS)
    page.get_by_role("tab", name="Listen").click()
    page.get_by_label("the perturbation of the first tab").check()
    page.get_by_label("Demonstration").uncheck()
    page.click("#listen-open")
    expect(page.locator("#listen-opened iframe")).to_be_visible(timeout=SLOW_MS)
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Take it yourself").click()
    return opened.value


FETCH = """async ([base, code]) => {
  const sounds = [];
  for (const place of [0, 1, 2]) {
    const response = await fetch(`${base}/trial/0/${place}`, { headers: { "X-Listener": code } });
    const content = await response.arrayBuffer();
    sounds.push({ headers: [...response.headers.keys()].sort(), status: response.status,
      length: response.headers.get("content-length"), bytes: content.byteLength,
      encoding: response.headers.get("content-encoding") });
  }
  return sounds;
}"""


@pytest.mark.browser
def test_a_test_of_the_current_perturbation_on_the_apps_server(app, page_at, tmp_path):
    teacher = page_at(app)
    tab = opened_test(teacher)
    folder = tmp_path / "answers"
    (token,) = JsonLinesStore(folder).studies()
    room = Host(JsonLinesStore(folder)).find(token)
    families = [condition.family for condition in room.study.procedure.conditions]
    assert families == ["white", "perturbation"]
    assert room.study.model.name == "digits-cnn"
    tab.set_default_timeout(SLOW_MS)
    expect(tab.locator("#welcome")).to_be_visible(timeout=SLOW_MS)
    tab.check("#agree")
    tab.click("#begin")
    expect(tab.locator("#sound")).to_be_visible(timeout=SLOW_MS)
    code = tab.evaluate("localStorage.getItem('robustaudio.listen' + location.pathname)")
    tab.click("#devices button[data-value=headphones]")
    tab.click(f"#counts button[data-value='{beep_count(room.find(code)[1].check_seed)}']")
    expect(tab.locator("#screening")).to_be_visible(timeout=SLOW_MS)
    room.check(code, "screening", {"answers": [0] * 6})
    room.check(code, "unscreened", {})
    tab.reload()
    tab.click("#level-play")
    tab.click("#lock")
    expect(tab.locator("#trial")).to_be_visible(timeout=SLOW_MS)
    sounds = tab.evaluate(FETCH, [f"{app.rstrip('/')}/listen/{token}", code])
    assert [sound["status"] for sound in sounds] == [200] * 3
    assert all(sound == sounds[0] for sound in sounds)  # not compressed by Gradio either
    assert sounds[0]["length"] == str(sounds[0]["bytes"])
    frame = teacher.frame_locator("#listen-opened iframe")
    expect(frame.locator("#begun")).to_have_text("1", timeout=SLOW_MS)
    expect(frame.locator("#qr")).to_be_visible()


RELOADED = ("AbortError", "Connection errored out")  # of Gradio, when a page goes in mid-sentence


def at_listen(page_at, url: str) -> Page:
    page = page_at(url, expected=RELOADED)
    page.set_default_timeout(SLOW_MS)
    expect(page.locator("#perturb-words strong").first).to_be_visible(timeout=SLOW_MS)
    page.get_by_role("tab", name="Listen").click()
    return page


@pytest.mark.browser
def test_an_opened_test_is_still_there_after_a_reload_until_it_is_over(app, page_at, tmp_path):
    page = at_listen(page_at, app)
    page.get_by_label("Demonstration").uncheck()
    page.click("#listen-open")
    teacher = page.locator("#listen-opened iframe").get_attribute("src", timeout=SLOW_MS)
    for _ in range(2):
        with page.expect_download() as download:
            page.click("#listen-export")
        rooms = Host(JsonLinesStore(tmp_path / "answers"))
        (token,) = rooms.store.studies()
        assert (
            parse(download.value.path().read_text(), None).digest == rooms.find(token).study.digest
        )
        page.reload()
        page.get_by_role("tab", name="Listen").click()
        expect(page.locator("#listen-opened iframe")).to_have_attribute("src", teacher)
    frame = page.frame_locator("#listen-opened iframe")
    frame.locator("#close").click()
    frame.get_by_role("button", name="Close and delete").click()
    expect(frame.locator("#notice")).to_contain_text("closed")
    page.reload()
    page.get_by_role("tab", name="Listen").click()
    expect(page.locator("#listen-export")).to_be_disabled(timeout=SLOW_MS)
    expect(page.locator("#listen-opened iframe")).to_have_count(0)


@pytest.mark.browser
def test_a_study_file_is_open_for_the_hours_that_were_chosen(app, page_at, tmp_path):
    page = at_listen(page_at, app)
    page.locator("#listen-hours input[type=number]").fill("2")
    page.locator("#listen-hours input[type=number]").press("Tab")
    page.get_by_label("Demonstration").uncheck()
    (tmp_path / "study.yaml").write_text(TEXT + "expires_h: 100\n")
    page.get_by_text("Open a study file instead").click()
    page.locator("#listen-file input[type=file]").set_input_files(tmp_path / "study.yaml")
    expect(page.locator("#listen-opened iframe")).to_be_visible(timeout=SLOW_MS)
    (end,) = Host(JsonLinesStore(tmp_path / "answers")).charters.ends().values()
    assert (end - datetime.now(UTC)) / timedelta(hours=1) == pytest.approx(2, abs=0.05)


@pytest.mark.browser
def test_the_answers_of_the_own_test_reach_the_ruler_in_one_step(app, page_at, tmp_path):
    page = at_listen(page_at, app)
    page.get_by_label("Threshold by QUEST+").check()
    page.get_by_label("the perturbation of the first tab").check()
    page.get_by_label("Demonstration").uncheck()
    page.locator("#listen-audible input[type=number]").fill("0")

    def takes() -> None:
        page.get_by_role("tab", name="Ruler").click()
        if not page.locator("#take-answers").is_visible():
            page.get_by_role("button", name="What people heard of this clip").click()
        page.click("#take-answers")

    takes()
    expect(page.locator(".toast-body").last).to_contain_text("you have no open test")
    page.get_by_role("tab", name="Listen").click()
    page.click("#listen-open")
    expect(page.locator("#listen-opened iframe")).to_be_visible(timeout=SLOW_MS)
    takes()
    expect(page.locator(".toast-body").last).to_contain_text("nobody has finished the test yet")
    store = JsonLinesStore(tmp_path / "answers")
    room = Host(store).find(store.studies()[0])
    other = Host(MemoryStore()).open(room.study)[0]
    simulate(other, [Listener(-40.0)], seed=0)
    (name,) = other.store.sessions(other.token)
    for event in other.store.read(other.token, name):  # as the app's process would write them
        write = {k: v for k, v in asdict(event).items() if k not in ("study", "session")}
        with (tmp_path / "answers" / room.token / f"{name}.jsonl").open("a") as file:
            file.write(json.dumps(write) + "\n")
    takes()
    expect(page.locator("#ruler-heard .file-preview")).to_contain_text("rows", timeout=SLOW_MS)
    page.click("#measure")
    expect(page.locator("#ruler")).to_contain_text(
        "One simulated listener heard perturbation at", timeout=2 * SLOW_MS
    )
    stranger = page_at(app)
    stranger.set_default_timeout(SLOW_MS)
    stranger.get_by_role("tab", name="Ruler").click()
    stranger.get_by_role("button", name="What people heard of this clip").click()
    stranger.click("#take-answers")
    expect(stranger.locator(".toast-body")).to_contain_text("you have no open test")


@pytest.mark.browser
def test_a_study_that_cannot_be_says_so_on_the_tab(app, page_at, tmp_path):
    page = page_at(app)
    page.set_default_timeout(SLOW_MS)
    expect(page.locator("#perturb-words strong").first).to_be_visible(timeout=SLOW_MS)
    page.get_by_role("tab", name="Listen").click()
    page.get_by_label("noise shaped to the masking threshold").check()
    page.locator("#listen-audible input[type=number]").fill("-20")
    page.locator("#listen-audible input[type=number]").press("Tab")
    page.click("#listen-open")
    expect(page.locator(".toast-body")).to_contain_text(
        "the noise-to-mask ratio is", timeout=SLOW_MS
    )
    bad = tmp_path / "bad.yaml"
    bad.write_text("titel: x")
    page.get_by_text("Open a study file instead").click()
    page.locator("#listen-file input[type=file]").set_input_files(str(bad))
    expect(page.locator(".toast-body").last).to_contain_text("unknown key titel", timeout=SLOW_MS)
    bad.write_text("<img src=x>: 1")
    page.locator("#listen-file button[aria-label*=lear]").click()
    page.locator("#listen-file input[type=file]").set_input_files(str(bad))
    expect(page.locator(".toast-body").last).to_contain_text("unknown key <img src=x>;")
    expect(page.locator(".toast-body img")).to_have_count(0)


@pytest.mark.browser
def test_the_length_that_is_asked_for_is_the_procedures_own(app, page_at):
    page = page_at(app)
    page.set_default_timeout(SLOW_MS)
    page.get_by_role("tab", name="Listen").click()
    value = page.locator("#listen-length input[type=number]")
    expect(value).to_have_value("16", timeout=SLOW_MS)
    page.get_by_label("Threshold by QUEST+").check()
    expect(value).to_have_value("40")
    expect(page.locator("#listen-questions")).to_contain_text("About 48 questions")
    page.get_by_label("Threshold by a staircase").check()
    expect(value).to_have_value("12")
    expect(page.locator("#listen-length")).to_contain_text("Reversals of each")
    page.get_by_label("Five grades").check()
    expect(page.locator("#listen-length")).to_be_hidden()
    expect(page.locator("#listen-questions")).to_contain_text("About 8 questions")
    level, audible = page.locator("#listen-level"), page.locator("#listen-audible")
    expect(level).to_contain_text("10 and 20 dB above it are graded, too")
    expect(audible).to_be_hidden()
    page.get_by_label("Threshold by QUEST+").check()
    expect(level).to_be_hidden()
    expect(audible).to_be_visible()
