"""Names of sessions, runs and uploads that pages invent: short and plain, for they are kept."""

import re
from typing import Any
from urllib.parse import parse_qs

from robustaudio.gate.headers import Scope
from robustaudio.gate.refusal import Refusal

PLAIN = re.compile(r"[A-Za-z0-9_.-]{0,64}")
TEXTS = ("session_hash", "event_id", "upload_id")
NUMBERS = ("fn_index", "trigger_id")


def check_query(scope: Scope, path: str) -> None:
    """Raises Refusal for a name in the query, or at the end of a heartbeat's path, that is not."""
    query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    for name in TEXTS:
        given = query.get(name, [])
        if len(given) > 1:
            raise Refusal(400, f"{name} is given {len(given)} times; once would be right.")
        check(name, *given)
    if "/heartbeat/" in path:
        check("session_hash", path.rpartition("/heartbeat/")[2])


def check(name: str, given: Any = None) -> None:
    """Raises Refusal for a value that the page does not give to that name."""
    if given is None:
        return
    if name in TEXTS and not (isinstance(given, str) and PLAIN.fullmatch(given)):
        raise Refusal(400, f"{name} must be a text of at most 64 letters, digits, '-', '_', '.'.")
    if name in NUMBERS and type(given) is not int:
        raise Refusal(400, f"{name} must be a whole number.")


def asked(scope: Scope, name: str) -> str:
    """What the query gives to a name; "" for nothing."""
    return parse_qs(scope["query_string"].decode("latin-1")).get(name, [""])[0]
