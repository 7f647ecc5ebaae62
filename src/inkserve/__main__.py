"""The command `inkserve` as a module: `python -m inkserve`."""

import sys

from inkserve.cli import main

if __name__ == "__main__":
    sys.exit(main())
