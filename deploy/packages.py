"""Installs missing Debian packages: `python -m deploy.packages chromium --optional postgresql prometheus`.

Uses apt-get as root, and otherwise prints the command to run. Exits with 1 if a package is still missing, unless it is
optional. No server among them is started.
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
    "prometheus-alertmanager": "usr/bin/prometheus-alertmanager",
    "haproxy": "usr/sbin/haproxy",
    "faketime": "usr/lib/*/faketime/libfaketimeMT.so.1",
}


def missing(packages: Sequence[str]) -> list[str]:
    """Return the packages whose programs are not installed."""
    return [name for name in packages if not any(Path("/").glob(PROGRAMS[name]))]


def install(packages: Sequence[str]) -> None:
    """Install packages with apt-get; errors are ignored, as the caller checks the result."""
    # In runlevel 1, Debian's packages do not start their servers
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for command in (["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", *packages]):
        subprocess.run(command, env=environment, check=False, stdout=sys.stderr)


def package(name: str) -> str:
    """Check the name of a package on the command line.

    Raises:
        argparse.ArgumentTypeError: the name is unknown.
    """
    if name not in PROGRAMS:
        raise argparse.ArgumentTypeError(f"{name!r} is no package of {', '.join(PROGRAMS)}")
    return name


def main() -> int:
    """Install what is missing; 1 if a needed package is still missing."""
    parser = argparse.ArgumentParser(
        prog="python -m deploy.packages", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    # Not `choices`: argparse then refuses an empty list
    parser.add_argument("needed", nargs="*", type=package, help="packages that are needed")
    parser.add_argument("--optional", nargs="*", type=package, default=[], help="packages that some tests use")
    options = parser.parse_args()
    packages = [*options.needed, *options.optional]
    if missing(packages) and not os.geteuid() and shutil.which("apt-get"):
        install(missing(packages))
    if lacking := missing(packages):
        print(f"not installed: sudo apt-get install {' '.join(lacking)}", file=sys.stderr)
    return int(bool(missing(options.needed)))


if __name__ == "__main__":
    sys.exit(main())
