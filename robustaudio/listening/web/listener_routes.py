"""The web side: what listeners' browsers ask for, as routes of any Starlette app.

A listener's code and a teacher's key travel in a header, never in an address, and the server keeps
no log of who asked. No answer is cached. Nothing that is sent depends on what X is, but for whether
a practice answer was right.
"""

from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from robustaudio.listening.run.host import Host
from robustaudio.listening.run.open_study import OpenStudy
from robustaudio.listening.web.feedback import own_result
from robustaudio.listening.web.http import answered, asset, page
from robustaudio.listening.web.teacher_routes import teacher_routes

Answer = Callable[
    [OpenStudy, str, dict[str, Any]], Any
]  # of a room, a listener's code, what was sent


def routes(rooms: Host) -> list[BaseRoute]:
    """Everything under /listen/."""
    return [
        Route("/listen/assets/{name}", asset),
        Route("/listen/{token}", page("listen.html")),
        *listener_routes(rooms),
        *teacher_routes(rooms),
    ]


def application(rooms: Host) -> Starlette:
    """The listening pages alone, without the rest of the app."""
    pages = Starlette(routes=routes(rooms))
    pages.router.redirect_slashes = False  # a redirect would lead to whatever host was asked for
    return pages


def listener_routes(rooms: Host) -> list[BaseRoute]:
    """What one listener may ask, each by the code of the session."""

    def route(path: str, answer: Answer, method: str = "GET") -> Route:
        async def endpoint(request: Request) -> Response:
            code = request.headers.get("X-Listener", "")
            return await answered(
                request, lambda told: answer(rooms.find(told["token"]), code, told)
            )

        return Route(f"/listen/{{token}}/{path}", endpoint, methods=[method])

    def check(kind: str) -> Route:
        return route(kind, lambda room, code, told: room.check(code, kind, told), "POST")

    return [
        route("study", lambda room, code, told: room.description()),
        route("state", lambda room, code, told: room.state(code)),
        route("result", lambda room, code, told: own_result(room, code)),
        route(
            "trial/{number:int}/{place:int}",
            lambda room, code, told: room.sound(code, told["number"], told["place"]),
        ),
        route(
            "check/{kind}/{question:int}",
            lambda room, code, told: room.check_sound(code, told["kind"], told["question"]),
        ),
        route("start", lambda room, code, told: room.begin(told.get("agreed")), "POST"),
        *map(check, ("sound", "screening", "unscreened", "level")),
        route("answer", lambda room, code, told: room.answer(code, told), "POST"),
        route("forget", lambda room, code, told: room.forget(code), "POST"),
    ]
