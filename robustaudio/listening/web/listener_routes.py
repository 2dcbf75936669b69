"""The web side: what listeners' browsers ask for, as routes of any Starlette app.

A listener's code and a teacher's key travel in a header, never in an address, and the server keeps
no log of who asked. No answer is cached. Nothing that is sent depends on what X is, but for whether
a practice answer was right.
"""

from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route

from robustaudio.listening.run.host import Host
from robustaudio.listening.run.open_study import OpenStudy
from robustaudio.listening.web.feedback import own_result
from robustaudio.listening.web.http import asset, page, route
from robustaudio.listening.web.teacher_routes import teacher_routes

# of an open study, a listener's code, and what was sent
Answer = Callable[[OpenStudy, str, dict[str, Any]], Any]


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

    def asked(path: str, answer: Answer, method: str = "GET") -> Route:
        return route(
            path,
            lambda sent, headers: answer(
                rooms.find(sent["token"]), headers.get("X-Listener", ""), sent
            ),
            method,
        )

    def check(kind: str) -> Route:
        return asked(kind, lambda room, code, sent: room.check(code, kind, sent), "POST")

    return [
        asked("study", lambda room, code, sent: room.description()),
        asked("state", lambda room, code, sent: room.state(code)),
        asked("result", lambda room, code, sent: own_result(room, code)),
        asked(
            "trial/{number:int}/{place:int}",
            lambda room, code, sent: room.sound(code, sent["number"], sent["place"]),
        ),
        asked(
            "check/{kind}/{question:int}",
            lambda room, code, sent: room.check_sound(code, sent["kind"], sent["question"]),
        ),
        asked("start", lambda room, code, sent: room.begin(sent.get("agreed")), "POST"),
        *map(check, ("sound", "screening", "unscreened", "level")),
        asked("answer", lambda room, code, sent: room.answer(code, sent), "POST"),
        asked("forget", lambda room, code, sent: room.forget(code), "POST"),
    ]
