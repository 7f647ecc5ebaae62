"""Installs Chromium for the browser tests: `python -m tests.chromium`."""

import os
import shutil
import subprocess
import sys

from examples.browser import CHROMIUM

PACKAGES = ["chromium"]


def main() -> int:
    """Install Debian's Chromium if it is missing; 1 if it cannot be."""
    if shutil.which(CHROMIUM):
        return 0
    if os.geteuid() or not shutil.which("apt-get"):
        print(f"{CHROMIUM} is missing: install it with `sudo apt-get install {' '.join(PACKAGES)}`", file=sys.stderr)
        return 1
    install = ["apt-get", "install", "-y", "--no-install-recommends", *PACKAGES]
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    commands = (["apt-get", "update"], install)
    return max(
        subprocess.run(command, env=environment, check=False, stdout=sys.stderr).returncode for command in commands
    )


if __name__ == "__main__":
    sys.exit(main())
