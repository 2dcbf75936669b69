"""`python -m robustaudio`."""

import sys

from robustaudio.cli import main

sys.exit(main())
