"""`python -m deploy.install GROUP...`: installs dependency groups of pyproject.toml into the environment that runs it.

Needs the standard library only. `up`, the group of `make up`, comes from requirements.lock, where each file has its
sha256. PyTorch is not in it, as its files differ by index: on Linux without an NVIDIA card it comes from PyTorch's CPU
index, which is ten times smaller, if that answers within 3 s, and otherwise from pip's own index.

TORCH_CPU_INDEX names another CPU index; empty, none is asked.

`--only` is for container images: the groups on the command line and nothing else, with the lock's files where it has
them, PyTorch only for a group that needs it, and this project not at all.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
import urllib.request
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PINS = ROOT / "constraints.txt"
LOCK = ROOT / "requirements.lock"
PIP = "26.3"  # installs dependency groups (25.1), and reports progress to programs (24.1)
UP = "up"  # the group that the lock covers
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
ANSWER_S = 3.0
NVIDIA = Path("/proc/driver/nvidia")
LOG = Path(sys.prefix) / "install.log"
LARGE_BYTES = 5_000_000  # downloads from this size on show their progress


class InstallError(Exception):
    """An installation failed; the message is one line."""


def main() -> int:
    """Install the groups on the command line; 1 if one fails."""
    parser = argparse.ArgumentParser(
        prog="python -m deploy.install", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("groups", nargs="+", metavar="GROUP", help="of [dependency-groups] in pyproject.toml")
    parser.add_argument("--only", action="store_true", help="install nothing but these groups: for container images")
    options = parser.parse_args()
    groups = options.groups
    os.chdir(ROOT)
    LOG.unlink(missing_ok=True)
    try:
        install_pip()
        if options.only:
            for group in groups:
                install_alone(group)
            return 0
        install_torch(pinned("torch"), os.environ)
        install_locked()
        install_groups([group for group in groups if group != UP])
    except InstallError as err:
        print(f"install: {err}", file=sys.stderr)
        return 1
    return 0


def install_pip() -> None:
    """Bring pip itself to PIP."""
    if metadata.version("pip") != PIP:
        pip(f"pip {PIP}", [f"pip=={PIP}"], progress="off")


def install_torch(version: str, environment: Mapping[str, str]) -> None:
    """Install PyTorch unless it is there."""
    if is_installed("torch", version):
        return
    index, reason = choose_index(environment)
    print(reason)
    if index is not None:
        try:
            # The lock has its dependencies
            pip(f"PyTorch {version} for CPUs", ["--no-deps", "--index-url", index, f"torch=={version}"])
        except InstallError as err:
            print(f"{err}; goes on with pip's own index")
        else:
            return
    pip(f"PyTorch {version}", ["--constraint", str(PINS), f"torch=={version}"])


def install_locked() -> None:
    """Install the files that the lock names, and this project, which then finds all that it needs."""
    pip("packages of make up", ["--require-hashes", "--no-deps", "--requirement", str(LOCK)])
    pip("inkserve itself", ["--no-deps", "--editable", str(ROOT)])


def install_groups(groups: Sequence[str]) -> None:
    """Install groups that are not in the lock, in the pinned versions."""
    for group in groups:
        pip(f"packages of {group}", ["--constraint", str(PINS), "--group", group])


def install_alone(group: str) -> None:
    """Install one group: PyTorch if it needs it, and of the lock's files those that pip finds necessary."""
    if needs_torch(group):
        install_torch(pinned("torch"), os.environ)
    with tempfile.TemporaryDirectory() as folder:
        report, files = Path(folder) / "report.json", Path(folder) / "files.txt"
        options = ["--dry-run", "--report", str(report), "--constraint", str(PINS), "--group", group]
        pip(f"nothing yet: the packages of {group} are counted", options)
        names = {canonical(each["metadata"]["name"]) for each in json.loads(report.read_text())["install"]}
        files.write_text("".join(text for name, text in locked().items() if name in names))
        pip(f"packages of {group}", ["--require-hashes", "--no-deps", "--requirement", str(files)])


def locked() -> dict[str, str]:
    """Return the lock's entries, each with its hashes, by the name of the package."""
    entries = re.split(r"^(?=[\w-])", LOCK.read_text(), flags=re.MULTILINE)[1:]
    return {canonical(entry.partition("==")[0]): entry for entry in entries}


def canonical(name: str) -> str:
    """Return a package's name in the form in which two spellings of it are equal."""
    return re.sub(r"[-_.]+", "-", name).lower()


def needs_torch(group: str) -> bool:
    """Tell whether a group has PyTorch, itself or through a group that it includes."""
    entries = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"][group]
    return any(needs_torch(each["include-group"]) if isinstance(each, dict) else each == "torch" for each in entries)


def choose_index(environment: Mapping[str, str]) -> tuple[str | None, str]:
    """Return the index that PyTorch comes from, None for pip's own, and a line that says why."""
    index = environment.get("TORCH_CPU_INDEX", CPU_INDEX)
    if sys.platform != "linux" or not index:
        return None, "PyTorch comes from pip's own index"
    if NVIDIA.exists() or shutil.which("nvidia-smi"):
        return None, "PyTorch comes from pip's own index, as this machine has an NVIDIA card"
    if not answers(f"{index}/torch/"):
        return None, f"PyTorch comes from pip's own index, as {index} does not answer within {ANSWER_S:.0f} s"
    return index, f"PyTorch comes from {index}, as this machine has no NVIDIA card"


def answers(url: str) -> bool:
    """Tell whether an address answers within ANSWER_S, name resolution included."""
    found: list[bool] = []

    def ask() -> None:
        try:
            with urllib.request.urlopen(url, timeout=ANSWER_S):  # noqa: S310 # nosec B310 - the user chose the address
                found.append(True)
        except (OSError, ValueError):
            found.append(False)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(ANSWER_S)
    return found == [True]


def pinned(name: str) -> str:
    """Return the pinned version of a package."""
    return next(line.removeprefix(f"{name}==") for line in PINS.read_text().split() if line.startswith(f"{name}=="))


def is_installed(name: str, version: str) -> bool:
    """Tell whether a version of a package is installed, for any processor."""
    try:
        return metadata.version(name).partition("+")[0] == version
    except metadata.PackageNotFoundError:
        return False


def pip(title: str, options: Sequence[str], progress: str = "raw") -> None:
    """Run `pip install` and show what it downloads.

    Args:
        title: of what it installs, for people.
        options: of pip.
        progress: style of its progress bar; "raw" is for programs.

    Raises:
        InstallError: pip fails.
    """
    print(f"installing {title} ...", flush=True)
    started = time.monotonic()
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", progress]
    errors = []
    with (
        LOG.open("a") as log,
        subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running,
    ):
        display = Download(started)
        for line in running.stdout or ():
            if not display.show(line):
                log.write(line)
            if line.startswith("ERROR: "):
                errors.append(line.removeprefix("ERROR: ").strip())
    if running.returncode:
        raise InstallError(f"{title}: {(errors or ['pip failed'])[0]} (all of pip's output: {LOG})")
    print(f"installed {title} in {time.monotonic() - started:.0f} s", flush=True)


class Download:
    """Shows the progress of large downloads: on a terminal as one line that changes, elsewhere a line for each file."""

    def __init__(self, started: float) -> None:
        self.started = started
        self.name = ""
        self.is_terminal = sys.stdout.isatty()

    def show(self, line: str) -> bool:
        """Show a line of pip's output if it tells of a download; return whether it is a report of progress."""
        words = line.split()
        if words[:1] == ["Downloading"]:
            self.name = words[1].rpartition("/")[2]
        if words[:1] != ["Progress"]:
            return False
        done, total = int(words[1]), int(words[3])
        elapsed_s = time.monotonic() - self.started
        text = f"  {self.name}: {done / 1e6:.0f} of {total / 1e6:.0f} MB, {elapsed_s:.0f} s"
        if total >= LARGE_BYTES and self.is_terminal:
            print(f"\r{text:79.79}", end="\n" if done == total else "", flush=True)
        elif total >= LARGE_BYTES and done == total:
            print(text, flush=True)
        return True


if __name__ == "__main__":
    sys.exit(main())
