"""Paths that are open: what the pages ask for, and nothing else that Gradio offers.

Found by driving every tab; a path that is missing here answers 404.
"""

import re

PAGE = re.compile(
    r"/|/(?:assets|static|svelte)/.*|/theme\.css|/favicon\.ico|/robots\.txt|/manifest\.json"
    r"|/pwa_icon(?:/\d+)?|/config"
)
LISTEN = re.compile(r"/listen/.*")
API = "/gradio_api/"
READ = re.compile(r"app_id|startup-events|theme\.css|file=(?![a-zA-Z][a-zA-Z0-9+.-]+:/).*")
STREAMS = re.compile(r"queue/data|heartbeat/[^/]*|upload_progress")
JSON = ("queue/join", "run/predict", "cancel", "reset")
SHORT = ("cancel", "reset")  # what names a run, and holds nothing else
UPLOAD = "/gradio_api/upload"
EVENTS = "/gradio_api/queue/data"
RENDERED = ("/", "/config")  # what makes the page
# of a listening test: what is computed for each who asks
COMPUTED = re.compile(r"/listen/[^/]+/(?:study|state|result|pooled|qr\.svg|export/.*)")
READS = ("GET", "HEAD")


def is_open(method: str, path: str) -> bool:
    """Whether the pages ask this of a server."""
    if LISTEN.fullmatch(path):
        return method in (*READS, "POST")
    if method == "POST":
        return takes_json(path) or path == UPLOAD
    if method not in READS:
        return False
    if not path.startswith(API):
        return PAGE.fullmatch(path) is not None
    rest = path.removeprefix(API)
    return READ.fullmatch(rest) is not None or is_stream(path)


def takes_json(path: str) -> bool:
    """Whether Gradio reads JSON there; the listening tests look after themselves."""
    return path.removeprefix(API) in JSON and path.startswith(API)


def is_short(path: str) -> bool:
    """Whether that JSON only names a run."""
    return path.removeprefix(API) in SHORT


def is_stream(path: str) -> bool:
    """Whether the answer may last as long as the page."""
    return path.startswith(API) and STREAMS.fullmatch(path.removeprefix(API)) is not None


def counts(method: str, path: str) -> bool:
    """Whether a request changes or computes something."""
    return method not in READS or COMPUTED.fullmatch(path) is not None
