"""The page itself: it costs much to make, is the same for everybody, and is kept for a minute."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.datastructures import MutableHeaders

from robustaudio.gate.headers import Scope

ASKED = (b"host", b"x-forwarded-host", b"x-forwarded-proto")  # what stands in its addresses
KEPT_S = 60.0
MOST = 16  # answers: one for each name under which the page is asked for
BASE = b'<base href="./" />'  # of Gradio's page: every address in it is relative to this

App = Callable[[Scope, Callable, Callable], Awaitable[None]]
Messages = list[MutableMapping[str, Any]]  # of one answer


class Pages:
    """The app's pages, kept for everybody who asks under the same name.

    The app sees only what a page is kept by, so that no visitor can change another one's page. It
    makes one at a time, so that other requests go on.

    Gradio's page finds its parts relative to its own address, which is wrong at "/lab" (no slash at
    the end): behind a prefix, its <base> is the prefix.
    """

    def __init__(self, app: App, prefix: str) -> None:
        self.app, self.base = app, f'<base href="{prefix or "."}/" />'.encode()
        self._answers: OrderedDict[tuple, tuple[float, Messages]] = OrderedDict()  # when and what
        self._making = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Callable, send: Callable) -> None:
        asked = tuple(pair for pair in scope["headers"] if pair[0] in ASKED)
        key = scope["method"], scope["path"], scope.get("scheme"), asked
        messages = self._fresh(key)
        if not messages:
            async with self._making:
                bare = {**scope, "headers": [*asked], "query_string": b""}
                messages = self._fresh(key) or await self._made(key, bare, receive)
        for message in messages:
            await send(message)

    def _fresh(self, key: tuple) -> Messages:
        made, messages = self._answers.get(key, (0.0, []))
        if not messages or time.monotonic() - made > KEPT_S:
            return []
        self._answers.move_to_end(key)
        return messages

    async def _made(self, key: tuple, scope: Scope, receive: Callable) -> Messages:
        """The app's answer, which is kept if it is for everybody."""
        messages: Messages = []

        async def take(message: MutableMapping[str, Any]) -> None:
            messages.append(message)

        began = time.monotonic()
        await self.app(scope, receive, take)
        if not messages:  # whoever asked has left
            return []
        start, *parts = messages
        headers = MutableHeaders(raw=[*start["headers"]])
        body = b"".join(part.get("body", b"") for part in parts)
        # an answer to HEAD has no body, and keeps the length that it names
        if body and headers.get("content-type", "").startswith("text/html"):
            body = body.replace(BASE, self.base, 1)
            headers["content-length"] = str(len(body))
        whole = {"type": "http.response.body", "body": body}
        messages = [{**start, "headers": headers.raw}, whole]
        if start["status"] == 200 and "set-cookie" not in headers:
            self._answers[key] = began, messages
            self._answers.move_to_end(key)
            while len(self._answers) > MOST:
                self._answers.popitem(last=False)
        return messages
