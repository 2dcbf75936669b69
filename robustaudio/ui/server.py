"""Gradio's server at a socket that listens already, with the gate in front of everything."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gradio as gr
import uvicorn
from gradio import http_server

from robustaudio.gate import Gate, Rules
from robustaudio.gate.uploads import Uploads
from robustaudio.serving.limits import Limits
from robustaudio.ui.services import Services


class Server(http_server.Server):
    """Serves at `listening`, and closes it at the end."""

    def __init__(self, config: uvicorn.Config, listening: socket.socket) -> None:
        super().__init__(config)
        self.listening = listening

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        super().run([self.listening])


@contextmanager
def at(listening: socket.socket, host: str, rules: Rules) -> Iterator[None]:
    """Within it, `launch` of a page serves at the socket.

    Gradio's own way knows no IPv6, tries a port again after the classifiers are loaded, and puts
    its headers for other origins outside of any middleware that it is given.
    """

    def start(
        app: Any, server_name: Any = None, server_port: Any = None, ssl_keyfile: str | None = None,
        ssl_certfile: str | None = None, ssl_keyfile_password: str | None = None,
    ) -> tuple[str, int, str, Server]:  # fmt: skip
        config = uvicorn.Config(
            Gate(app, rules), log_level="warning", server_header=False, proxy_headers=False,
            ssl_keyfile=ssl_keyfile, ssl_certfile=ssl_certfile,
            ssl_keyfile_password=ssl_keyfile_password,
        )  # fmt: skip
        server, port = Server(config, listening), listening.getsockname()[1]
        server.run_in_thread()
        shown = f"[{host}]" if ":" in host and not host.startswith("[") else host
        here = {"0.0.0.0": "localhost", "[::]": "[::1]"}.get(shown, shown)
        return shown, port, f"{'https' if ssl_keyfile else 'http'}://{here}:{port}/", server

    original = http_server.start_server
    http_server.start_server = start
    try:
        yield
    finally:
        http_server.start_server = original


def uploads_of(page: gr.Blocks, services: Services, limits: Limits) -> Uploads:
    """The room of visitors' files; results to download stay longer than what was uploaded."""

    def spared() -> set[str]:
        return {
            file
            for block in page.blocks.values()
            for file in [*getattr(block, "keep_in_cache", ())]
        }

    folders: list[Path] = [services.upload_folder, services.kept.home]
    return Uploads(folders, limits.uploads_mb, limits.address_uploads_mb, spared)
