"""Where figures come from: the command, the commit, the machine and its packages, for cards and pages of results."""

import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def command() -> str:
    """Return the command that runs now, as one would type it."""
    module = getattr(sys.modules["__main__"], "__spec__", None)
    program = ["-m", module.name.removesuffix(".__main__")] if module else [sys.argv[0]]
    return shlex.join(["python", *program, *sys.argv[1:]])


def commit() -> str:
    """Return the commit of the code that runs, marked where the working tree differs from it."""
    try:
        describe = ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
        done = subprocess.run(describe, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "unknown: git is not installed"
    return done.stdout.strip() or "unknown: not a git checkout"


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return the processor's model where the system tells it, else its kind, such as "arm"."""
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def machine(packages: Iterable[str]) -> dict[str, object]:
    """Describe the processor, the system, and the versions of packages, "not installed" where one is missing."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: _version_of(name) for name in packages},
    }


def _version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
