"""What all pages of the listening tests share: headers, errors as sentences, bodies, files."""

import json
import logging
import socket
from collections.abc import Callable
from pathlib import Path
from traceback import extract_tb
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

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
HEADERS = {
    "Cache-Control": "no-store, no-transform",  # no proxy compresses a sound by its content
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; base-uri 'none'; "
    "form-action 'self'",
}


async def answered(request: Request, answer: Callable[[dict[str, Any]], Any]) -> Response:
    """Runs `answer` in a thread, of the body and the address; errors become their sentence.

    Bytes become a sound, a response stays what it is, anything else becomes JSON. A study that is
    "closed" (410) or "unknown" (404) is called so beside the sentence, by the key `study`.
    """
    try:
        told = await _body(request) if request.method == "POST" else dict(request.query_params)
        result = await run_in_threadpool(answer, {**told, **request.path_params})
    except NotJson as error:
        return failed(415, error)
    except WrongKey as error:
        return failed(403, error)
    except Closed as error:
        return failed(410, error, study="closed")
    except NoStudy as error:
        return failed(404, error, study="unknown")
    except LookupError as error:
        return failed(404, error)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return failed(503, OSError(f"the server cannot read or write answers now: {reason}."))
    except NotWritable as error:
        LOG.warning("%s", error)
        return failed(503, OSError("the server cannot write answers now, and its log says why."))
    except ValueError as error:
        return failed(400, error)
    except Exception as error:  # a defect: whatever it says may hold answers and keys
        LOG.error("%s cannot be answered: %s", request.scope["route"].path, _where(error))
        return failed(500, RuntimeError(DEFECT))
    if isinstance(result, Response):
        return result
    if isinstance(result, bytes):  # compressed, its length would depend on its content
        encoding = {"Content-Encoding": "identity"}
        return Response(result, media_type="audio/wav", headers=HEADERS | encoding)
    return JSONResponse(result, headers=HEADERS)


def _where(error: Exception) -> str:
    """Kind and place of an error, without a word of what it was about."""
    frames = extract_tb(error.__traceback__)[-3:]
    lines = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames]
    return f"{type(error).__name__} in {', '.join(lines)}"


async def _body(request: Request) -> dict[str, Any]:
    """The JSON object that was sent.

    Raises:
        NotJson: if it is not called JSON; only our own pages can do so unasked.
        ValueError: for anything else, or one that is too long.
    """
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LONGEST_BODY:
            raise ValueError(f"more than {LONGEST_BODY} bytes were sent.")
    try:
        told = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise ValueError("what was sent is not JSON.") from error
    if not isinstance(told, dict):
        raise ValueError("what was sent is not a JSON object.")
    check_json_type(request.headers.get("Content-Type", ""))
    return told


def failed(status: int, error: Exception, **more: str) -> JSONResponse:
    return JSONResponse({"error": str(error), **more}, status, headers=HEADERS)


def page(name: str) -> Callable:
    async def endpoint(request: Request) -> Response:
        return FileResponse(ASSETS / name, media_type="text/html", headers=HEADERS)

    return endpoint


async def asset(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in SERVED:
        return failed(404, LookupError(f"there is no {name!r} here."))
    headers = HEADERS | {"Cache-Control": "no-cache"}
    return FileResponse(ASSETS / name, headers=headers)


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
