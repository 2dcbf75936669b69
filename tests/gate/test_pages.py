"""The page is made once for all who ask for it by one name."""

import apart
import pytest
from gate.behind import held, join, slow_app
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from robustaudio.gate import Gate, Rules, pages, rates
from robustaudio.gate.hosts import Hosts
from robustaudio.serving.limits import Limits


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
