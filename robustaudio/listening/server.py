"""The web side: what listeners' and teachers' browsers ask for, as routes of any Starlette app.

A listener's code and a teacher's key travel in a header, never in an address, and the server keeps
no log of who asked. No answer is cached. Nothing that is sent depends on what X is.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from robustaudio.listening.outcome import own_result
from robustaudio.listening.room import Room
from robustaudio.listening.rooms import Closed, Rooms

ASSETS = Path(__file__).resolve().parents[2] / "assets"
SERVED = ("player.js", "listen.js", "listen.css", "teacher.js")
LONGEST_BODY = 16_384  # bytes
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:",
}
Answer = Callable[[Room, str, dict[str, Any]], Any]  # of a room, a listener's code, a body


def routes(rooms: Rooms) -> list[BaseRoute]:
    """Everything under /listen/."""

    def listener(answer: Answer, path: str, method: str = "POST") -> Route:
        async def endpoint(request: Request) -> Response:
            return await _answered(rooms, request, answer)

        return Route(f"/listen/{{token}}/{path}", endpoint, methods=[method])

    checks = [
        listener(lambda room, code, told, kind=kind: room.check(code, kind, told), kind)
        for kind in ("sound", "screening", "unscreened", "level")
    ]
    return [
        Route("/listen/assets/{name}", _asset),
        Route("/listen/{token}", _page("listen.html")),
        listener(lambda room, code, told: room.description(), "study", "GET"),
        listener(lambda room, code, told: room.begin(), "start"),
        listener(lambda room, code, told: room.state(code), "state", "GET"),
        *checks,
        listener(lambda room, code, told: room.answer(code, told), "answer"),
        listener(lambda room, code, told: own_result(room, code), "result", "GET"),
        listener(lambda room, code, told: room.forget(code) or {"step": "deleted"}, "forget"),
        listener(
            lambda room, code, told: room.sound(code, told["number"], told["place"]),
            "trial/{number:int}/{place:int}", "GET",
        ),
        listener(
            lambda room, code, told: room.check_sound(code, told["kind"], told["question"]),
            "check/{kind}/{question:int}", "GET",
        ),
    ]  # fmt: skip


def application(rooms: Rooms) -> Starlette:
    """The listening pages alone, without the rest of the app."""
    return Starlette(routes=routes(rooms))


async def _answered(rooms: Rooms, request: Request, answer: Answer) -> Response:
    """Runs `answer` in a thread; bytes become a sound, anything else JSON, errors a sentence."""
    code = request.headers.get("X-Listener", "")
    try:
        told = await _body(request) if request.method == "POST" else {}
        told |= request.path_params
        room = await run_in_threadpool(rooms.room, told.pop("token"))
        result = await run_in_threadpool(answer, room, code, told)
    except Closed as error:
        return _failed(410, error)
    except LookupError as error:
        return _failed(404, error)
    except ValueError as error:
        return _failed(400, error)
    if isinstance(result, bytes):  # compressed, its length would depend on its content
        encoding = {"Content-Encoding": "identity"}
        return Response(result, media_type="audio/wav", headers=HEADERS | encoding)
    return JSONResponse(result, headers=HEADERS)


async def _body(request: Request) -> dict[str, Any]:
    """The JSON object that was sent.

    Raises:
        ValueError: for anything else, or one that is too long.
    """
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LONGEST_BODY:
            raise ValueError(f"more than {LONGEST_BODY} bytes were sent.")
    try:
        told = json.loads(body or b"{}")
    except ValueError as error:
        raise ValueError("what was sent is not JSON.") from error
    if not isinstance(told, dict):
        raise ValueError("what was sent is not a JSON object.")
    return told


def _failed(status: int, error: Exception) -> JSONResponse:
    return JSONResponse({"error": str(error)}, status, headers=HEADERS)


def _page(name: str) -> Callable:
    async def endpoint(request: Request) -> Response:
        return FileResponse(ASSETS / name, media_type="text/html", headers=HEADERS)

    return endpoint


async def _asset(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in SERVED:
        return _failed(404, LookupError(f"there is no {name!r} here."))
    headers = HEADERS | {"Cache-Control": "no-cache"}
    return FileResponse(ASSETS / name, headers=headers)
