"""From nothing to a served page: classifiers, clips, queue."""

import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import gradio as gr
import torch
from starlette.middleware import Middleware

from robustaudio.classifiers.checkpoints import load_classifier, names, read_card
from robustaudio.listening.rooms import Rooms
from robustaudio.listening.server import routes
from robustaudio.listening.store import FOLDER, open_store
from robustaudio.listening.web import FAR, reachable
from robustaudio.serving import WARNING, BehindPrefix, Serving
from robustaudio.ui.convert import Services
from robustaudio.ui.intake import MAX_UPLOAD_BYTES
from robustaudio.ui.layout import STYLE, build_page, theme
from robustaudio.ui.tasks import TASKS

HEAVY_RUNS = 2  # at a time; the others wait in the queue
MAX_WAITING = 64


def load_services() -> Services:
    """Every shipped classifier and every clip at hand, on the GPU when there is one."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    shipped = names()
    default = "memory:" if os.environ.get("SPACE_ID") else FOLDER  # a Space's disk is lost
    uploads = os.environ.get("GRADIO_TEMP_DIR") or Path(tempfile.gettempdir()) / "gradio"
    return Services(
        classifiers={name: load_classifier(name, device) for name in shipped},
        cards={name: read_card(name) for name in shipped},
        clips={task.name: task.clips() for task in TASKS},
        upload_folder=Path(uploads),
        device=device,
        rooms=Rooms(open_store(os.environ.get("ROBUSTAUDIO_LISTENING", default))),
    )


def launch(
    host: str = "127.0.0.1",
    port: int | None = None,
    *,
    serving: Serving | None = None,
    open_browser: bool = False,
    block: bool = True,
    quiet: bool = False,
) -> gr.Blocks:
    """Serves the page; with `block` False it returns at once (tests close it again)."""
    # runs share the cores, not each run's operators: two visitors' OpenMP teams on two cores wait
    # for threads that are not scheduled, and both runs become many times slower
    torch.set_num_threads(1)
    serving = serving or Serving()
    key, certificate = serving.files([reachable(host)])
    services = replace(load_services(), serving=serving)
    page = build_page(services)
    services.rooms.keep_purging()
    page.queue(default_concurrency_limit=HEAVY_RUNS, max_size=MAX_WAITING)
    page.launch(
        server_name=host,
        server_port=port,
        inbrowser=open_browser,
        prevent_thread_lock=True,
        quiet=quiet,
        share=False,
        theme=theme(),
        css_paths=[STYLE],
        max_file_size=MAX_UPLOAD_BYTES,
        run_history=False,
        ssr_mode=False,
        enable_monitoring=False,
        show_error=True,
        footer_links=["settings"],
        root_path=serving.root,
        ssl_verify=False,  # of Gradio's own question whether the page is up: any name will do
        app_kwargs={
            "routes": routes(services.rooms),
            "middleware": [Middleware(BehindPrefix, root_path=serving.root_path)],
        },
        ssl_keyfile=key,
        ssl_certfile=certificate,
    )
    if not quiet:
        _tell(serving, host, page.server_port)
    if block:
        page.block_thread()
    return page


def _tell(serving: Serving, host: str, port: int) -> None:
    """What Gradio does not print: how others reach the page."""
    if serving.root:
        print(f"* Behind the proxy:  {serving.root}/")
    elif host in FAR:
        print(f"* In the network:  {serving.home(reachable(host), port)}")
    if serving.self_signed:
        print(f"* {WARNING}")
    sys.stdout.flush()
