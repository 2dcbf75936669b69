"""What a visitor is told when something fails: a sentence of ours, never a library's words.

A sentence that was written for people ends with a full stop. Whatever does not is a defect, or the
answer to values that no page sends: it goes to the server's log, and the visitor is told so.
"""

import logging
import re
from html import escape
from typing import Any

import gradio as gr
from fastapi.exceptions import RequestValidationError
from gradio.route_utils import FnIndexInferError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from robustaudio import doors

FAILED = "That did not work"
INSIDE = "Something failed on the server, whose log says why."
UNFIT = "The server cannot use what this page sent; reload the page."
OUTSIDE = {  # by the status of an answer whose words are a library's
    400: "The server cannot use this request.",
    401: "This needs a login.",
    403: "This is not allowed.",
    404: "There is nothing at this address.",
    405: "This address does not take such requests.",
    413: "This is too large.",
    422: UNFIT,
}
# the folders of a path, from the root on; an address on the web has none before its host
FOLDERS = re.compile(r"(?<![\w:/.~-])(?:/(?:[^\s/'\"<>]+/)+|[A-Za-z]:\\(?:[^\s\\'\"<>]+\\)+)")
log = logging.getLogger(__name__)


def spoken(error: BaseException) -> str:
    """The sentence on an error; a defect's traceback goes to the log."""
    if doors.is_shortage(error):
        return doors.shortage(error)
    if isinstance(error, OSError):
        return doors.of_system(OSError(error.errno, error.strerror or "the system refused it"))
    if not doors.is_defect(error) and is_sentence(words := str(error)):
        return without_folders(words)
    log.error("an error without a sentence", exc_info=error)
    return INSIDE


def is_sentence(words: str) -> bool:
    """Whether words were written for people: those of Python and its libraries have no end.

    A list of what is wrong with a study has an item a line.
    """
    return words.rstrip().endswith(".") or "\n- " in words


def without_folders(words: str) -> str:
    """The words with the names of files alone: where they lie is nobody's business.

    >>> without_folders("there is no file /tmp/gradio/1/x.wav; see https://lab.example.org/a/b.")
    'there is no file x.wav; see https://lab.example.org/a/b.'
    """
    return FOLDERS.sub("", words)


def as_html(sentence: str) -> str:
    """A sentence, escaped: it may quote what anybody wrote into a file."""
    return escape(sentence, quote=False).replace("\n", "<br>")


def one_sentence(error: BaseException) -> gr.Error:
    """What a visitor sees of an error: its sentence, no stack trace."""
    return gr.Error(as_html(spoken(error)), print_exception=False, title=FAILED)


def in_place(error: Exception) -> str:
    """An error's sentence as HTML, to stand where a verdict would."""
    return (
        f"<p class='ra-verdict ra-refused' role='alert'>{FAILED}"
        f"<span class='ra-note'>{as_html(spoken(error))}</span></p>"
    )


async def _unfit(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": UNFIT}, 422)


async def _unknown(request: Request, error: Exception) -> JSONResponse:
    """Gradio looks handlers up without asking whether there is one of that number."""
    log.warning("%s: there is no %s", request.url.path, str(error)[:200])
    return JSONResponse({"detail": OUTSIDE[404]}, 404)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    words = error.detail
    if error.status_code != 503 and not (isinstance(words, str) and is_sentence(words)):
        words = OUTSIDE.get(error.status_code, OUTSIDE[400])
    return JSONResponse({"detail": words}, error.status_code, error.headers)


async def _failed(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": INSIDE}, 500)  # the server logs it itself


HANDLERS: dict[Any, Any] = {
    RequestValidationError: _unfit, HTTPException: _refused, KeyError: _unknown,
    FnIndexInferError: _unknown, Exception: _failed,
}  # fmt: skip
