"""What is sent: bodies of a bounded size, JSON without a file of another server, plain names."""

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from robustaudio.gate.headers import Scope, length, value
from robustaudio.gate.refusal import Refusal
from robustaudio.outside import NotJson, check_json_type

LARGE = 65_536  # bytes: above, JSON is read in a thread
PARTS = 50_000  # values of JSON, about: the page's own bodies have some hundreds
ELSEWHERE = re.compile(r"\s*(?:[a-z][a-z0-9+.-]+:|//|\\\\|/\\|\\/)", re.IGNORECASE)  # not "C:\…"
# names of sessions, runs and uploads that pages invent, which are kept
PLAIN = re.compile(r"[A-Za-z0-9_.-]{0,64}")
TEXTS = ("session_hash", "event_id", "upload_id")
NUMBERS = ("fn_index", "trigger_id")
REMOTE = "a file has to be uploaded; addresses of other servers are not fetched."


def check_length(scope: Scope, most: int) -> None:
    """Raises Refusal for a body that is too long by its header, before it comes."""
    if length(scope) > most:
        raise too_long(most)


def too_long(most: int) -> Refusal:
    """The refusal of what has more than `most` bytes."""
    size = f"{most / 2**20:.0f} MB" if most >= 2**20 else f"{most / 2**10:.0f} kB"
    return Refusal(413, f"at most {size} can be sent at once.")


async def whole(scope: Scope, receive: Callable, most: int) -> bytes:
    """The body of a request that is called JSON.

    Raises:
        Refusal: for another type, or more than `most` bytes.
    """
    try:
        check_json_type(value(scope, "content-type"))
    except NotJson as error:
        raise Refusal(415, str(error)) from error
    check_length(scope, most)
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Refusal(400, "the connection was lost.")
        body += message.get("body", b"")
        if len(body) > most:
            raise too_long(most)
        if not message.get("more_body"):
            return bytes(body)


async def check_json(body: bytes, is_own: Callable[[str], bool]) -> None:
    """Refuse files of other servers, at any depth and in any spelling, and names of sessions that
    the page does not make.

    Raises:
        Refusal: for these, for what is no JSON, and for more values than can be read quickly.
    """
    if sum(map(body.count, (b",", b"[", b"{"))) > PARTS:
        raise Refusal(413, f"at most {PARTS} values can be sent at once.")
    if len(body) > LARGE:
        await asyncio.to_thread(_check_json, body, is_own)
    else:
        _check_json(body, is_own)


def _check_json(body: bytes, is_own: Callable[[str], bool]) -> None:
    outermost: list[tuple[str, Any]] = []

    def look(pairs: list[tuple[str, Any]]) -> Any:
        """Every pair, those that a later one of the same name replaces too."""
        nonlocal outermost
        outermost = pairs  # the last one that is read is
        for key, text in pairs:
            if key not in ("path", "url") or not isinstance(text, str):
                continue
            if ELSEWHERE.match(text) and not (key == "url" and is_own(text)):
                raise Refusal(400, REMOTE)
        return pairs

    try:
        json.loads(body, object_pairs_hook=look)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, "what was sent is not JSON.") from error
    for name, given in outermost:
        check_name(name, given)


def again(body: bytes, receive: Callable) -> Callable:
    """A `receive` that gives the body once more, then what comes after it."""
    given = False

    async def replay() -> dict[str, Any]:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def check_query(scope: Scope, path: str) -> str:
    """The session that the query names; "" for none.

    Raises:
        Refusal: for a name there, or at the end of a heartbeat's path, that the page does not make.
    """
    query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    for name in TEXTS:
        given = query.get(name, [])
        if len(given) > 1:
            raise Refusal(400, f"{name} is given {len(given)} times; once would be right.")
        check_name(name, *given)
    if "/heartbeat/" in path:
        check_name("session_hash", path.rpartition("/heartbeat/")[2])
    return query.get("session_hash", [""])[0]


def check_name(name: str, given: Any = None) -> None:
    """Raises Refusal for a value that the page does not give to that name."""
    if given is None:
        return
    if name in TEXTS and not (isinstance(given, str) and PLAIN.fullmatch(given)):
        raise Refusal(400, f"{name} must be a text of at most 64 letters, digits, '-', '_', '.'.")
    if name in NUMBERS and type(given) is not int:
        raise Refusal(400, f"{name} must be a whole number.")
