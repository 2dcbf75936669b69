"""What is said of every answer."""

import pytest
from gate.behind import JOIN, client


def test_no_other_origin_is_allowed_to_read(monkeypatch):
    for origin in ("http://localhost:3000", "null", "http://127.0.0.1:7860"):
        headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        for answer in (client().options(JOIN, headers=headers), client().get("/", headers=headers)):
            assert not [name for name in answer.headers if name.startswith("access-control")]
        assert client().options(JOIN, headers=headers).status_code == 404


@pytest.mark.parametrize("path, status", [("/", 200), ("/docs", 404), ("/listen/x", 200)])
def test_every_answer_says_who_may_frame_it(path, status):
    answer = client(frames=("https://huggingface.co",)).get(path)
    assert answer.status_code == status
    policy = answer.headers["content-security-policy"]
    assert "frame-ancestors 'self' https://huggingface.co;" in policy
    assert "base-uri 'self'" in policy and "form-action 'self'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
