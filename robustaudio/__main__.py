"""`python -m robustaudio`, and the command `robustaudio`."""

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; Ctrl-C while it loads ends in one line as well."""
    try:
        from robustaudio.cli import main

        return main(argv)
    except KeyboardInterrupt:
        print("robustaudio: cancelled.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
