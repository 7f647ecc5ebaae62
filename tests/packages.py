"""Installs what the tests need of Debian and is missing: `python -m tests.packages`.

Without Chromium nothing is tested; without the others, their tests are skipped, and say so.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from examples.browser import CHROMIUM

SERVERS = {"prometheus": "/usr/bin/prometheus", "postgresql": "/usr/lib/postgresql/*/bin/initdb"}  # by package


def missing() -> list[str]:
    """Return the packages that are not installed."""
    found = [] if shutil.which(CHROMIUM) else ["chromium"]
    return found + [name for name, path in SERVERS.items() if not any(Path("/").glob(path[1:]))]


def install(packages: list[str]) -> None:
    """Install packages, as far as that is possible; no server among them is started."""
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for command in (["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", *packages]):
        subprocess.run(command, env=quiet, check=False, stdout=sys.stderr)


def main() -> int:
    """Install what is missing; 1 if there is no Chromium then."""
    packages = missing()
    if packages and not os.geteuid() and shutil.which("apt-get"):
        install(packages)
        packages = missing()
    if packages:
        print(f"not installed: sudo apt-get install {' '.join(packages)}", file=sys.stderr)
    return int("chromium" in packages)


if __name__ == "__main__":
    sys.exit(main())
