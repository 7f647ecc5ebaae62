"""Taking a taught version into service beside the old one, making it the default, and going back."""

import zipfile
import zlib
from enum import StrEnum
from pathlib import Path

from dashboard.finetune.lessons import Lesson
from dashboard.shared.catalogue import Served
from dashboard.shared.fleet import Fleet
from dashboard.shared.management import Management, ManagementError, ModelApiOffError
from deploy.archive import pack
from deploy.checksums import ArchiveError, check, sum_of
from inkserve.versions import ARCHIVE


class Stage(StrEnum):
    """How far a taught version has come."""

    MADE = "not loaded"
    BESIDE = "loaded beside the old version"
    DEFAULT = "the default"


def stage_of(lesson: Lesson, fleet: Fleet) -> Stage:
    """Tell how far a version has come, from what the server has."""
    found = next((each for each in fleet if each.name == str(lesson.new)), None)
    if found is None:
        return Stage.MADE
    return Stage.DEFAULT if found.is_default else Stage.BESIDE


def is_loaded(served: Served, fleet: Fleet) -> bool:
    """Tell whether the server has a version."""
    return any(each.name == str(served) for each in fleet)


def load(lesson: Lesson, management: Management, archives: Path) -> None:
    """Pack a version into the model store, and load it beside the old one.

    Raises:
        ManagementError: it cannot be packed, or the server refuses it.
    """
    if stage_of(lesson, management.fleet()) is not Stage.MADE:
        return
    path = archive(lesson, archives)
    try:
        management.load(path.name)
    except ModelApiOffError as err:
        raise ModelApiOffError(f"{path.name} is packed, and `make up` starts the server again with it; {err}") from err


def promote(lesson: Lesson, management: Management) -> None:
    """Make a loaded version the default, also after a restart.

    Raises:
        ManagementError: why it is not.
    """
    management.make_default(lesson.new)


def roll_back(lesson: Lesson, management: Management, archives: Path, delete: bool) -> None:
    """Have the old version answer again, and unload the new one.

    Args:
        lesson: the old version and the new one.
        management: of the server.
        archives: the model store.
        delete: whether the archive goes, too; else it is loaded again at the next start. The weights stay.

    Raises:
        ManagementError: the old version is not loaded, or the server refuses.
    """
    fleet = management.fleet()
    stage = stage_of(lesson, fleet)
    if stage is Stage.DEFAULT:
        if not is_loaded(lesson.old, fleet):
            raise ManagementError(f"{lesson.old} is not loaded: load it first, on Models")
        management.make_default(lesson.old)
    off: ModelApiOffError | None = None
    if stage is not Stage.MADE:
        try:
            management.unload(lesson.new)
        except ModelApiOffError as err:
            off = err
    if delete and _holds(_path(lesson, archives), lesson.weights):
        _path(lesson, archives).unlink()
        sum_of(_path(lesson, archives)).unlink(missing_ok=True)
    if off:
        raise ModelApiOffError(
            f"{lesson.old} answers, but {lesson.new} stays loaded until the next start; {off}"
        ) from off


def archive(lesson: Lesson, archives: Path) -> Path:
    """Return the archive of a version in the model store; it is packed unless it is there.

    Raises:
        ManagementError: it cannot be packed, another of its name is there, or it must not be loaded.
    """
    path = _path(lesson, archives)
    if path.exists() and not _holds(path, lesson.weights):
        raise ManagementError(f"{path.name} is in the model store already, with other weights than {lesson.weights}")
    try:
        if not path.exists():
            pack(lesson.weights, archives)
        check(path)
        return path
    except (ArchiveError, OSError) as err:
        raise ManagementError(f"{lesson.new} cannot be packed or loaded: {err}") from err


def _path(lesson: Lesson, archives: Path) -> Path:
    return archives / f"{lesson.new.model}-{lesson.new.version}{ARCHIVE}"


def _holds(path: Path, weights: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as packed:
            return zlib.crc32(weights.read_bytes()) == packed.getinfo(weights.name).CRC
    except (OSError, KeyError, zipfile.BadZipFile):
        return False
