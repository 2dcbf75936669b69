"""Names of sessions and runs: short and plain."""

import pytest
from gate.behind import JOIN, OURS, client


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
