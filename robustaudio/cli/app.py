"""The verb `app`, and the flags of all verbs that serve pages."""

import os
import sys
import tempfile
from pathlib import Path

from robustaudio import threads
from robustaudio.cli.options import Verb, flag
from robustaudio.doors import reason
from robustaudio.progress import Progress
from robustaudio.serving.limits import HELP, Limits, limits_of
from robustaudio.serving.serve import LAST_PORT, Serving, ports, serving_of


class Served(Verb):
    """A verb that serves pages."""

    host: str = "127.0.0.1"
    ssl_keyfile: Path | None = flag(None, "private key (PEM): https", metavar="KEY")
    ssl_certfile: Path | None = flag(None, "its certificate (PEM)", metavar="CERT")
    self_signed: bool = flag(
        False, "https with a certificate of this machine's own; browsers warn once"
    )
    root_path: str = flag(
        lambda: os.environ.get("GRADIO_ROOT_PATH", ""),
        "prefix, or whole address, under which a proxy shows the pages",
        metavar="/PREFIX",
    )
    allowed_host: tuple[str, ...] = flag(
        (), "a further name of this server, as browsers ask for it (may be repeated)",
        metavar="NAME",
    )  # fmt: skip
    frame: tuple[str, ...] = flag(
        (),
        "a site that may show the pages in a frame: https://lab.example.org (may be repeated)",
        metavar="ORIGIN",
    )
    public: bool | None = flag(
        None, "share fairly between visitors (default: when others can reach the page)"
    )
    limit: tuple[str, ...] = flag((), HELP, metavar="NAME=VALUE")

    def serving(self) -> Serving:
        """How the pages are served.

        Raises:
            ValueError: one sentence, for a file that cannot be used or flags that exclude each
                other.
        """
        return serving_of(
            self.ssl_keyfile, self.ssl_certfile, self_signed=self.self_signed,
            root_path=self.root_path, hosts=self.allowed_host, frames=self.frame,
        )  # fmt: skip

    def limits(self) -> Limits:
        """What a visitor may take.

        Raises:
            ValueError: for a name that is no limit, or a value that is none.
        """
        return limits_of(
            self.limit, public=self.public, host=self.host, proxied=bool(self.root_path)
        )


class App(Served):
    """Open the app in a browser."""

    host: str = flag(lambda: os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"))
    port: int | None = flag(None, "default: the first free from 7860")
    open: bool | None = flag(
        None, "open the page in a browser (default: when started from a terminal)"
    )
    json: bool = False  # there is no record

    def check(self) -> None:
        if self.port is not None and not 0 <= self.port <= LAST_PORT:
            raise ValueError(f"--port {self.port} must be from 0 to {LAST_PORT}.")
        ports()
        threads.count(self.threads)
        check_scratch()

    def load(self) -> None:
        """Nothing: the page imports torch behind the first checks."""

    def run(self, progress: Progress) -> None:
        """Serves the page until it is stopped.

        Raises:
            ValueError: if the page cannot be served as the flags say.
        """
        how, limits = self.serving(), self.limits()  # refused before gradio and torch are imported
        os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
        from robustaudio.ui.launch import launch

        try:
            launch(
                self.host, self.port, serving=how, limits=limits, thread_count=self.threads,
                open_browser=sys.stdout.isatty() if self.open is None else self.open,
            )  # fmt: skip
        except OverflowError as error:  # the port is none
            raise ValueError(str(error)) from error


def check_scratch() -> None:
    """Refuses a folder for temporary files that cannot be written to, before the work begins.

    Raises:
        ValueError: naming the variable that says which.
    """
    named = os.environ.get("GRADIO_TEMP_DIR")
    try:
        folder = Path(named or tempfile.gettempdir())
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except (OSError, ValueError) as error:
        which = f"GRADIO_TEMP_DIR {named}" if named else "no folder for temporary files"
        rest = "cannot be written to" if named else "can be written to; set TMPDIR to one"
        raise ValueError(f"{which} {rest}: {reason(error)}.") from error
