"""The page is made once for all who ask for it by one name."""

import apart
from gate.behind import held, join, slow_app
from starlette.responses import PlainTextResponse
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
