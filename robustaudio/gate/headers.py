"""Headers of a request as text, and those that every answer gets."""

from collections.abc import Iterable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
SPACE = ("https://huggingface.co", "https://*.hf.space")  # where a Space's page is framed
CORS = b"access-control-"


def values(scope: Scope, name: str) -> list[str]:
    """All values of one header, split at commas."""
    wanted, found = name.encode(), []
    for header, value in scope["headers"]:
        if header.lower() == wanted:
            found += [part.strip() for part in value.decode("latin-1").split(",")]
    return found


def value(scope: Scope, name: str) -> str:
    """The first value of a header, as it was sent; "" where there is none."""
    wanted = name.encode()
    return next((v.decode("latin-1") for n, v in scope["headers"] if n.lower() == wanted), "")


def policy(frames: Iterable[str]) -> str:
    """Content-Security-Policy: which pages may frame ours, and where forms and links lead."""
    framing = " ".join(["'self'", *frames])
    return f"frame-ancestors {framing}; base-uri 'self'; form-action 'self'"


def hardened(headers: Iterable[tuple[bytes, bytes]], csp: str) -> list[tuple[bytes, bytes]]:
    """An answer's headers: no other origin may read it, no browser guesses what it is.

    A second Content-Security-Policy beside a page's own holds as well: browsers obey both.
    """
    kept = [pair for pair in headers if not pair[0].lower().startswith(CORS)]
    names = {name.lower() for name, _ in kept}
    added = {b"x-content-type-options": b"nosniff", b"referrer-policy": b"same-origin"}
    kept += [pair for pair in added.items() if pair[0] not in names]
    return [*kept, (b"content-security-policy", csp.encode())]
