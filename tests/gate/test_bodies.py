"""What is sent: JSON that is called so, of a bounded size, naming nothing elsewhere."""

import json

import pytest
from gate.behind import JOIN, OURS, UPLOAD, client

from robustaudio.gate import bodies, routes


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


def test_so_many_values_can_be_sent():
    body = json.dumps({"data": [[]] * (bodies.PARTS // 3)})
    assert client().post(JOIN, headers=OURS, content=body).status_code == 200
    for odd in (b"[],", b'"",', b'{"a":{},"b":1},'):
        content = b'{"data":[' + odd * bodies.PARTS + b"1]}"
        answer = client().post(JOIN, headers=OURS, content=content)
        assert answer.status_code == 413
        assert answer.json()["error"] == "at most 50000 values can be sent at once."


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
