"""A class on its own devices: http and https, a proxy with a prefix, clips that stay."""

import asyncio
import contextlib
import gc
import socket
import threading
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
import soundfile
import uvicorn
from playwright.sync_api import expect, sync_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from ui.conftest import CHROMIUM_ARGS, find_chromium
from ui.driving import SLOW_MS, choose, opened, run, tab, upload

from robustaudio.audio.datasets import BUNDLED
from robustaudio.listening.run.headphones import beep_count
from robustaudio.listening.run.host import NoStudy
from robustaudio.listening.run.open_study import OpenStudy
from robustaudio.serving.serve import Serving, self_signed
from robustaudio.ui.launch import launch
from robustaudio.ui.services import Services
from robustaudio.ui.sources import Source

pytestmark = pytest.mark.browser
PREVIEW = ("Waveform load error", "Failed to load resource")  # Gradio's own, of a file it shows
SEVEN, FOUR = BUNDLED / "seven-slt.wav", BUNDLED / "four-rms.wav"


@pytest.fixture(scope="module")
def app(browser, tmp_path_factory):
    """The app with a folder for uploads of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))
        patch.setenv("ROBUSTAUDIO_LISTENING", "memory:")
        page = launch(block=False, quiet=True, serving=Serving(hosts=("lab.test",)))
        yield page
        page.close()


def cached(app) -> list[Path]:
    """What visitors have uploaded, as long as Gradio keeps it."""
    return [path for path in Path(app.server_app.uploaded_file_dir).rglob("*") if path.is_file()]


def recorded(page) -> None:
    page.locator("#own-clip button").first.click()
    page.locator("#upload").get_by_label("Record audio").click()
    page.locator("#upload").get_by_text("Record", exact=True).locator("visible=true").click()
    page.wait_for_timeout(3_000)
    page.locator("#upload").get_by_text("Stop", exact=True).locator("visible=true").first.click()
    expect(page.locator("#prediction")).to_contain_text("your own clip", timeout=SLOW_MS)
    expect(page.locator("#perturb-words strong").first).to_be_visible(timeout=SLOW_MS)


def test_over_http_the_page_says_why_there_is_no_microphone(app):
    path = find_chromium()
    assert path is not None
    names = "--host-resolver-rules=MAP lab.test 127.0.0.1"

    def look(playwright) -> None:
        chromium = playwright.chromium.launch(executable_path=path, args=[*CHROMIUM_ARGS, names])
        page = chromium.new_context(permissions=["microphone"]).new_page()
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"http://lab.test:{app.server_port}/", wait_until="domcontentloaded")
        expect(page.locator("#prediction strong")).to_be_visible(timeout=SLOW_MS)
        assert page.evaluate("isSecureContext") is False
        page.locator("#own-clip button").first.click()
        note = page.locator("#no-microphone")
        expect(note).to_be_visible(timeout=SLOW_MS)
        expect(note).to_contain_text("https pages and to this computer only")
        expect(note).to_contain_text("app.py --self-signed")
        expect(page.locator("#upload").get_by_label("Record audio")).to_have_count(0)
        page.locator("#upload input[type=file]").set_input_files(FOUR)  # uploading works
        expect(page.locator("#prediction strong")).to_have_text("4", timeout=SLOW_MS)
        assert errors == []
        chromium.close()

    in_a_thread(look)


def in_a_thread(look) -> None:
    """Runs `look(playwright)` apart from the session's own browser, which has another setting."""
    raised = []

    def work() -> None:
        try:
            with sync_playwright() as playwright:
                look(playwright)
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]


def test_on_this_computer_the_microphone_needs_no_words(app, page_at):
    page = opened(page_at, app.local_url)
    assert page.evaluate("isSecureContext") is True
    page.locator("#own-clip button").first.click()
    expect(page.locator("#upload").get_by_label("Record audio")).to_be_visible()
    assert page.locator("#no-microphone").inner_text().strip() == ""


@pytest.mark.parametrize("given", ["self-signed", "own files"])
def test_over_https_a_voice_is_recorded_and_heard(browser, tmp_path, monkeypatch, given):
    monkeypatch.setattr("robustaudio.serving.serve._cache", lambda: tmp_path)
    serving = Serving(self_signed=True)
    if given == "own files":
        serving = Serving(*self_signed(["lab.example.org"], tmp_path / "own"))
    served = launch(block=False, quiet=True, serving=serving)
    assert str(served.local_url).startswith("https://")
    context = browser.new_context(ignore_https_errors=True, permissions=["microphone"])
    try:
        page = context.new_page()
        page.goto(served.local_url, wait_until="domcontentloaded")
        expect(page.locator("#perturb-words strong").first).to_be_visible(timeout=SLOW_MS)
        assert page.evaluate("isSecureContext") is True
        recorded(page)
    finally:
        context.close()
        served.close()


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
        closed(app, 12)
        page.wait_for_timeout(16_000)
        expect(page.locator("#perturb-words")).to_contain_text("PGD")  # nor does it run anew
        choose(page, "method", "FGSM")
        assert run(page, "perturb", "perturb-words", "FGSM in L∞").startswith("4")
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
    finally:
        app.close()


def page_services():
    """Every Services of the running apps: the tests delete what a visit keeps."""
    return [one for one in gc.get_objects() if type(one) is Services]


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
    app, page_at, tmp_path, name, content, sentence
):
    page = opened(page_at, app.local_url, expected=PREVIEW)
    path = tmp_path / name
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
    choose(page, "clip", "7 · flite slt")
    expect(page.locator("#prediction strong")).to_have_text("7", timeout=SLOW_MS)
    expect(page.locator("#perturb-words")).to_contain_text("7 →", timeout=SLOW_MS)


def test_a_file_that_is_too_large_is_not_sent(app, page_at, tmp_path):
    page = opened(page_at, app.local_url)
    path = tmp_path / "hours.wav"
    with path.open("wb") as stream:
        stream.truncate(51 * 2**20)
    upload(page, path)
    expect(page.locator("#prediction")).to_contain_text("hours.wav has 51 MB; at most 50 MB")
    expect(page.locator("#perturb-words")).to_contain_text("at most 50 MB", timeout=SLOW_MS)
    assert not [one for one in cached(app) if one.name == path.name]


@pytest.mark.parametrize("name", ["memo.webm", "memo.amr", "memo.3gp", "memo.caf", "memo"])
def test_the_content_decides_and_not_the_type_that_a_browser_guesses(app, page_at, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(FOUR.read_bytes())
    page = opened(page_at, app.local_url, expected=PREVIEW)
    upload(page, path)
    expect(page.locator("#prediction strong")).to_have_text("4", timeout=SLOW_MS)


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


REFUSED = """
const get = () => { throw new DOMException("", "SecurityError"); };
Object.defineProperty(window, "localStorage", { get });
"""
FULL = "Storage.prototype.setItem = () => { throw new DOMException('', 'QuotaExceededError'); };"


@pytest.mark.parametrize("storage", [REFUSED, FULL, ""], ids=["refused", "full", "kept"])
def test_the_page_promises_to_keep_the_teachers_address_only_where_it_can(browser, app, storage):
    context = browser.new_context()
    context.add_init_script(storage)
    page, errors = context.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(app.local_url, wait_until="domcontentloaded")
    expect(page.locator("#prediction strong")).to_be_visible(timeout=SLOW_MS)
    tab(page, "Listen")
    page.locator("#listen-open").click()
    expect(page.locator("#listen-opened iframe")).to_be_visible(timeout=SLOW_MS)
    note = page.locator("#listen-kept")
    if storage:
        expect(note).to_contain_text("This browser keeps nothing here")
        address = note.locator("code").inner_text()
        assert address.startswith(f"{app.local_url}listen/") and "/teacher#" in address
    else:
        expect(note).to_contain_text("This browser keeps the teacher's address")
        page.reload(wait_until="domcontentloaded")
        tab(page, "Listen")
        expect(page.locator("#listen-opened iframe")).to_be_visible(timeout=SLOW_MS)
    assert errors == []
    context.close()


@contextlib.contextmanager
def proxy(target: str, prefix: str, strips: bool):
    """A small reverse proxy as documented: it shows `target` below a prefix, and nothing else."""
    client = httpx.AsyncClient(base_url=target, timeout=None)

    async def passed_on(request: Request) -> Response:
        path = request.url.path
        if path != prefix and not path.startswith(f"{prefix}/"):
            return Response("nothing here", 404)
        inner = (path[len(prefix) :] or "/") if strips else path
        headers = [(k, v) for k, v in request.headers.raw if k != b"accept-encoding"]
        url = httpx.URL(inner, query=request.url.query.encode())
        asked = client.build_request(
            request.method, url, headers=headers, content=await request.body()
        )
        answer = await client.send(asked, stream=True)
        kept = {k: v for k, v in answer.headers.items() if k != "transfer-encoding"}
        return StreamingResponse(answer.aiter_raw(), answer.status_code, kept)

    every = ["GET", "HEAD", "POST", "DELETE"]
    front = Starlette(routes=[Route("/{path:path}", passed_on, methods=every)])
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(front, log_level="error", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}{prefix}"
    server.should_exit = True
    thread.join(10)


def rooms_of(token: str) -> list[OpenStudy]:
    """The open study of that token, in whichever app it is."""
    found = []
    for services in page_services():
        with contextlib.suppress(NoStudy):
            found.append(services.rooms.find(token))
    return found


def answers_a_trial(page) -> None:
    """A listener's way from the link to the first answer."""
    page.set_default_timeout(SLOW_MS)
    page.check("#agree")
    page.click("#begin")
    expect(page.locator("#sound")).to_be_visible()
    code = page.evaluate("localStorage.getItem('robustaudio.listen' + location.pathname)")
    token = page.url.rstrip("/").rpartition("/")[2]
    (room,) = rooms_of(token)
    page.click("#devices button[data-value=headphones]")
    page.click(f"#counts button[data-value='{beep_count(room.find(code)[1].check_seed)}']")
    expect(page.locator("#screening")).to_be_visible()
    room.check(code, "screening", {"answers": [0] * 6})
    room.check(code, "unscreened", {})
    page.reload()
    page.click("#level-play")
    page.click("#lock")
    expect(page.locator("#places button")).to_have_count(3)
    for key in ("a", "b", "x", "1", "Enter"):
        page.keyboard.press(key)
    expect(page.locator("#progress")).to_contain_text("Trial 2 ")


@pytest.mark.parametrize("strips", [True, False], ids=["strips", "passes"])
@pytest.mark.parametrize("slash", ["", "/"], ids=["bare", "slash"])
def test_behind_a_prefix_all_parts_work(browser, monkeypatch, strips, slash):
    monkeypatch.setenv("ROBUSTAUDIO_LISTENING", "memory:")
    served = launch(block=False, quiet=True, serving=Serving(root_path="/lab"))
    try:
        with proxy(str(served.local_url).rstrip("/"), "/lab", strips) as address:
            context = browser.new_context(permissions=["microphone"])
            errors: list[str] = []

            def page_at(url: str):
                page = context.new_page()
                page.goto(url, wait_until="domcontentloaded")
                return page

            page = opened(page_at, address + slash)
            page.on("pageerror", lambda error: errors.append(str(error)))
            upload(page, FOUR)
            expect(page.locator("#prediction strong")).to_have_text("4", timeout=SLOW_MS)
            with page.expect_download() as wav:
                expect(page.locator("#perturb-words")).to_contain_text("4 →", timeout=SLOW_MS)
                page.locator("#download-wav").click()
            assert soundfile.info(wav.value.path()).subtype == "FLOAT"
            tab(page, "Listen")
            page.locator("#listen-open").click()
            teacher = page.frame_locator("#listen-opened iframe")
            link = teacher.locator("#link")
            expect(link).to_contain_text(f"{address}/listen/", timeout=SLOW_MS)
            expect(teacher.locator("#title")).not_to_be_empty()
            code = teacher.locator("#qr")
            expect(code).to_be_visible()
            assert code.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
            answers_a_trial(page_at(link.inner_text()))
            expect(teacher.locator("#begun")).to_have_text("1", timeout=SLOW_MS)
            expect(teacher.locator("#given")).to_have_text("1", timeout=SLOW_MS)
            assert errors == []
            context.close()
    finally:
        served.close()
