"""Which pages are open, by their streams."""

import asyncio

import pytest

from robustaudio.streams import REMEMBERED_S, Counted, Streams, session_of


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
def test_the_middleware_counts_for_as_long_as_the_answer_lasts(streams, fails):
    seen = []

    async def app(scope, receive, send):
        seen.append(streams.open("abc"))
        if fails:
            raise OSError("the page went away")

    scope = {"type": "http", "path": "/gradio_api/queue/data", "query_string": b"session_hash=abc"}
    counted = Counted(app, streams)
    try:
        asyncio.run(counted(scope, None, None))  # type: ignore[arg-type]
    except OSError:
        assert fails
    assert seen == [True] and not streams.open("abc")


@pytest.mark.parametrize(
    "scope",
    [
        {"type": "lifespan"},
        {"type": "http", "path": "/", "query_string": b"session_hash=abc"},
        {"type": "http", "path": "/gradio_api/queue/join", "query_string": b"session_hash=abc"},
        {"type": "http", "path": "/gradio_api/queue/data", "query_string": b""},
        {"type": "http", "path": "/gradio_api/queue/data", "query_string": b"\xff=%ff&&="},
    ],
)
def test_other_requests_are_no_streams(scope):
    assert session_of(scope) is None
