"""Headers of a request as text, and those that every answer gets."""

from collections.abc import Iterable, MutableMapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders

Scope = MutableMapping[str, Any]
SPACE = ("https://huggingface.co", "https://*.hf.space")  # where a Space's page is framed
CORS = b"access-control-"


def values(scope: Scope, name: str) -> list[str]:
    """All values of one header, split at commas."""
    lines = Headers(scope=scope).getlist(name)
    return [part.strip() for line in lines for part in line.split(",")]


def value(scope: Scope, name: str) -> str:
    """The first value of a header, as it was sent; "" where there is none."""
    return Headers(scope=scope).get(name, "")


def length(scope: Scope) -> int:
    """Bytes that a body is to have, by its header; 0 where none or no number is named."""
    named = value(scope, "content-length")
    return int(named) if named.isascii() and named.isdigit() else 0


def policy(frames: Iterable[str]) -> str:
    """Content-Security-Policy: which pages may frame ours, and where forms and links lead."""
    framing = " ".join(["'self'", *frames])
    return f"frame-ancestors {framing}; base-uri 'self'; form-action 'self'"


def hardened(headers: Iterable[tuple[bytes, bytes]], csp: str) -> list[tuple[bytes, bytes]]:
    """An answer's headers: no other origin may read it, no browser guesses what it is.

    A second Content-Security-Policy beside a page's own holds as well: browsers obey both.
    """
    lower = [(name.lower(), text) for name, text in headers]
    answer = MutableHeaders(raw=[pair for pair in lower if not pair[0].startswith(CORS)])
    answer.setdefault("x-content-type-options", "nosniff")
    answer.setdefault("referrer-policy", "same-origin")
    answer.append("content-security-policy", csp)
    return answer.raw
