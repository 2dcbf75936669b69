"""What is open, and what is not."""

import pytest
from gate.behind import JOIN, OURS, UPLOAD, client

CLOSED = [
    *(f"/gradio_api/{path}" for path in (
        "deep_link", "vibe-code", "vibe-code/", "dev/reload", "openapi.json", "info", "info/",
        "mcp", "mcp/sse", "proxy=https://a.hf.space/x", "runs", "run-history/buckets",
        "call/predict",
        "api/predict", "run/other", "login_check", "token", "user", "custom_component/1/c/d/e.js",
        "stream/a/b/c/playlist.m3u8", "file/x", "queue/status", "profiling/traces",
        "component_server",
        "file=http://127.0.0.1/x", "file=https://a.example/x", "file=ftp://a.example/x",
    )),
    "/docs", "/redoc", "/openapi.json", "/monitoring", "/monitoring/summary", "/login", "/logout",
    "/config/", "/secret", "/listen", "//", "/gradio_api", "/gradio_api/",
]  # fmt: skip


@pytest.mark.parametrize("path", CLOSED)
def test_what_the_pages_do_not_need_is_closed(path):
    for method in ("GET", "POST", "HEAD", "PUT", "OPTIONS"):
        answer = client().request(method, f"http://127.0.0.1:7860{path}", headers=OURS)
        assert answer.status_code == 404, method


def test_the_other_way_of_asking_is_closed_too():
    for path in (JOIN, UPLOAD, "/gradio_api/run/predict", "/gradio_api/cancel"):
        assert client().get(path).status_code == 404
    for path in ("/", "/config", "/gradio_api/heartbeat/x", "/gradio_api/queue/data"):
        assert client().post(path, headers=OURS, content=b"{}").status_code == 404
