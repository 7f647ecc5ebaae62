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


def package(name: str) -> str:
    """Check the name of a package on the command line.

    Raises:
        argparse.ArgumentTypeError: nobody here needs it.
    """
    if name not in PROGRAMS:
        raise argparse.ArgumentTypeError(f"{name!r} is no package of {', '.join(PROGRAMS)}")
    return name


def main() -> int:
    """Install what is missing; 1 if something that is needed stays so."""
    parser = argparse.ArgumentParser(
        prog="python -m deploy.packages", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    # No `choices`: with them argparse refuses an empty list of needed ones
    parser.add_argument("needed", nargs="*", type=package, help="without which nothing goes on")
    parser.add_argument("--wish", nargs="*", type=package, default=[], help="whose tests are skipped without them")
    options = parser.parse_args()
    packages = [*options.needed, *options.wish]
    if missing(packages) and not os.geteuid() and shutil.which("apt-get"):
        install(missing(packages))
    if lacking := missing(packages):
        print(f"not installed: sudo apt-get install {' '.join(lacking)}", file=sys.stderr)
    return int(bool(missing(options.needed)))


if __name__ == "__main__":
    sys.exit(main())
