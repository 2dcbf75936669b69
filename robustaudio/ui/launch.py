"""From nothing to a served page: classifiers, clips, queue."""

import logging
import os
import socket
import sys
import time
from contextlib import ExitStack
from typing import Any

import gradio as gr
import torch

from robustaudio import threads
from robustaudio.audio.tasks import TASKS
from robustaudio.classifiers.checkpoints import Checkpoint, usable
from robustaudio.evaluation.listening_study import LONGEST_FILE
from robustaudio.gate import Rules
from robustaudio.gate.headers import SPACE
from robustaudio.gate.hosts import Hosts
from robustaudio.listening.run.host import Host
from robustaudio.listening.run.open_store import open_store
from robustaudio.listening.run.store import FOLDER
from robustaudio.listening.web.http import FAR, reachable
from robustaudio.listening.web.listener_routes import routes
from robustaudio.paths import CHECKPOINTS
from robustaudio.serving.limits import PRIVATE, Limits, on_a_space
from robustaudio.serving.serve import WARNING, Serving, bound
from robustaudio.serving.streams import Streams
from robustaudio.ui.errors import HANDLERS
from robustaudio.ui.kept_files import upload_folder
from robustaudio.ui.page import STYLE, build_page, theme
from robustaudio.ui.quick_events import share_quick
from robustaudio.ui.server import at, uploads_of
from robustaudio.ui.services import Services
from robustaudio.ui.session_state import keep_tidy
from robustaudio.ui.widgets.upload import MAX_UPLOAD_BYTES

MOST_BYTES = max(MAX_UPLOAD_BYTES, LONGEST_FILE)  # of a file: a sound, or a study's export


def load_services(limits: Limits = PRIVATE, streams: Streams | None = None) -> Services:
    """Every classifier of the page's tasks and every clip at hand, on the GPU when there is one.

    Raises:
        ValueError: if no classifier can be used.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    shipped = _of_the_page(usable())
    default = "memory:" if os.environ.get("SPACE_ID") else FOLDER  # a Space's disk is lost
    return Services(
        classifiers={name: some.classifier.to(device) for name, some in shipped.items()},
        cards={name: some.card for name, some in shipped.items()},
        clips={task.name: task.clips() for task in TASKS},
        upload_folder=upload_folder(),
        device=device,
        rooms=Host(open_store(os.environ.get("ROBUSTAUDIO_LISTENING", default)), limits),
        limits=limits,
        streams=streams,
    )


def _of_the_page(checkpoints: dict[str, Checkpoint]) -> dict[str, Checkpoint]:
    """The checkpoints of the page's tasks; the others work on the command line."""
    tasks = [task.name for task in TASKS]
    shown = {name: some for name, some in checkpoints.items() if some.card.task in tasks}
    for name in checkpoints.keys() - shown.keys():
        logging.getLogger(__name__).warning(
            "classifier %r is not on the page: its task is %r, and the page's are %s.",
            name, checkpoints[name].card.task, ", ".join(tasks),
        )  # fmt: skip
    if not shown:
        raise ValueError(f"no classifier in {CHECKPOINTS} can be used on the page.")
    return shown


def launch(
    host: str = "127.0.0.1",
    port: int | None = None,
    *,
    serving: Serving | None = None,
    limits: Limits = PRIVATE,
    open_browser: bool = False,
    block: bool = True,
    quiet: bool = False,
    thread_count: int | None = None,
) -> gr.Blocks:
    """Serves the page; with `block` False it returns at once (tests close it again)."""
    threads.limit(thread_count)
    serving = serving or Serving()
    with ExitStack() as on_failure:
        listening = bound(host, port)  # before anything is loaded: a mistake is told at once
        on_failure.callback(listening.close)
        page = _launched(listening, host, serving, limits, inbrowser=open_browser, quiet=quiet)
        on_failure.pop_all()
    if not quiet:  # what Gradio does not print: how others reach the page
        if serving.root:
            print(f"* Behind the proxy:  {serving.root}/")
        elif host in FAR:
            print(f"* In the network:  {serving.home(reachable(host), page.server_port)}")
        if serving.self_signed:
            print(f"* {WARNING}")
        sys.stdout.flush()
    if block:
        try:
            while page.is_running:
                time.sleep(0.2)  # in short naps: Windows wakes nobody for Ctrl-C
        finally:
            page.close(verbose=False)
    return page


def _launched(
    listening: socket.socket, host: str, serving: Serving, limits: Limits, **options: Any
) -> gr.Blocks:
    """The page, served at the socket."""
    key, certificate = serving.files([reachable(host)])
    streams = Streams()
    services = load_services(limits, streams)
    page = build_page(services)
    services.rooms.keep_purging()
    share_quick(page, limits, streams)
    uploads = uploads_of(page, services, limits)
    uploads.keep_sweeping()
    hosts = Hosts(host, serving.origin, serving.root_path, serving.hosts)
    frames = (*serving.frames, *(SPACE if on_a_space() else ()))
    rules = Rules(limits, hosts, frames, uploads, MOST_BYTES, streams)
    with at(listening, host, rules):
        page.launch(
            **options,
            prevent_thread_lock=True,
            share=False,
            theme=theme(),
            css_paths=[STYLE],
            max_file_size=MOST_BYTES,
            run_history=False,
            ssr_mode=False,
            enable_monitoring=False,
            show_error=False,  # of what has no sentence of ours: nothing
            footer_links=["settings"],
            root_path=serving.root,
            ssl_verify=False,  # of Gradio's own question whether the page is up: any name will do
            app_kwargs={
                "routes": routes(services.rooms),
                "exception_handlers": HANDLERS,
                "redirect_slashes": False,  # a redirect would lead to whatever host was asked for
            },
            ssl_keyfile=key,
            ssl_certfile=certificate,
        )
    keep_tidy(page, streams)
    return page
