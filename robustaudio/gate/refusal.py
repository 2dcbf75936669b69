"""A refusal: one sentence with a status, in the form that whoever asked can show."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from starlette.responses import JSONResponse, PlainTextResponse

from robustaudio.gate.headers import Scope, value


@dataclass
class Refusal(Exception):
    """Why a request is not answered; `retry_s` is when it may be."""

    status: int
    sentence: str
    retry_s: float = 0.0

    def __str__(self) -> str:
        return self.sentence

    async def answer(self, scope: Scope, receive: Callable, send: Callable) -> None:
        """Send text to a person or an upload box, and JSON to scripts.

        Our own scripts read the key "error", Gradio's "detail".
        """
        headers = {"cache-control": "no-store"}
        if self.retry_s:
            headers["retry-after"] = str(ceil(self.retry_s))
        if "text/html" in value(scope, "accept") or scope["path"].endswith("/upload"):
            response = PlainTextResponse(self.sentence, self.status, headers)
        else:
            sentences = {"error": self.sentence, "detail": self.sentence}
            response = JSONResponse(sentences, self.status, headers)
        await response(scope, receive, send)
