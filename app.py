"""Opens the app: `python app.py`; see `--help`."""

import argparse
import os
import sys

from robustaudio.serving import add_serving_options, serving_of


def main() -> None:
    parser = argparse.ArgumentParser(description="Hear, break and prove a classifier: the app.")
    parser.add_argument("--host", default=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"))
    parser.add_argument("--port", type=int, default=None, help="default: the first free from 7860")
    parser.add_argument(
        "--open",
        action=argparse.BooleanOptionalAction,
        default=sys.stdout.isatty(),
        help="open the page in a browser (default: when started from a terminal)",
    )
    add_serving_options(parser)
    arguments = parser.parse_args()
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    try:
        serving = serving_of(arguments)
        from robustaudio.ui.launch import launch  # heavy: the options come first

        launch(arguments.host, arguments.port, serving=serving, open_browser=arguments.open)
    except (ValueError, OSError, OverflowError) as error:  # the port is taken, no such address ...
        parser.error(str(error))


if __name__ == "__main__":
    main()
