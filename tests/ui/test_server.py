"""Gradio's server with the gate in front: what it offers and the page does not need is closed."""

import socket
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
import soundfile
from playwright.sync_api import expect
from ui.driving import SLOW_MS, opened, page_services, tab, upload

from robustaudio.audio.datasets import BUNDLED
from robustaudio.serving.limits import Limits
from robustaudio.ui.launch import launch

FOUR = BUNDLED / "four-rms.wav"
LIMITS = Limits(address_uploads_mb=2, uploads_mb=10, proxies=1)
OURS = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))
        patch.setenv("ROBUSTAUDIO_LISTENING", "memory:")
        page = launch(block=False, quiet=True, limits=LIMITS, port=0)
        yield page
        page.close()


@pytest.fixture
def ask(app):
    with httpx.Client(base_url=str(app.local_url), timeout=30) as client:
        yield client


def files(app) -> list[Path]:
    return [path for path in Path(app.server_app.uploaded_file_dir).rglob("*") if path.is_file()]


def test_the_page_is_served_at_the_port_that_is_told(app, ask):
    assert app.server_port == httpx.URL(app.local_url).port != 0
    page = ask.get("/")
    assert page.status_code == 200 and "robustaudio" in page.text
    policy = page.headers["content-security-policy"]
    assert policy == "frame-ancestors 'self'; base-uri 'self'; form-action 'self'"


@pytest.mark.parametrize(
    "path",
    ["gradio_api/deep_link?session_hash=x", "gradio_api/openapi.json", "gradio_api/info", "docs",
     "gradio_api/vibe-code", "gradio_api/dev/reload", "monitoring/summary", "gradio_api/runs",
     "gradio_api/file=http://127.0.0.1:1/x"],
)  # fmt: skip
def test_what_gradio_offers_beyond_the_page_is_closed(app, ask, path):
    assert ask.get(f"/{path}").json()["error"] == "there is nothing here."
    assert not [path for path in files(app) if "deep_links" in path.parts]


def test_gradio_allows_other_origins_and_the_gate_does_not(ask):
    for origin in ("http://localhost:3000", "null", "http://127.0.0.1:9"):
        headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        for answer in (
            ask.get("/", headers={"Origin": origin}),
            ask.options("/gradio_api/queue/join", headers=headers),
        ):
            assert not [name for name in answer.headers if name.startswith("access-control")]
        form = {"files": {"files": ("x.wav", FOUR.read_bytes())}}
        answer = ask.post("/gradio_api/upload", headers={"Origin": origin}, **form)
        assert answer.status_code == 403


def test_another_name_is_not_answered(ask):
    for path in ("/", "/config", "/listen/abcd/study", "/gradio_api/app_id"):
        answer = ask.get(path, headers={"Host": "evil.example"})
        assert answer.status_code == 421 and "location" not in answer.headers


def test_no_address_is_fetched_as_a_file(app, ask):
    """A page of ours listens there: nobody asks it."""
    with socket.create_server(("127.0.0.1", 0)) as canary:
        canary.settimeout(0.5)
        address = f"http://127.0.0.1:{canary.getsockname()[1]}/x.wav"
        takes = [fn for fn in app.fns.values() if any(b.elem_id == "upload" for b in fn.inputs)]
        assert takes
        data = [{"path": address, "meta": {"_type": "gradio.FileData"}}, None]
        for fn in takes:
            body = {"fn_index": fn._id, "session_hash": "abc", "data": data}
            for path in ("queue/join", "run/predict"):
                answer = ask.post(f"/gradio_api/{path}", json=body)
                assert answer.status_code == 400
                assert "addresses of other servers" in answer.json()["error"]
        with pytest.raises(TimeoutError):
            canary.accept()


def test_an_upload_over_the_quota_leaves_nothing(app, ask):
    before = files(app)
    headers = {"X-Forwarded-For": "203.0.113.50"}  # of a proxy on this computer
    sound = {"files": {"files": ("big.wav", b"\1" * 900_000)}}
    statuses = [
        ask.post("/gradio_api/upload", headers=headers, **sound).status_code for _ in range(4)
    ]
    assert statuses == [200, 200, 507, 507]

    def chunks():
        yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="b.wav"\r\n\r\n'
        for _ in range(30):
            yield b"\2" * 100_000
        yield b"\r\n--x--\r\n"

    answer = ask.post(
        "/gradio_api/upload",
        headers={"Content-Type": "multipart/form-data; boundary=x",
                 "X-Forwarded-For": "203.0.113.51"},
        content=chunks(),
    )  # fmt: skip
    assert answer.status_code == 507
    assert answer.text.startswith("2 MB were uploaded from your address in the last hour")
    assert len(files(app)) - len(before) == 1  # the same sound twice is one file
    for path in {*files(app)} - {*before}:
        path.unlink()


def test_many_small_files_are_refused_and_leave_nothing(app, ask):
    before = files(app)
    sounds = [("files", (f"{number}.wav", b"x")) for number in range(40)]
    answer = ask.post("/gradio_api/upload", files=sounds)
    assert (answer.status_code, answer.text) == (413, "at most 4 files can be sent at once.")
    assert files(app) == before
    assert ask.post("/gradio_api/upload", files=sounds[:4]).status_code == 200
    for path in {*files(app)} - {*before}:
        path.unlink()


def test_whoever_hangs_up_during_an_upload_leaves_no_file_and_no_traceback(app, caplog, capfd):
    before, begun = files(app), b"--x\r\nContent-Disposition: form-data; name=files; filename=a.wav"
    address = httpx.URL(app.local_url)
    with socket.create_connection((address.host, address.port)) as upload:
        upload.sendall(
            b"POST /gradio_api/upload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9999\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n\r\n" + begun + b"\r\n\r\nRIFF"
        )
        until = time.monotonic() + 5
        while files(app) == before and time.monotonic() < until:
            time.sleep(0.01)
        assert files(app) != before
    while files(app) != before and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(0.1)
    assert files(app) == before
    assert "Traceback" not in caplog.text + capfd.readouterr().err


def test_the_page_is_made_once_for_all_and_for_each_name(ask):
    began = time.monotonic()
    pages = {ask.get("/", params={"a": str(number)}).text for number in range(20)}
    assert len(pages) == 1 and time.monotonic() - began < 2
    elsewhere = ask.get("/", headers={"X-Gradio-Server": "http://evil.example"}).text
    assert {elsewhere} == pages
    secure = {"X-Forwarded-Host": "lab.example.org", "X-Forwarded-Proto": "https"}
    assert '"https://lab.example.org' in ask.get("/", headers=secure).text
    assert {ask.get("/").text} == pages


def test_files_go_by_age_and_downloads_later(app, monkeypatch, tmp_path):
    from robustaudio.ui.server import uploads_of

    services = next(iter(page_services()))
    old = Path(app.server_app.uploaded_file_dir) / "abandoned" / "state.json"
    old.parent.mkdir(parents=True)
    old.write_text("x" * 1000)
    button = next(block for block in app.blocks.values() if block.elem_id == "download-wav")
    result = old.parent / "result.wav"
    result.write_text("x")
    button.temp_files.add(str(result))
    room = uploads_of(app, services, LIMITS)
    room.folders = [Path(app.server_app.uploaded_file_dir), services.kept.home]
    time.sleep(0.05)
    room.sweep(age_s=0.02)
    assert not old.exists() and result.exists()
    button.temp_files.clear()
    room.sweep(age_s=0.02)
    assert not result.exists()


@pytest.mark.browser
def test_what_the_server_does_not_take_is_said_in_place(app, page_at, tmp_path):
    path = tmp_path / "noise.wav"
    noise = np.random.default_rng(0).standard_normal(8_000 * 100) * 0.1  # 1.6 MB
    soundfile.write(path, noise, 8_000)
    page = opened(
        page_at, str(app.local_url), expected=("Failed to load", "Response", "load error")
    )
    upload(page, path)
    expect(page.locator("#prediction")).to_contain_text("your own clip", timeout=SLOW_MS)
    upload_again = page.locator("#upload").get_by_label("Clear")
    if upload_again.count():
        upload_again.first.click()
    page.locator("#upload input[type=file]").set_input_files(path)
    words = page.locator("#prediction")
    expect(words).to_contain_text("2 MB were uploaded from your address", timeout=SLOW_MS)
    expect(words).to_contain_text("try again later")
    tab(page, "Listen")
    page.get_by_text("Open a study file instead").click()
    study = tmp_path / "study.yaml"
    study.write_text("x" * 1_900_000)
    page.locator("#listen-file input[type=file]").set_input_files(study)
    note = page.locator("#listen-file .ra-not-taken")
    expect(note).to_contain_text("2 MB were uploaded from your address", timeout=SLOW_MS)


@pytest.mark.browser
def test_the_page_breaks_none_of_its_own_rules_and_no_stranger_frames_it(app, page_at, browser):
    page = opened(page_at, str(app.local_url))  # a broken rule is an error of the console
    tab(page, "Listen")
    page.locator("#listen-open").click()
    teacher = page.frame_locator("#listen-opened iframe")
    expect(teacher.locator("#title")).not_to_be_empty(timeout=SLOW_MS)  # we frame our own
    context = browser.new_context()
    stranger = context.new_page()
    stranger.set_content(f"<iframe src='{app.local_url}'></iframe>")
    stranger.wait_for_timeout(2_000)
    frame = stranger.frames[-1]
    assert frame.url.startswith("chrome-error:") or "robustaudio" not in frame.content()
    context.close()
