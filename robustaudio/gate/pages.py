"""The page itself: it costs much to make, is the same for everybody, and is kept for a minute."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from robustaudio.gate.headers import Scope

ASKED = (b"host", b"x-forwarded-host", b"x-forwarded-proto")  # what stands in its addresses
KEPT_S = 60.0
MOST = 16  # answers: one for each name under which the page is asked for

App = Callable[[Scope, Callable, Callable], Awaitable[None]]


@dataclass
class Answer:
    messages: list[MutableMapping[str, Any]] = field(default_factory=list)
    made: float = field(default_factory=time.monotonic)

    @property
    def kept(self) -> bool:
        """Whether it is whole, and for everybody."""
        if not self.messages or self.messages[-1].get("more_body"):
            return False
        start = self.messages[0]
        names = {name.lower() for name, _ in start.get("headers", ())}
        return start.get("status") == 200 and b"set-cookie" not in names


class Pages:
    """`app` in front of which answers are kept.

    It sees of a request only what an answer is kept by: nobody can have another visitor's page
    made otherwise. One is made at a time, so that the others' requests go on.
    """

    def __init__(self, app: App) -> None:
        self.app = app
        self._answers: OrderedDict[tuple, Answer] = OrderedDict()
        self._making = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Callable, send: Callable) -> None:
        asked = tuple((name.lower(), v) for name, v in scope["headers"] if name.lower() in ASKED)
        key = scope["method"], scope["path"], scope.get("scheme"), asked
        answer = self._fresh(key)
        if answer is None:
            async with self._making:
                answer = self._fresh(key)
                if answer is None:
                    bare = {**scope, "headers": [*asked], "query_string": b""}
                    answer = await self._made(key, bare, receive)
        for message in answer.messages:
            await send(message)

    def _fresh(self, key: tuple) -> Answer | None:
        answer = self._answers.get(key)
        if answer is None or time.monotonic() - answer.made > KEPT_S:
            return None
        self._answers.move_to_end(key)
        return answer

    async def _made(self, key: tuple, scope: Scope, receive: Callable) -> Answer:
        answer = Answer()

        async def take(message: MutableMapping[str, Any]) -> None:
            answer.messages.append(message)

        await self.app(scope, receive, take)
        if answer.kept:
            self._answers[key] = answer
            self._answers.move_to_end(key)
            while len(self._answers) > MOST:
                self._answers.popitem(last=False)
        return answer
