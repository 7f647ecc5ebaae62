"""Installs Debian packages that are missing: `python -m deploy.packages chromium --wish postgresql prometheus`.

As root with apt-get; otherwise it says what to do. Exits with 1 if a package is then still missing, unless it was only
wished for. No server among them is started.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PROGRAMS = {
    "chromium": "usr/bin/chromium",
    "postgresql": "usr/lib/postgresql/*/bin/initdb",
    "prometheus": "usr/bin/promtool",
    "faketime": "usr/lib/*/faketime/libfaketimeMT.so.1",
}


def missing(packages: Sequence[str]) -> list[str]:
    """Return those whose programs are not there."""
    return [name for name in packages if not any(Path("/").glob(PROGRAMS[name]))]


def install(packages: Sequence[str]) -> None:
    """Install packages, as far as that is possible."""
    # In runlevel 1 Debian's packages do not start their servers
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for command in (["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", *packages]):
        subprocess.run(command, env=environment, check=False, stdout=sys.stderr)


def main() -> int:
    """Install what is missing; 1 if something that is needed stays so."""
    parser = argparse.ArgumentParser(
        prog="python -m deploy.packages", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("needed", nargs="*", choices=PROGRAMS, help="without which nothing goes on")
    parser.add_argument("--wish", nargs="*", default=[], choices=PROGRAMS, help="whose tests are skipped without them")
    options = parser.parse_args()
    packages = [*options.needed, *options.wish]
    if missing(packages) and not os.geteuid() and shutil.which("apt-get"):
        install(missing(packages))
    if lacking := missing(packages):
        print(f"not installed: sudo apt-get install {' '.join(lacking)}", file=sys.stderr)
    return int(bool(missing(options.needed)))


if __name__ == "__main__":
    sys.exit(main())
