"""Opens the app: `python app.py [--host HOST] [--port PORT] [--no-open]`."""

import argparse
import os
import sys

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

from robustaudio.ui.launch import launch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"))
    parser.add_argument("--port", type=int, default=None, help="default: the first free from 7860")
    parser.add_argument(
        "--open",
        action=argparse.BooleanOptionalAction,
        default=sys.stdout.isatty(),
        help="open the page in a browser (default: when started from a terminal)",
    )
    arguments = parser.parse_args()
    try:
        launch(arguments.host, arguments.port, open_browser=arguments.open)
    except (OSError, OverflowError) as error:  # the port is taken or none, or the address not ours
        parser.error(str(error))


if __name__ == "__main__":
    main()
