"""`python -m deploy.container.build [TARGET...]`: builds the images.

With docker, podman or buildah, whichever is there. Needs the standard library only. CONTAINER_ENGINE names one of the
three; PYTHON_IMAGE names another base, best by digest. Options after `--` go to the engine, as in `-- --network host`.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENGINES = ("docker", "podman", "buildah")
TARGETS = ("server", "dashboard", "models")
VERSION = "0.2.0"


class BuildError(Exception):
    """An image cannot be built; the message is one line."""


def find_engine(environment: Mapping[str, str]) -> str:
    """Return the engine to build with: the named one, or else the first that works here.

    Raises:
        BuildError: there is none.
    """
    named = environment.get("CONTAINER_ENGINE")
    if named and named not in ENGINES:
        raise BuildError(f"CONTAINER_ENGINE is {named!r}; wanted one of {', '.join(ENGINES)}")
    for engine in [named] if named else ENGINES:
        if shutil.which(engine) and works(engine):
            return engine
    raise BuildError(
        f"none of {named or ', '.join(ENGINES)} works here; wanted one: `docker info` says what docker lacks"
    )


def works(engine: str) -> bool:
    """Tell whether an engine answers: docker's client is often there without its daemon."""
    try:
        done = subprocess.run([engine, "info"], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0


def build_command(engine: str, target: str, base: str, options: Sequence[str]) -> list[str]:
    """Return the command that builds one image."""
    command = [engine, "build", "--target", target, "--file", "deploy/container/Dockerfile"]
    command += ["--tag", f"localhost/inkserve-{target}:latest", "--tag", f"localhost/inkserve-{target}:{VERSION}"]
    if base:
        command += ["--build-arg", f"PYTHON={base}"]
    if engine != "docker":
        command += ["--format", "docker"]  # OCI's own format has no health checks
    return [*command, *options, "."]


def main() -> int:
    """Build the images that the command line names; all without a name."""
    own, _, options = (" ".join(sys.argv[1:])).partition("-- ")
    parser = argparse.ArgumentParser(
        prog="python -m deploy.container.build",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)} (default: all)")
    targets = parser.parse_args(own.split()).targets or TARGETS
    try:
        if unknown := sorted(set(targets) - set(TARGETS)):
            raise BuildError(f"there is no image {', '.join(unknown)}; wanted some of {', '.join(TARGETS)}")
        engine = find_engine(os.environ)
        for target in targets:
            print(f"building localhost/inkserve-{target} with {engine} ...", flush=True)
            command = build_command(engine, target, os.environ.get("PYTHON_IMAGE", ""), options.split())
            if code := subprocess.run(command, cwd=ROOT, check=False).returncode:
                raise BuildError(f"{' '.join(command)} ended with {code}")
    except BuildError as err:
        print(f"image: {err}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
