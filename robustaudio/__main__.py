"""`python -m robustaudio`, and the command `robustaudio`."""

import sys


def main() -> int:
    """Runs the command line; whoever stops it while it loads sees one line as well."""
    try:
        from robustaudio.cli import main

        return main()
    except KeyboardInterrupt:
        print("robustaudio: cancelled.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
