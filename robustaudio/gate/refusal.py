"""A refusal: one sentence with a status, in the form that whoever asked can show."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from robustaudio.gate.headers import Scope, value


@dataclass
class Refusal(Exception):
    """Why a request is not answered; `retry_s` is when it may be."""

    status: int
    sentence: str
    retry_s: float = 0.0

    def __str__(self) -> str:
        return self.sentence

    async def answer(self, scope: Scope, send: Callable) -> None:
        """Text for a person and for an upload box, JSON for scripts: ours read the key "error",
        Gradio's "detail"."""
        plain = "text/html" in value(scope, "accept") or scope["path"].endswith("/upload")
        text = self.sentence
        if not plain:
            text = json.dumps({"error": self.sentence, "detail": self.sentence})
        kind = "text/plain" if plain else "application/json"
        body = text.encode()
        headers = [
            (b"content-type", f"{kind}; charset=utf-8".encode()),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        if self.retry_s:
            headers.append((b"retry-after", str(ceil(self.retry_s)).encode()))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send(
            {"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body}
        )
