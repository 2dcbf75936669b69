"""What the gate lets through: whose name, whose page, how often, how much, and which paths."""

import asyncio
import json
import os
import time
from math import inf

import apart
import httpx
import pytest
from starlette.applications import Starlette
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from robustaudio.gate import Gate, Rules, bodies, pages, rates, routes, uploads
from robustaudio.gate.hosts import Hosts, counted
from robustaudio.gate.refusal import Refusal
from robustaudio.gate.uploads import Uploads
from robustaudio.serving.limits import PRIVATE, Limits

JOIN, UPLOAD = "/gradio_api/queue/join", "/gradio_api/upload"
OURS = {"Content-Type": "application/json"}


async def tell(request: Request) -> Response:
    """An app that tells who asked and what came, and is as open to others as Gradio."""
    try:
        body = b"".join([part async for part in request.stream()])
    except MultiPartException as error:
        return PlainTextResponse(error.message, 400)
    client = request.client.host if request.client else None
    cors = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Credentials": "true"}
    return JSONResponse({"client": client, "size": len(body)}, headers=cors)


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """What is refused is taken in for a moment only: the test's client sends no end of it."""
    monkeypatch.setattr("robustaudio.gate.gate.DRAIN_S", 0.5)


APP = Starlette(routes=[Route("/{path:path}", tell, methods=["GET", "POST", "OPTIONS", "PUT"])])


def client(
    address: str = "203.0.113.7", base: str = "http://127.0.0.1:7860", **doors
) -> TestClient:
    return TestClient(Gate(APP, Rules(**doors)), base, client=(address, 4711))


# --- who asks -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "proxies, noted, address",
    [
        (0, "203.0.113.9", "198.51.100.1"),  # anybody may write the header
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "10.0.0.1, 203.0.113.9", "203.0.113.9"),  # a spoofed one stands left of the true one
        (2, "10.0.0.1, 203.0.113.9, 192.0.2.5", "203.0.113.9"),
        (2, "203.0.113.9", "198.51.100.1"),  # it came past a proxy
        (1, "203.0.113.9:4711", "203.0.113.9"),
        (1, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        (1, "[2001:db8:1:2::9]:443", "2001:db8:1:2::"),
        (1, "::ffff:203.0.113.9", "203.0.113.9"),
        (1, "", ""),
        (1, None, "198.51.100.1"),
    ],
)
def test_the_address_is_the_one_that_a_proxy_of_ours_noted(proxies, noted, address):
    asking = client("198.51.100.1", limits=Limits(proxies=proxies))
    headers = {} if noted is None else {"X-Forwarded-For": noted}
    assert asking.get("/config", headers=headers).json()["client"] == address


@pytest.mark.parametrize(
    "proxies, noted, scheme",
    [(0, "https", "http"), (1, "https", "https"), (1, "javascript", "http"), (1, None, "http")],
)
def test_the_scheme_is_the_one_that_a_proxy_of_ours_noted(proxies, noted, scheme):
    schemes = []

    async def app(scope, receive, send) -> None:
        schemes.append(scope["scheme"])
        await PlainTextResponse("")(scope, receive, send)

    ask = TestClient(Gate(app, Rules(Limits(proxies=proxies))), "http://127.0.0.1")
    ask.get("/listen/x", headers={} if noted is None else {"X-Forwarded-Proto": noted})
    assert schemes == [scheme]


def test_addresses_of_one_household_are_one():
    assert counted("2001:db8:1:2::1") == counted("2001:db8:1:2:ffff:ffff:ffff:ffff")
    assert counted("2001:db8:1:2::1") != counted("2001:db8:1:3::1")
    assert counted("fe80::1%eth0") == "fe80::" and counted("::1") == "::1"
    assert len(counted("x" * 10_000)) == 64


# --- by which name ------------------------------------------------------------------------------

LAB = Hosts(origin="https://lab.example.org", prefix="/lab")
FORWARDED = {"X-Forwarded-Host": "lab.example.org", "X-Forwarded-For": "203.0.113.9"}


@pytest.mark.parametrize(
    "hosts, host, more, answered",
    [
        (Hosts(), "localhost:7860", {}, True),
        (Hosts(), "LOCALHOST.", {}, True),
        (Hosts(), "127.0.0.1:7860", {}, True),
        (Hosts(), "127.8.9.1", {}, True),
        (Hosts(), "[::1]:7860", {}, True),
        (Hosts(), "app.localhost:7860", {}, True),
        (Hosts(), "evil.example", {}, False),
        (Hosts(), "evil.example:7860", {}, False),
        (Hosts(), "[::1]evil", {}, False),
        (Hosts(), "[::1].evil.example:7860", {}, False),
        (Hosts(), "127.0.0.1.evil.example", {}, False),
        (Hosts(), "localhost.evil.example", {}, False),
        (Hosts(), "xlocalhost", {}, False),
        (Hosts(), "192.168.1.20", {}, False),
        (Hosts(), "0.0.0.0:7860", {}, False),
        (Hosts(), "evil.example", {"X-Forwarded-Host": "localhost"}, False),
        (Hosts(), "", {}, False),
        (Hosts(allowed=("lab.example.org",)), "lab.example.org", {}, True),
        (Hosts(allowed=("lab.example.org",)), "other.example.org", {}, False),
        (Hosts(host="::1"), "[::1]:7860", {}, True),
        (Hosts(host="::1"), "evil.example", {}, False),
        (Hosts(host="127.0.0.2"), "localhost", {}, True),
        (LAB, "lab.example.org", FORWARDED, True),
        (LAB, "evil.example", FORWARDED, False),
        (Hosts(prefix="/lab"), "lab.example.org", FORWARDED, True),
        (Hosts(prefix="/lab"), "lab.example.org", {}, False),
        (Hosts(host="0.0.0.0"), "whatever.example", {}, True),
        (Hosts(host="0.0.0.0", allowed=("lab.example.org",)), "whatever.example", {}, False),
        (Hosts(host="0.0.0.0", allowed=("lab.example.org",)), "192.168.1.20:7860", {}, True),
        (Hosts(host="0.0.0.0", allowed=("lab.example.org",)), "lab.example.org", {}, True),
    ],
)
@pytest.mark.parametrize("path", ["/", "/listen/x/start", JOIN])
def test_a_server_on_loopback_answers_to_its_own_names(hosts, host, more, answered, path):
    ask = client(hosts=hosts)
    sent = {"Host": host, **OURS, **more}
    answer = (
        ask.get(path, headers=sent) if path == "/" else ask.post(path, headers=sent, content=b"{}")
    )
    assert (answer.status_code == 200) is answered
    if not answered:
        assert answer.status_code == 421 and "--allowed-host" in answer.json()["error"]


# --- by which page ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "hosts, base, sent, answered",
    [
        (Hosts(), "http://127.0.0.1:7860", {}, True),  # a program
        (Hosts(), "http://127.0.0.1:7860", {"Origin": "http://127.0.0.1:7860"}, True),
        (Hosts(), "http://localhost:7860", {"Origin": "http://localhost:7860"}, True),
        (Hosts(), "http://localhost:7860", {"Origin": "http://localhost:3000"}, False),
        (Hosts(), "http://localhost:7860", {"Origin": "https://evil.example"}, False),
        (Hosts(), "http://localhost:7860", {"Origin": "null"}, False),
        (Hosts(), "http://localhost:7860", {"Origin": ""}, True),
        (Hosts(), "http://localhost:7860", {"Origin": "http://["}, False),
        (Hosts(), "http://localhost:7860", {"Sec-Fetch-Site": "cross-site"}, False),
        (Hosts(), "http://localhost:7860", {"Sec-Fetch-Site": "Cross-Site"}, False),
        (Hosts(), "http://localhost:7860", {"Sec-Fetch-Site": "none"}, True),
        (Hosts(), "http://localhost:7860",
         {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:3000"}, False),
        (Hosts(host="0.0.0.0"), "https://a-b.hf.space",
         {"Origin": "https://a-b.hf.space", "Sec-Fetch-Site": "same-origin"}, True),
        (Hosts(host="0.0.0.0"), "http://192.168.1.20:7860",
         {"Origin": "http://192.168.1.20:7860"}, True),
        (Hosts(host="0.0.0.0"), "http://192.168.1.20:7860",
         {"Origin": "http://192.168.1.21:7860"}, False),
        # proxies: with the name passed on, without its port, and without the name
        (Hosts(prefix="/lab"), "http://lab.example.org",
         {"Origin": "https://lab.example.org", **FORWARDED}, True),
        (Hosts(prefix="/lab"), "http://lab.example.org",
         {"Origin": "https://lab.example.org:8443", **FORWARDED}, True),
        (Hosts(prefix="/lab"), "http://lab.example.org",
         {"Origin": "https://evil.example", **FORWARDED}, False),
        (LAB, "http://127.0.0.1:7860", {"Origin": "https://lab.example.org"}, True),
        (Hosts(), "http://127.0.0.1:7860",
         {"Origin": "https://lab.example.org", "Sec-Fetch-Site": "same-origin"}, True),
        (Hosts(host="0.0.0.0", allowed=("lab.example.org",)), "http://10.0.0.1:7860",
         {"Origin": "https://lab.example.org"}, True),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "path", [JOIN, "/gradio_api/run/predict", "/gradio_api/cancel", UPLOAD, "/listen/x/start"]
)
def test_only_our_own_pages_and_programs_may_change_something(hosts, base, sent, answered, path):
    answer = client(base=base, hosts=hosts).post(path, headers=OURS | sent, content=b"{}")
    assert (answer.status_code == 200) is answered
    if not answered:
        assert answer.status_code == 403 and "may not change anything" in answer.text


def test_what_computes_is_not_asked_for_by_other_sites_either():
    ask = client()
    for path in ("queue/data", "heartbeat/x", "startup-events", "upload_progress"):
        answer = ask.get(f"/gradio_api/{path}", headers={"Sec-Fetch-Site": "cross-site"})
        assert answer.status_code == 403
    for path in ("/", "/listen/x", "/listen/x/teacher"):  # a link from another page
        assert ask.get(path, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


def test_no_other_origin_is_allowed_to_read(monkeypatch):
    for origin in ("http://localhost:3000", "null", "http://127.0.0.1:7860"):
        headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        for answer in (client().options(JOIN, headers=headers), client().get("/", headers=headers)):
            assert not [name for name in answer.headers if name.startswith("access-control")]
        assert client().options(JOIN, headers=headers).status_code == 404


# --- what is open -------------------------------------------------------------------------------

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


def test_a_prefix_that_the_proxy_passes_on_changes_nothing():
    ask = client(hosts=Hosts(prefix="/lab"))
    for path, status in (
        ("/lab", 200), ("/lab/", 200), ("/lab/config", 200), ("/laboratory", 404),
        ("/lab/gradio_api/info", 404), ("/lab/docs", 404),
    ):  # fmt: skip
        assert ask.get(path).status_code == status, path
    assert ask.post(f"/lab{JOIN}", content=b"{}").status_code == 415


async def _page(request: Request) -> Response:
    return HTMLResponse(f'<head><base href="./" /></head>{request.url.path}')


async def _text(request: Request) -> Response:
    return PlainTextResponse(request.url.path + ' <base href="./" />')


def proxied(prefix: str) -> TestClient:
    app = Starlette(routes=[Route("/", _page), Route("/listen/{token}", _text)])
    return TestClient(Gate(app, Rules(hosts=Hosts(prefix=prefix))), "http://127.0.0.1:7860")


@pytest.mark.parametrize("path", ["/", "/lab", "/lab/"])
def test_the_page_finds_its_parts_with_and_without_a_slash_at_the_end(path):
    ask = proxied("/lab")
    answer = ask.get(path)
    assert answer.text == '<head><base href="/lab/" /></head>/'
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert ask.head(path).status_code == 200


@pytest.mark.parametrize(
    "prefix, asked, path",
    [("/lab", "/listen/abc", "/listen/abc"), ("/lab", "/lab/listen/abc", "/listen/abc"),
     ("/lis", "/listen/abc", "/listen/abc")],
)  # fmt: skip
def test_a_proxy_may_strip_the_prefix_or_not(prefix, asked, path):
    assert proxied(prefix).get(asked).text == path + ' <base href="./" />'


def test_without_a_prefix_nothing_is_changed():
    assert proxied("").get("/").text == '<head><base href="./" /></head>/'


def test_no_websocket_is_opened():
    from starlette.websockets import WebSocketDisconnect

    with pytest.raises(WebSocketDisconnect), client().websocket_connect("/gradio_api/queue/join"):
        pass


# --- what is sent -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", None])
@pytest.mark.parametrize("path", routes.JSON)
def test_json_has_to_be_called_json(path, kind):
    headers = {} if kind is None else {"Content-Type": kind}
    answer = client().post(path, headers=headers, content=b"{}")
    assert answer.status_code == 415 and "application/json would be right" in answer.json()["error"]
    named = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert client().post(path, headers=named, content=b"{}").json()["size"] == 2


FILE = {"meta": {"_type": "gradio.FileData"}}


@pytest.mark.parametrize(
    "body",
    [
        {"data": [{"path": "http://a.example/x.wav"}]},
        {"data": [{"path": "HTTPS://a.example/x.wav", **FILE}]},
        {"data": [[[{"x": {"path": "https://a.example/x.wav", **FILE}}]]]},
        {"path": "ftp://a.example/x"},
        {"data": [{"path": "file:///etc/passwd"}]},
        {"data": [{"path": " https://a.example"}]},
        {"data": [{"path": "//a.example/x"}]},
        {"data": [{"path": "\\\\a.example\\x"}]},
        {"data": [{"path": "data:audio/wav;base64,AAAA", **FILE}]},
        {"data": [{"path": "x.wav", "url": "https://a.example/x.wav"}]},
        {"data": [{"url": "https://127.0.0.1.a.example/x.wav"}]},
        '{"data": [{"p\\u0061th": "\\u0068ttp://a.example/x.wav"}]}',
        '{"data": [{"path": "http://a.example/x", "path": "x.wav"}]}',
        '{"data": [{"path": "x.wav", "path": "http://a.example/x"}]}',
        '{"data": [{"path": "http:\\/\\/a.example\\/x"}]}',
        json.dumps({"data": [{"path": "http://a.example/x"}]}).encode("utf-16"),
    ],
)
@pytest.mark.parametrize("path", [JOIN, "/gradio_api/run/predict"])
def test_no_file_of_another_server_is_fetched(path, body):
    sent = body if isinstance(body, bytes | str) else json.dumps(body)
    answer = client().post(path, headers=OURS, content=sent)
    assert answer.status_code == 400 and "addresses of other servers" in answer.json()["error"]


@pytest.mark.parametrize(
    "body",
    [
        {"data": [{"path": "/tmp/gradio/abc/x.wav", **FILE,
                   "url": "http://127.0.0.1:7860/gradio_api/file=/tmp/gradio/abc/x.wav"}]},
        {"data": [{"path": "C:\\Users\\a\\x.wav"}]},
        {"data": [{"path": "C:/Users/a/x.wav", "url": None}]},
        {"data": ["see http://a.example", {"title": "http://a.example"}]},
        {"data": [{"path": "M 0 0 L 1 1"}, {"path": 3}, {"path": ["http:"]}]},
    ],
)  # fmt: skip
def test_what_the_page_itself_sends_goes_through(body):
    answer = client().post(JOIN, headers=OURS, json=body)
    assert answer.status_code == 200 and answer.json()["size"] == len(answer.request.content)


@pytest.mark.parametrize("odd", [b"{", b"[" * 40_000, b"\xff\xfe\xff", b"", b"{'a': 1}"])
def test_what_is_no_json_is_said_at_the_gate(odd):
    answer = client().post(JOIN, headers=OURS, content=odd)
    assert answer.status_code == 400 and answer.json()["error"] == "what was sent is not JSON."


def test_json_is_bounded_by_what_it_names_and_by_what_comes(monkeypatch):
    monkeypatch.setattr("robustaudio.gate.gate.MOST_JSON", 100_000)
    assert client().post(JOIN, headers=OURS, json=["x" * 90_000]).status_code == 200
    for content in (b'["' + b"x" * 200_000, iter([b"[" + b"1," * 30_000] * 4)):
        answer = client().post(JOIN, headers=OURS, content=content)
        assert answer.status_code == 413 and "kB can be sent" in answer.json()["detail"]


def test_so_many_values_can_be_sent():
    body = json.dumps({"data": [[]] * (bodies.PARTS // 3)})
    assert client().post(JOIN, headers=OURS, content=body).status_code == 200
    for odd in (b"[],", b'"",', b'{"a":{},"b":1},'):
        content = b'{"data":[' + odd * bodies.PARTS + b"1]}"
        answer = client().post(JOIN, headers=OURS, content=content)
        assert answer.status_code == 413
        assert answer.json()["error"] == "at most 50000 values can be sent at once."


def test_what_only_names_a_run_is_short():
    for path in ("cancel", "reset"):
        answer = client().post(f"/gradio_api/{path}", headers=OURS, json={"x": "y" * 5_000})
        assert answer.status_code == 413
        assert answer.json()["error"] == "at most 4 kB can be sent at once."


@pytest.mark.parametrize(
    "name, value, answered",
    [
        ("session_hash", "a1b2c3d4e5f", True),
        ("session_hash", None, True),
        ("session_hash", "x" * 65, False),
        ("session_hash", "a b", False),
        ("session_hash", "a\n", False),
        ("session_hash", ["a"], False),
        ("session_hash", 1, False),
        ("event_id", "0" * 32, True),
        ("event_id", "0" * 1_000, False),
        ("event_id", {}, False),
        ("fn_index", 3, True),
        ("fn_index", "3", False),
        ("fn_index", True, False),
        ("fn_index", [3], False),
        ("trigger_id", 1e300, False),
    ],
)
def test_names_of_sessions_and_runs_are_short_and_plain(name, value, answered):
    for path in (JOIN, "/gradio_api/run/predict", "/gradio_api/cancel", "/gradio_api/reset"):
        body = {"data": [{"x": 1}], name: value, "event_data": {"y": []}}
        answer = client().post(path, headers=OURS, json=body)
        assert answer.status_code == (200 if answered else 400)
        assert answered or answer.json()["error"].startswith(f"{name} must be a ")
    twice = '{"session_hash": "%s", "session_hash": "a"}' % ("x" * 99)
    assert client().post(JOIN, headers=OURS, content=twice).status_code == 400


@pytest.mark.parametrize("path", ["queue/data", "startup-events", "upload_progress", "upload"])
@pytest.mark.parametrize("name", ["session_hash", "upload_id", "%73ession_hash"])
def test_names_in_a_query_are_short_and_plain_too(path, name):
    method = "POST" if path == "upload" else "GET"
    for query, status in (
        (f"{name}=abc", 200), (f"{name}={'x' * 65}", 400), (f"{name}=a%00", 400),
        (f"{name}=a&{name}=b", 400), ("", 200),
    ):  # fmt: skip
        assert client().request(method, f"/gradio_api/{path}?{query}").status_code == status


def test_the_name_in_a_heartbeat_is_short_and_plain_too():
    for name, status in (("abc", 200), ("x" * 65, 400), ("a%20b", 400)):
        assert client().get(f"/gradio_api/heartbeat/{name}").status_code == status


# --- how often ----------------------------------------------------------------------------------


def test_a_burst_is_answered_and_a_flood_is_not(monkeypatch):
    monkeypatch.setattr(rates, "PATIENCE_S", 0.05)
    limits = Limits(requests=2)
    gate = Gate(APP, Rules(limits=limits))
    one, two = (
        TestClient(gate, "http://127.0.0.1:7860", client=(address, 1))
        for address in ("203.0.113.7", "203.0.113.8")
    )
    post = {"headers": OURS, "content": b"{}"}
    answers = [one.post(JOIN, **post) for _ in range(40)]
    assert [answer.status_code for answer in answers[:30]] == [200] * 30
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) >= 5
    assert int(refused[0].headers["retry-after"]) >= 1
    assert "too many requests came from your address" in refused[0].json()["error"]
    assert two.post(JOIN, **post).status_code == 200  # others are not held up
    for path in ("/", "/assets/x.js", "/listen/x/trial/0/0", "/gradio_api/file=/tmp/x.wav"):
        assert one.get(path).status_code == 200
    for path in ("/listen/x/pooled", "/listen/x/state", "/listen/x/result", "/listen/x/export/csv"):
        assert one.get(path).status_code == 429


def test_a_private_machine_knows_no_rate():
    ask = client(limits=PRIVATE)
    assert {ask.post(JOIN, headers=OURS, content=b"{}").status_code for _ in range(200)} == {200}


async def held(gate: Gate, addresses: list[str], during) -> list[int]:
    """Status of as many requests at once, each from its address."""

    async def ask(address: str) -> int:
        transport = httpx.ASGITransport(gate, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as asking:
            return (await during(asking)).status_code

    return await asyncio.gather(*map(ask, addresses))


def slow_app(seconds: float, peak: list[int]):
    running = 0

    async def app(scope, receive, send) -> None:
        nonlocal running
        running += 1
        peak.append(running)
        await asyncio.sleep(seconds)
        running -= 1
        await JSONResponse({})(scope, receive, send)

    return app


def join(asking):
    return asking.post(JOIN, headers=OURS, content=b"{}")


def test_a_page_is_made_once_for_a_class_and_a_flood_waits(monkeypatch):
    monkeypatch.setattr(rates, "PATIENCE_S", 0.05)
    peak: list[int] = []
    gate = Gate(slow_app(0.02, peak), Rules(limits=Limits(requests=20)))

    async def ask() -> None:
        address = "203.0.113.7"
        assert await held(gate, [address] * 60, lambda a: a.get("/?a=1")) == [200] * 60
        assert len(peak) == 1
        again = await held(gate, [address] * 40, lambda a: a.get("/config"))
        assert 429 in again and again.count(200) < 25 and len(peak) == 2
        assert await held(gate, [address], join) == [200]  # a page that is open goes on
        assert await held(gate, ["203.0.113.8"], lambda a: a.get("/")) == [200]

    apart.run(ask())


def test_kept_pages_are_one_for_each_name_and_few(monkeypatch):
    asked: list[tuple] = []

    async def app(scope, receive, send) -> None:
        asked.append((scope["headers"], scope["query_string"]))
        host = dict(scope["headers"])[b"host"]
        status = 500 if host == b"bad" else 200
        headers = {"set-cookie": "a=b"} if host == b"own" else {}
        await PlainTextResponse(host, status, headers)(scope, receive, send)

    gate = Gate(app, Rules(hosts=Hosts("0.0.0.0")))
    ask = TestClient(gate, "http://first")
    for number in range(3):
        sent = {"Cookie": f"a={number}", "X-Gradio-Server": "http://evil.example"}
        assert ask.get(f"/?deep_link={number}", headers=sent).text == "first"
    assert asked == [([(b"host", b"first")], b"")]
    for host in ("bad", "own"):  # these are made again
        assert [ask.get("/", headers={"Host": host}).text for _ in range(2)] == [host] * 2
    assert len(asked) == 5
    for number in range(40):
        assert ask.get("/", headers={"Host": f"h{number}"}).text == f"h{number}"
    assert len(gate.pages._answers) == pages.MOST
    monkeypatch.setattr(pages, "KEPT_S", 0.0)
    assert ask.get("/", headers={"Host": "h39"}).text == "h39" and len(asked) == 46


def test_so_many_at_a_time_and_the_others_wait_their_turn():
    peak: list[int] = []
    gate = Gate(slow_app(0.05, peak), Rules(limits=Limits(parallel=3)))
    assert apart.run(held(gate, ["203.0.113.7"] * 20, join)) == [200] * 20
    assert max(peak) == 3
    assert gate.rates.of("203.0.113.7").idle


def test_who_waits_too_long_is_told_and_nobody_else_waits(monkeypatch):
    monkeypatch.setattr(rates, "PATIENCE_S", 0.2)
    monkeypatch.setattr(rates, "MOST_WAITING", 5)
    gate = Gate(slow_app(0.6, []), Rules(limits=Limits(parallel=2)))
    statuses = apart.run(held(gate, ["203.0.113.7"] * 12 + ["203.0.113.8"], join))
    assert statuses.count(200) == 3 and statuses[-1] == 200 and statuses.count(429) == 10
    assert gate.rates.of("203.0.113.7").idle


def test_open_streams_are_bounded():
    gate = Gate(slow_app(0.2, []), Rules(limits=Limits(streams=4)))

    def listen(asking):
        return asking.get("/gradio_api/queue/data?session_hash=x")

    statuses = apart.run(held(gate, ["203.0.113.7"] * 6 + ["203.0.113.8"], listen))
    assert sorted(statuses) == [200] * 5 + [429] * 2 and statuses[-1] == 200
    assert apart.run(held(gate, ["203.0.113.7"], listen)) == [200]


def test_addresses_are_forgotten_and_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(rates, "REMEMBERED", 50)
    known = rates.Rates(20, 8, 4)
    known.of("busy").streams = 1
    for number in range(500):
        known.of(f"address {number}")
    assert len(known._shares) <= 51 and "busy" in known._shares


# --- how much -----------------------------------------------------------------------------------


def form(size: int) -> dict:
    return {"files": {"files": ("x.wav", b"\0" * size)}}


def test_an_address_uploads_so_much_in_an_hour(tmp_path, monkeypatch):
    room = Uploads([tmp_path], inf, address_mb=1)
    gate = Gate(APP, Rules(uploads=room))
    one, two = (
        TestClient(gate, "http://127.0.0.1:7860", client=(address, 1))
        for address in ("203.0.113.7", "203.0.113.8")
    )
    assert [one.post(UPLOAD, **form(300_000)).status_code for _ in range(4)] == [200] * 3 + [507]
    sentence = one.post(UPLOAD, **form(300_000)).text
    assert sentence.startswith("1 MB were uploaded from your address in the last hour")
    assert two.post(UPLOAD, **form(300_000)).status_code == 200
    chunked = {"content": iter([b"\0" * 100_000] * 9), "headers": {"Content-Type": "x"}}
    assert two.post(UPLOAD, **chunked).status_code == 507  # its length was not named
    hour = room._hours["203.0.113.7"]
    room._hours["203.0.113.7"] = type(hour)((at - 3_601, size) for at, size in hour)
    assert one.post(UPLOAD, **form(300_000)).status_code == 200


def test_small_files_count_for_what_they_fill(tmp_path):
    room = Uploads([tmp_path], address_mb=1)
    ask = client(uploads=room)
    few = [("files", (f"{number}.wav", b"x")) for number in range(4)]
    statuses = [ask.post(UPLOAD, files=few).status_code for _ in range(25)]
    assert statuses == [200] * 20 + [507] * 5  # 12 kB each, and what is sent around it
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.wav").write_bytes(b"x")
    assert room.measure() == uploads.FILE + uploads.FOLDER


def test_one_upload_has_a_few_files_however_it_is_cut():
    part = b'--x-y\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n1\r\n'
    kind = {"Content-Type": "multipart/form-data; boundary=x-y"}
    for count, status in ((1, 200), (4, 200), (5, 413), (400, 413)):
        body = part * count + b"--x-y--\r\n"
        for size in (1, 7, 1_000_000):
            cut = iter([body[at : at + size] for at in range(0, len(body), size)])
            answer = client().post(UPLOAD, headers=kind, content=cut)
            assert answer.status_code == status, (count, size)
    assert answer.text == "at most 4 files can be sent at once."


def test_whoever_hangs_up_ends_the_upload_as_a_damaged_form_does():
    told, sent = [], []

    async def app(scope, receive, send) -> None:
        try:
            while (await receive()).get("more_body"):
                pass
        except MultiPartException as error:
            told.append(error.message)
        else:
            await receive()  # after the end it may be anything
        await PlainTextResponse("x")(scope, receive, send)

    async def ask(*messages) -> None:
        left = [*messages, *[{"type": "http.disconnect"}] * 3]

        async def receive():
            return left.pop(0)

        async def send(message) -> None:
            sent.append(message.get("status"))

        scope = {"type": "http", "method": "POST", "path": UPLOAD, "query_string": b"",
                 "headers": [(b"host", b"localhost")], "client": ("203.0.113.7", 1)}  # fmt: skip
        await Gate(app, Rules())(scope, receive, send)

    apart.run(ask({"type": "http.request", "body": b"x", "more_body": True}))
    assert told == ["the connection was lost."]
    apart.run(ask({"type": "http.request", "body": b"x", "more_body": False}))
    assert told == ["the connection was lost."] and sent == [400, None, 200, None]


def test_a_client_that_hangs_up_anywhere_is_no_error():
    async def app(scope, receive, send) -> None:
        raise ClientDisconnect

    gate = Gate(app, Rules())
    with pytest.raises(AssertionError):  # of the test's client: there is no answer
        apart.run(held(gate, ["203.0.113.7"], lambda a: a.post("/listen/x/start")))


def test_the_folder_has_so_much_room_whoever_wrote_into_it(tmp_path, monkeypatch):
    monkeypatch.setattr(uploads, "STALE_S", 0.0)
    visits = tmp_path / "visits"
    (visits / "a").mkdir(parents=True)
    folder = tmp_path / "uploads"
    folder.mkdir()
    (visits / "a" / "kept.wav").write_bytes(b"\0" * 600_000)
    ask = client(uploads=Uploads([folder, visits], most_mb=1))
    assert ask.post(UPLOAD, **form(300_000)).status_code == 200
    (folder / "result.wav").write_bytes(b"\0" * 300_000)
    answer = ask.post(UPLOAD, **form(300_000))
    assert answer.status_code == 507 and answer.headers["retry-after"]
    assert answer.text == "the server has no room for more files now; try again in an hour."
    (folder / "result.wav").unlink()
    assert ask.post(UPLOAD, **form(300_000)).status_code == 200


@pytest.mark.parametrize("named", [True, False])
def test_uploads_at_once_count_together(tmp_path, named):
    """Each alone would have room; lengths count when they are named, else as they come."""
    room = Uploads([tmp_path], most_mb=1)

    async def slow(scope, receive, send) -> None:
        try:
            while (await receive()).get("more_body"):
                await asyncio.sleep(0.02)
        except MultiPartException:
            return await PlainTextResponse("damaged", 400)(scope, receive, send)
        return await JSONResponse({})(scope, receive, send)

    gate = Gate(slow, Rules(uploads=room))

    async def body():
        for _ in range(10):
            yield b"\0" * 30_000
            await asyncio.sleep(0.01)

    def send(asking):
        headers = {"Content-Length": "300000"} if named else {}
        return asking.post(UPLOAD, content=body(), headers=headers)

    addresses = [f"203.0.113.{number}" for number in range(6)]
    statuses = apart.run(held(gate, addresses, send))
    assert 507 in statuses and statuses.count(200) <= 3
    assert 200 in statuses or not named  # all may run into the end together
    assert not room._coming


@pytest.mark.parametrize("limits", [{"most_mb": 1}, {"address_mb": 1}])
def test_the_room_of_an_upload_is_taken_before_its_bytes_have_come(tmp_path, limits):
    room = Uploads([tmp_path], **limits)

    async def two() -> None:
        async with room.room("203.0.113.7", 600_000):
            with pytest.raises(Refusal):
                async with room.room("203.0.113.7", 600_000):
                    pass
            async with room.room("203.0.113.7", 0) as count:  # its length is not named
                await count(300_000)
                with pytest.raises(Refusal):
                    await count(200_000)
        async with room.room("203.0.113.7", 400_000):
            pass

    apart.run(two())


def test_an_upload_is_refused_by_its_length_before_it_comes():
    came = []

    async def app(scope, receive, send) -> None:
        came.append(scope["path"])

    ask = TestClient(Gate(app, Rules(upload_bytes=100_000)), "http://127.0.0.1:7860")
    answer = ask.post(UPLOAD, **form(200_000))
    assert answer.status_code == 413 and not came


def test_an_upload_whose_length_is_not_named_is_bounded_as_it_comes():
    ask = client(upload_bytes=100_000)
    answer = ask.post(UPLOAD, content=iter([b"\0" * 50_000] * 5))
    assert answer.status_code == 413 and "kB can be sent" in answer.text


# --- what goes when -----------------------------------------------------------------------------


def aged(path, seconds: float, size: int = 10):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\0" * size)
    ago = time.time() - seconds
    os.utime(path, (ago, ago))
    return path


def test_old_files_and_empty_folders_go_and_what_is_spared_stays(tmp_path):
    visits = aged(tmp_path / "visits" / "1" / "0" / "mine.wav", 0)
    folder = tmp_path / "uploads"
    files = [folder / name for name in ("a/x.wav", "deep_links/b/state.json", "tmpx", "c/r.wav")]
    for path in files:
        aged(path, 0)
    room = Uploads([folder, tmp_path / "visits"], spared=lambda: [str(files[3])])
    assert room.sweep() == 0 and all(path.exists() for path in files)
    time.sleep(0.05)
    assert room.sweep(age_s=0.02) == 3
    for _ in range(2):  # an empty folder, and the one that it stood in
        time.sleep(0.05)
        room.sweep(age_s=0.02)
    assert sorted(path.name for path in folder.rglob("*")) == ["c", "r.wav"]
    assert visits.exists()


def test_a_folder_that_was_just_made_stays(tmp_path):
    (tmp_path / "about-to-be-filled").mkdir()
    assert Uploads([tmp_path]).sweep() == 0 and [*tmp_path.iterdir()]


def test_a_link_is_not_followed(tmp_path):
    outside = aged(tmp_path / "outside" / "x.wav", 0)
    folder = tmp_path / "uploads"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "outside")
    time.sleep(0.02)
    Uploads([folder]).sweep(age_s=0.01)
    assert outside.exists()


def test_a_folder_that_is_not_there_is_swept_quietly(tmp_path):
    room = Uploads([tmp_path / "none"], most_mb=1)
    assert room.sweep() == 0 and room.measure() == 0


# --- what is said of every answer ---------------------------------------------------------------


@pytest.mark.parametrize("path, status", [("/", 200), ("/docs", 404), ("/listen/x", 200)])
def test_every_answer_says_who_may_frame_it(path, status):
    answer = client(frames=("https://huggingface.co",)).get(path)
    assert answer.status_code == status
    policy = answer.headers["content-security-policy"]
    assert "frame-ancestors 'self' https://huggingface.co;" in policy
    assert "base-uri 'self'" in policy and "form-action 'self'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"


def test_a_person_reads_text_and_a_script_json():
    page = client().get("/docs", headers={"Accept": "text/html,*/*"})
    assert page.text == "there is nothing here." and page.headers["content-type"].startswith("text")
    told = client().get("/docs").json()
    assert told == {"error": "there is nothing here.", "detail": "there is nothing here."}
    assert client().head("/docs").content == b""


def test_a_refusal_is_an_exception_with_its_sentence():
    assert str(Refusal(404, "there is nothing here.")) == "there is nothing here."
    assert bodies.too_long(2**20).sentence == "at most 1 MB can be sent at once."
