"""What the gate lets through: whose name, whose page, how often, how much, and which paths."""

import apart
import pytest
from gate.behind import JOIN, OURS, UPLOAD, client, form, held
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from robustaudio.gate import Gate, Rules
from robustaudio.gate.hosts import Hosts
from robustaudio.serving.limits import Limits


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


def test_a_prefix_that_the_proxy_passes_on_changes_nothing():
    ask = client(hosts=Hosts(prefix="/lab"))
    for path, status in (
        ("/lab", 200), ("/lab/", 200), ("/lab/config", 200), ("/laboratory", 404),
        ("/lab/gradio_api/info", 404), ("/lab/docs", 404),
    ):  # fmt: skip
        assert ask.get(path).status_code == status, path
    assert ask.post(f"/lab{JOIN}", content=b"{}").status_code == 415


def test_no_websocket_is_opened():
    from starlette.websockets import WebSocketDisconnect

    with pytest.raises(WebSocketDisconnect), client().websocket_connect("/gradio_api/queue/join"):
        pass


def test_json_is_bounded_by_what_it_names_and_by_what_comes(monkeypatch):
    monkeypatch.setattr("robustaudio.gate.gate.MOST_JSON", 100_000)
    assert client().post(JOIN, headers=OURS, json=["x" * 90_000]).status_code == 200
    for content in (b'["' + b"x" * 200_000, iter([b"[" + b"1," * 30_000] * 4)):
        answer = client().post(JOIN, headers=OURS, content=content)
        assert answer.status_code == 413 and "kB can be sent" in answer.json()["detail"]


def test_what_only_names_a_run_is_short():
    for path in ("cancel", "reset"):
        answer = client().post(f"/gradio_api/{path}", headers=OURS, json={"x": "y" * 5_000})
        assert answer.status_code == 413
        assert answer.json()["error"] == "at most 4 kB can be sent at once."


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
