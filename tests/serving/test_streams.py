"""Which pages are open, by their streams."""

import apart
import pytest

from robustaudio.gate import Gate, Rules
from robustaudio.serving.streams import REMEMBERED_S, Streams


@pytest.fixture
def now():
    return [0.0]


@pytest.fixture
def streams(now) -> Streams:
    return Streams(lambda: now[0])


def test_a_page_is_open_until_its_last_stream_ends(streams, now):
    assert not streams.open("a") and streams.gone_for_s("a") == float("inf")
    streams.enter("a")
    streams.enter("a")
    streams.leave("a")
    assert streams.open("a") and streams.gone_for_s("a") == 0
    streams.leave("a")
    now[0] = 7.0
    assert not streams.open("a") and streams.gone_for_s("a") == 7
    streams.enter("a")
    assert streams.gone_for_s("a") == 0


def test_what_left_long_ago_is_forgotten(streams, now):
    for number in range(1000):
        streams.enter(str(number))
        streams.leave(str(number))
    now[0] = REMEMBERED_S + 1
    streams.enter("last")
    streams.leave("last")
    assert [*streams._left] == ["last"] and not streams._open


def test_a_stream_that_never_began_cannot_end_another(streams):
    streams.leave("a")
    streams.enter("a")
    assert streams.open("a")


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize(
    ("path", "query", "counts"),
    [
        ("/gradio_api/queue/data", b"session_hash=abc", True),
        ("/", b"session_hash=abc", False),
        ("/gradio_api/queue/data", b"\xff=%ff&&=", False),
    ],
)
def test_the_gate_counts_for_as_long_as_the_answer_lasts(streams, path, query, counts, fails):
    seen = []

    async def app(scope, receive, send):
        seen.append(streams.open("abc"))
        if fails:
            raise OSError("the page went away")

    scope = {
        "type": "http", "method": "GET", "path": path, "query_string": query, "headers": [],
        "client": ("127.0.0.1", 1),
    }  # fmt: skip
    gate = Gate(app, Rules(streams=streams))
    try:
        apart.run(gate(scope, None, None))  # type: ignore[arg-type]
    except OSError:
        assert fails
    assert seen == [counts] and not streams.open("abc")
