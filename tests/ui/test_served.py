"""A class on its own devices: http and https, a proxy with a prefix, a browser that forgets."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import gradio as gr
import httpx
import pytest
import soundfile
import uvicorn
from playwright.sync_api import expect, sync_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from ui.conftest import CHROMIUM_ARGS, find_chromium
from ui.driving import SLOW_MS, opened, page_services, tab, upload

from robustaudio.audio.datasets import BUNDLED
from robustaudio.listening.run.headphones import beep_count
from robustaudio.listening.run.host import NoStudy
from robustaudio.listening.run.open_study import OpenStudy
from robustaudio.serving.serve import Serving, self_signed
from robustaudio.ui.launch import launch

pytestmark = pytest.mark.browser
FOUR = BUNDLED / "four-rms.wav"


@pytest.fixture(scope="module")
def app(browser, tmp_path_factory):
    """The app with a folder for uploads of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))
        patch.setenv("ROBUSTAUDIO_LISTENING", "memory:")
        page = launch(block=False, quiet=True, serving=Serving(hosts=("lab.test",)))
        yield page
        page.close()


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
    for key in ("a", "b", "x", "1"):
        page.keyboard.press(key)
    expect(page.locator("#submit-words")).to_have_text("Answer: X is A")
    page.keyboard.press("Enter")
    expect(page.locator("#progress")).to_contain_text("Trial 2 ")


@pytest.fixture(scope="module")
def below() -> Iterator[gr.Blocks]:
    """The app that is shown below a prefix."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROBUSTAUDIO_LISTENING", "memory:")
        page = launch(block=False, quiet=True, serving=Serving(root_path="/lab"))
    yield page
    page.close()


@pytest.mark.parametrize("strips", [True, False], ids=["strips", "passes"])
@pytest.mark.parametrize("slash", ["", "/"], ids=["bare", "slash"])
def test_behind_a_prefix_all_parts_work(browser, below, strips, slash):
    with proxy(str(below.local_url).rstrip("/"), "/lab", strips) as address:
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
