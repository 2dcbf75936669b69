"""Opens the app: `python app.py`; its options are those of `robustaudio app`."""

import sys

from robustaudio.app import main

if __name__ == "__main__":
    sys.exit(main())
