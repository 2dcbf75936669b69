"""Opens the app: `python app.py` is `robustaudio app`."""

import sys

from robustaudio.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["app", *sys.argv[1:]]))
