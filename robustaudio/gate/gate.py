"""The middleware: what one request passes on its way through the gate, in order."""

import asyncio
import time
from collections.abc import Callable, MutableMapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from math import inf
from typing import Any

from starlette.requests import ClientDisconnect

from robustaudio.gate import bodies, routes
from robustaudio.gate.headers import Scope, hardened, length, policy, values
from robustaudio.gate.hosts import Hosts, address_of
from robustaudio.gate.pages import App, Pages
from robustaudio.gate.rates import Rates
from robustaudio.gate.refusal import Refusal
from robustaudio.gate.uploads import Counted, Uploads
from robustaudio.serving.limits import PRIVATE, Limits
from robustaudio.serving.streams import Streams
from robustaudio.serving.turns import ASKER

MOST_JSON = 8_000_000  # bytes: the page's largest, a player's sounds in base64, have 1 MB
MOST_SHORT = 4_096  # bytes of JSON that only names a run
MULTIPART = 10_000  # bytes of an upload beside its file
DRAIN_S = 20.0  # a browser reads the answer to an upload once it has been taken in


@dataclass(frozen=True)
class Rules:
    """What a gate lets through. `frames` are pages of others that may frame ours."""

    limits: Limits = PRIVATE
    hosts: Hosts = field(default_factory=Hosts)
    frames: tuple[str, ...] = ()
    uploads: Uploads = field(default_factory=partial(Uploads, ()))
    upload_bytes: int = 50 * 2**20  # of one file
    streams: Streams = field(default_factory=Streams)


class Gate:
    """ASGI middleware in front of `app`, which sees paths without the prefix of a proxy."""

    def __init__(self, app: App, rules: Rules) -> None:
        self.app, self.pages, self.rules = app, Pages(app, rules.hosts.prefix), rules
        limits = rules.limits
        self.rates = Rates(limits.requests, limits.parallel, limits.streams)
        self._policy = policy(rules.frames)

    async def __call__(self, scope: Scope, receive: Callable, send: Callable) -> None:
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        if scope["type"] != "http":  # no page opens a WebSocket
            return await send({"type": "websocket.close", "code": 1008})
        address = address_of(scope, int(self.rules.limits.proxies))
        about = {"client": (address, 0), "scheme": self._scheme(scope)}
        scope = {**scope, **about, **self._inner(scope["path"])}
        if self.rules.limits.running < inf:
            ASKER.set(address)

        async def harden(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                headers = hardened(message.get("headers", ()), self._policy)
                message = {**message, "headers": headers}
            await send(message)

        try:
            await self._pass(scope, receive, harden, address)
        except Refusal as refusal:
            await refusal.answer(scope, receive, harden)
        except ClientDisconnect:  # the visitor has left; nothing is wrong here
            pass
        return None

    async def _pass(self, scope: Scope, receive: Callable, send: Callable, address: str) -> None:
        rules, method, path = self.rules, scope["method"], scope["path"]
        rules.hosts.check_name(scope)
        if not routes.is_open(method, path):
            raise Refusal(404, "there is nothing here.")
        if method not in routes.READS or path.startswith(routes.API):
            rules.hosts.check_origin(scope)
        session = bodies.check_query(scope, path) if path.startswith(routes.API) else ""
        async with AsyncExitStack() as stack:
            if routes.STREAM.fullmatch(path):
                await stack.enter_async_context(self.rates.stream(address))
            if routes.counts(method, path):
                kind = "upload" if path == routes.UPLOAD else "write"
                await stack.enter_async_context(self.rates.turn(address, kind))
            if path in routes.RENDERED:
                await stack.enter_async_context(self.rates.turn(address, "page"))
                return await self.pages(scope, receive, send)
            if path in routes.JSON:  # the listening tests look after themselves
                most = MOST_SHORT if path in routes.SHORT else MOST_JSON
                receive = await self._json(scope, receive, most)
            if path == routes.UPLOAD:
                return await self._upload(scope, receive, send, address)
            if path == routes.EVENTS:
                rules.streams.enter(session)
                stack.callback(rules.streams.leave, session)
            await self.app(scope, receive, send)

    async def _json(self, scope: Scope, receive: Callable, most: int) -> Callable:
        """Read and check the body; a `receive` that gives it again."""
        body = await bodies.whole(scope, receive, most)
        await bodies.check_json(body, lambda address: self.rules.hosts.is_own(address, scope))
        return bodies.again(body, receive)

    async def _upload(self, scope: Scope, receive: Callable, send: Callable, address: str) -> None:
        """Pass on an upload, counted as it comes; one that is refused is read and thrown away.

        A browser shows no answer to a body that nobody reads.
        """
        most = self.rules.upload_bytes + MULTIPART
        bodies.check_length(scope, most)
        try:
            async with self.rules.uploads.room(address, length(scope)) as count:
                counted = Counted(scope, receive, send, most, count)
                await self.app(scope, counted.receive, counted.send)
            if counted.refusal:
                raise counted.refusal
        except Refusal:
            await _drain(receive, most)
            raise

    def _inner(self, path: str) -> dict[str, Any]:
        """The path without the prefix, where a proxy has passed it on."""
        prefix = self.rules.hosts.prefix
        if not prefix or not f"{path}/".startswith(f"{prefix}/"):
            return {}
        inner = path[len(prefix) :] or "/"
        return {"path": inner, "raw_path": inner.encode()}

    def _scheme(self, scope: Scope) -> str:
        """http or https, by which the visitor asked: behind proxies, as they say."""
        noted = values(scope, "x-forwarded-proto") if self.rules.limits.proxies else []
        return noted[0] if noted and noted[0] in ("http", "https") else scope.get("scheme", "http")


async def _drain(receive: Callable, most: int) -> None:
    """Read what is left of a body, up to a size and a time."""
    ends = time.monotonic() + DRAIN_S
    while most > 0 and (left_s := ends - time.monotonic()) > 0:
        try:
            message = await asyncio.wait_for(receive(), left_s)
        except TimeoutError:
            return
        most -= len(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body"):
            return
