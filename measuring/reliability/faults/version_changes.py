"""Versions that are loaded and unloaded under load."""

import time
from collections.abc import Sequence
from pathlib import Path

from deploy.checksums import checksum_of
from inkserve.management import ManagementError
from measuring.common.altered_archives import BROKEN, alter_archive
from measuring.common.criteria import Criterion
from measuring.reliability.faults.faulty_server import DIGITS, MODEL, FaultyServer, no_failure

OLD, NEW = "1.0", "1.1"


def broken_version(server: FaultyServer, seconds: float) -> Sequence[Criterion]:
    """Load a version whose handler cannot be imported."""
    archive = alter_archive(DIGITS, server.stack.settings.model_store, MODEL, NEW, BROKEN)
    message = ""
    with server.load() as load:
        load.wait_for_answers(20)
        try:
            server.management.load(archive.name)
        except ManagementError as err:
            message = str(err)
        time.sleep(seconds / 2)
        load.wait_for_answers(20)
    remove(archive)
    found = [each.name for each in server.versions()]
    return [
        Criterion("broken version: refused with a reason", f"names {MODEL}", message, MODEL in message),
        no_failure("broken version: the loaded one is not affected", load),
        only_version("broken version: it is unloaded again", OLD, found),
    ]


def updated(server: FaultyServer, seconds: float) -> Sequence[Criterion]:
    """Load version 1.1 under load, make it the default, unload 1.0, and go back in the same way."""
    archive = alter_archive(DIGITS, server.stack.settings.model_store, MODEL, NEW)
    manage = server.management
    found: Sequence[str] = []
    with server.load() as load:
        load.wait_for_answers(20)
        for name, new, old in ((archive.name, NEW, OLD), (DIGITS.name, OLD, NEW)):
            manage.load(name)
            manage.set_default(MODEL, new)
            time.sleep(seconds / 2)
            manage.unload(MODEL, old)
            load.wait_for_answers(20)
            found = found or [each.name for each in server.versions()]
    remove(archive)
    return [
        no_failure("update: no request fails", load),
        only_version("update: only the new version is left", NEW, found),
    ]


def only_version(what: str, version: str, found: Sequence[str]) -> Criterion:
    """Demand that one version of `digits` is loaded."""
    return Criterion(what, f"{MODEL} {version}", ", ".join(found), list(found) == [f"{MODEL} {version}"])


def remove(archive: Path) -> None:
    """Delete an archive and its checksum."""
    archive.unlink()
    checksum_of(archive).unlink()
