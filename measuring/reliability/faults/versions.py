"""Versions that come and go."""

import time
from collections.abc import Sequence
from pathlib import Path

from deploy.checksums import sum_of
from deploy.local.stack import Stack
from inkserve.management import ManagementError
from measuring.reliability.doctored import BROKEN, doctor
from measuring.reliability.faults.common import ALL_RIGHT, DIGITS, MODEL, asking, management, told
from measuring.reliability.outcome import Row


def broken_version(stack: Stack, seconds: float) -> Sequence[Row]:
    """Load a version that cannot be loaded."""
    archive = doctor(DIGITS, stack.settings.model_store, MODEL, "1.1", BROKEN)
    message = ""
    with asking(stack) as load:
        load.wait_for_answers(20)
        try:
            management(stack).load(archive.name)
        except ManagementError as err:
            message = str(err)
        time.sleep(seconds / 2)
        load.wait_for_answers(20)
    remove(archive)
    there = [each.name for each in management(stack).versions() if each.model == MODEL]
    return [
        Row("broken version: refused with a reason", f"names {MODEL}", message, MODEL in message),
        Row("broken version: the old one goes on", ALL_RIGHT, told(load), not load.failed()),
        Row("broken version: is not left behind", f"{MODEL} 1.0", ", ".join(there), there == [f"{MODEL} 1.0"]),
    ]


def updated(stack: Stack, seconds: float) -> Sequence[Row]:
    """Load version 1.1 under load, make it the default, and unload 1.0; afterwards the other way round."""
    archive = doctor(DIGITS, stack.settings.model_store, MODEL, "1.1")
    manage, old, new = management(stack), "1.0", "1.1"
    with asking(stack) as load:
        load.wait_for_answers(20)
        manage.load(archive.name)
        manage.set_default(MODEL, new)
        time.sleep(seconds / 2)
        manage.unload(MODEL, old)
        load.wait_for_answers(20)
        there = [each.name for each in manage.versions() if each.model == MODEL]
        manage.load(DIGITS.name)
        manage.set_default(MODEL, old)
        time.sleep(seconds / 2)
        manage.unload(MODEL, new)
        load.wait_for_answers(20)
    remove(archive)
    return [
        Row("update: no request fails", ALL_RIGHT, told(load), not load.failed()),
        Row("update: the new version alone is left", f"{MODEL} {new}", ", ".join(there), there == [f"{MODEL} {new}"]),
    ]


def remove(archive: Path) -> None:
    """Delete an archive with its sum."""
    archive.unlink()
    sum_of(archive).unlink()
