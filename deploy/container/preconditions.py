"""What a server in a container needs before it starts; a fault is one line that names it, and no half start."""

import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

import yaml

from deploy.checksums import check_all
from deploy.local.served_versions import archives
from deploy.local.settings import Settings, StackError

MEMORY_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
# Less than an idle server really uses, so that a start that is refused could not have served
FRONT_END_MIB = 200
WORKER_MIB = 170
MIB = 2**20


def check(settings: Settings) -> None:
    """Check folders, archives and memory.

    Raises:
        StackError: a folder cannot be written, an archive is missing or refused, or the memory does not suffice.
    """
    for name, folder in (("RUN_DIR", settings.run_dir), ("TMPDIR", Path(tempfile.gettempdir()))):
        check_writable(name, folder)
    _, errors = check_all(settings.model_store)
    if errors:  # `make up` serves the others; but a container that lacks a recogniser must not replace a whole one
        raise StackError(f"{errors[0]}; nothing is served without it")
    check_memory(archives(settings), memory_limit_bytes())


def check_writable(name: str, folder: Path) -> None:
    """Check that files can be made in a folder.

    Raises:
        StackError: they cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as err:
        raise StackError(
            f"{name} is {folder}, which cannot be written ({err.strerror}); wanted a tmpfs or a volume of this user"
        ) from err


def memory_limit_bytes(files: Iterable[Path] = MEMORY_LIMITS) -> int | None:
    """Return the limit of this container's memory; None without one."""
    for path in files:
        try:
            return int(path.read_text())
        except (OSError, ValueError):  # another version of cgroups; "max"
            continue
    return None


def check_memory(archives: Iterable[Path], limit_bytes: int | None) -> None:
    """Check that the memory holds the front end and all workers.

    Raises:
        StackError: it does not.
    """
    workers = sum(map(workers_of, archives))
    needed = (FRONT_END_MIB + WORKER_MIB * workers) * MIB
    if limit_bytes is not None and limit_bytes < needed:
        raise StackError(
            f"the memory limit is {limit_bytes // MIB:,} MiB; wanted at least {needed // MIB:,} MiB for {workers} "
            "workers: raise it, or name fewer recognisers in MODELS"
        )


def workers_of(archive: Path) -> int:
    """Return how many workers an archive starts with."""
    with zipfile.ZipFile(archive) as packed:
        name = next((name for name in packed.namelist() if name.endswith(".yaml")), None)
        return int(yaml.safe_load(packed.read(name)).get("minWorkers", 1)) if name else 1
