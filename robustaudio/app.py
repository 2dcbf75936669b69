"""Opens the app: `robustaudio app` or `python app.py`; see --help."""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from robustaudio import doors, threads
from robustaudio.limits import add_limit_options, limits_of
from robustaudio.serving import add_serving_options, ports, serving_of


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the app, for `app.py` and for the verb `app`."""
    parser.add_argument("--host", default=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"))
    parser.add_argument("--port", type=int, default=None, help="default: the first free from 7860")
    parser.add_argument(
        "--open",
        action=argparse.BooleanOptionalAction,
        default=sys.stdout is not None and sys.stdout.isatty(),
        help="open the page in a browser (default: when started from a terminal)",
    )
    add_serving_options(parser)
    add_limit_options(parser)
    parser.add_argument("--threads", type=int, metavar="N", help=threads.HELP)


def run(arguments: argparse.Namespace) -> None:
    """Serves the page until it is stopped.

    Raises:
        ValueError: if the page cannot be served as the options say.
    """
    if arguments.port is not None and not 0 <= arguments.port <= 65_535:
        raise ValueError(f"--port {arguments.port} must be from 0 to 65535.")
    ports()
    threads.count(arguments.threads)  # refused before gradio and torch are imported
    check_scratch()
    serving, limits = serving_of(arguments), limits_of(arguments)
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    from robustaudio.ui.launch import launch

    try:
        launch(
            arguments.host,
            arguments.port,
            serving=serving,
            limits=limits,
            open_browser=arguments.open,
            thread_count=arguments.threads,
        )
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
        reason = (getattr(error, "strerror", None) or "no such folder").lower()
        raise ValueError(f"{which} {rest}: {reason}.") from error


def main(argv: Sequence[str] | None = None) -> int:
    """What `python app.py` does; gives its exit code."""
    parser = argparse.ArgumentParser(description="Hear, break and prove a classifier: the app.")
    add_options(parser)

    def opened() -> int:
        run(parser.parse_args(argv))
        return 0

    return doors.main_of("robustaudio", opened)
