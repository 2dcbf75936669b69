"""Paths that are open: what the pages ask for, and nothing else that Gradio offers.

Found by driving every tab; a path that is missing here answers 404.
"""

import re

API = "/gradio_api/"
PAGE = re.compile(
    r"/|/(?:assets|static|svelte)/.*|/theme\.css|/favicon\.ico|/robots\.txt|/manifest\.json"
    r"|/pwa_icon(?:/\d+)?|/config"
    rf"|{API}(?:app_id|startup-events|theme\.css|file=(?![a-zA-Z][a-zA-Z0-9+.-]+:/).*)"
)
LISTEN = re.compile(r"/listen/.*")
STREAM = re.compile(rf"{API}(?:queue/data|heartbeat/[^/]*|upload_progress)")  # as long as the page
SHORT = (f"{API}cancel", f"{API}reset")  # JSON that names a run, and holds nothing else
JSON = (f"{API}queue/join", f"{API}run/predict", *SHORT)  # which Gradio reads
UPLOAD = f"{API}upload"
EVENTS = f"{API}queue/data"
RENDERED = ("/", "/config")  # what makes the page
# what is computed for each listener or teacher who asks
COMPUTED = re.compile(r"/listen/[^/]+/(?:study|state|result|pooled|qr\.svg|export/.*)")
READS = ("GET", "HEAD")


def is_open(method: str, path: str) -> bool:
    """Whether the pages ask this of a server."""
    if LISTEN.fullmatch(path):
        return method in (*READS, "POST")
    if method == "POST":
        return path in (*JSON, UPLOAD)
    return method in READS and bool(PAGE.fullmatch(path) or STREAM.fullmatch(path))


def counts(method: str, path: str) -> bool:
    """Whether a request changes or computes something."""
    return method not in READS or COMPUTED.fullmatch(path) is not None
