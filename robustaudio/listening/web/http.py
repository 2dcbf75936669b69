"""What all pages of the listening tests share: headers, errors as sentences, bodies, files."""

import json
import logging
import socket
from collections.abc import Callable
from pathlib import Path
from traceback import extract_tb
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from robustaudio.listening.run.host import Closed, NoStudy, WrongKey
from robustaudio.listening.run.store import NotWritable
from robustaudio.outside import NotJson, check_json_type
from robustaudio.paths import ASSETS

SERVED = ("player.js", "listen.js", "listen.css", "teacher.js")
LONGEST_BODY = 16_384  # bytes
# for a server that listens to all: an address far away (RFC 5737, RFC 3849), to find the way there
FAR = {"0.0.0.0": (socket.AF_INET, "192.0.2.1"), "::": (socket.AF_INET6, "2001:db8::1")}
DEFECT = "this could not be answered: a defect of the server, which its log names."
LOG = logging.getLogger(__name__)
STATUS: dict[type[Exception], tuple[int, dict[str, str]]] = {  # the first that fits
    NotJson: (415, {}),
    WrongKey: (403, {}),
    Closed: (410, {"study": "closed"}),
    NoStudy: (404, {"study": "unknown"}),
    LookupError: (404, {}),
    ValueError: (400, {}),
}
HEADERS = {
    "Cache-Control": "no-store, no-transform",  # no proxy compresses a sound by its content
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; base-uri 'none'; "
    "form-action 'self'",
}
Answer = Callable[[dict[str, Any], Headers], Any]  # of what was sent, and of the headers


def route(path: str, answer: Answer, method: str = "GET") -> Route:
    """A route of one study, whose `answer` is computed in a thread.

    It is given what was sent, with the path's values, and the headers. Bytes become a sound, a
    response stays what it is, anything else becomes JSON. Errors become their sentence; a study
    that is "closed" (410) or "unknown" (404) is called so beside it, by the key `study`.
    """

    async def endpoint(request: Request) -> Response:
        try:
            sent = await _body(request) if request.method == "POST" else dict(request.query_params)
            sent |= request.path_params
            result = await run_in_threadpool(answer, sent, request.headers)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            return failed(503, f"the server cannot read or write answers now: {reason}.")
        except NotWritable as error:
            LOG.warning("%s", error)
            return failed(503, "the server cannot write answers now, and its log says why.")
        except (LookupError, ValueError) as error:
            status, more = next(known for kind, known in STATUS.items() if isinstance(error, kind))
            return failed(status, str(error), **more)
        except Exception as error:  # a defect: whatever it says may hold answers and keys
            LOG.error("%s cannot be answered: %s", request.scope["route"].path, _where(error))
            return failed(500, DEFECT)
        if isinstance(result, Response):
            return result
        if isinstance(result, bytes):  # compressed, its length would depend on its content
            encoding = {"Content-Encoding": "identity"}
            return Response(result, media_type="audio/wav", headers=HEADERS | encoding)
        return JSONResponse(result, headers=HEADERS)

    return Route(f"/listen/{{token}}/{path}", endpoint, methods=[method])


def _where(error: Exception) -> str:
    """Kind and place of an error, without a word of what it was about."""
    frames = extract_tb(error.__traceback__)[-3:]
    lines = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames]
    return f"{type(error).__name__} in {', '.join(lines)}"


async def _body(request: Request) -> dict[str, Any]:
    """The JSON object that was sent; else a ValueError, which is NotJson if it is called otherwise.

    Only our own pages can call it JSON unasked.
    """
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LONGEST_BODY:
            raise ValueError(f"more than {LONGEST_BODY} bytes were sent.")
    try:
        sent = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise ValueError("what was sent is not JSON.") from error
    if not isinstance(sent, dict):
        raise ValueError("what was sent is not a JSON object.")
    check_json_type(request.headers.get("Content-Type", ""))
    return sent


def failed(status: int, sentence: str, **more: str) -> JSONResponse:
    return JSONResponse({"error": sentence, **more}, status, headers=HEADERS)


def page(name: str) -> Callable:
    async def endpoint(request: Request) -> Response:
        return FileResponse(ASSETS / name, media_type="text/html", headers=HEADERS)

    return endpoint


async def asset(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in SERVED:
        return failed(404, f"there is no {name!r} here.")
    return FileResponse(ASSETS / name, headers=HEADERS | {"Cache-Control": "no-cache"})


def reachable(host: str) -> str:
    """The address under which other machines find this one, where it listens to all."""
    if host in FAR:
        family, far = FAR[host]
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((far, 9))  # sends nothing, and chooses the network that leads there
                host = probe.getsockname()[0]
        except OSError:  # no network leads anywhere
            return socket.gethostname()
    return f"[{host}]" if ":" in host else host
