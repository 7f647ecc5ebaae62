"""Checks archives before they are loaded: the sha256 in the file beside them, and that they hold no pickles.

`python -m deploy.archive` writes `digits-1.0.mar.sha256` beside `digits-1.0.mar`, in the format of sha256sum. An
archive from elsewhere is code from elsewhere: it is refused until somebody who trusts it writes its checksum with
that tool.
"""

import hashlib
import json
import shutil
import zipfile
from pathlib import Path, PurePosixPath

from inkserve.command import CommandError
from inkserve.files import atomic_write
from inkserve.versions import ARCHIVE

SUFFIX = ".sha256"
MANIFEST = "MAR-INF/MANIFEST.json"
ENDINGS = {".py", ".json", ".yaml", ".safetensors", ".onnx", ".txt"}  # none of these is unpickled


class ArchiveError(CommandError):
    """An archive cannot be made, or must not be loaded."""


def write_checksum(archive: Path, contents: Path | None = None) -> None:
    """Write the sha256 of an archive beside it.

    Args:
        archive: that the checksum is for.
        contents: the file to read, if it is not yet in the archive's place.
    """
    with atomic_write(checksum_of(archive)) as partial:
        partial.write_text(f"{_sha256(contents or archive)}  {archive.name}\n")


def checksum_of(archive: Path) -> Path:
    """Return the path of an archive's checksum file."""
    return archive.with_name(archive.name + SUFFIX)


def copy_archive(archive: Path, folder: Path) -> Path:
    """Copy an archive and its checksum into another model store, and return the path of the copy."""
    shutil.copy(checksum_of(archive), folder)
    return Path(shutil.copy(archive, folder))


def check(archive: Path) -> tuple[str, str]:
    """Check an archive and return its recogniser and version.

    Raises:
        ArchiveError: it is a link, damaged, without a checksum or with another one, or it holds a kind of file that our
            archives do not; the message names the file and what to do.
    """
    if archive.is_symlink() or not archive.is_file():
        raise ArchiveError(f"{archive} is no file of its own; wanted an archive, and no link to one")
    _check_checksum(archive)
    try:
        with zipfile.ZipFile(archive) as packed:
            _check_names(archive, packed.namelist())
            model = json.loads(packed.read(MANIFEST))["model"]
            return str(model["modelName"]), str(model["modelVersion"])
    except (zipfile.BadZipFile, OSError, KeyError, TypeError, ValueError) as err:
        raise ArchiveError(f"{archive} is no archive of a model: {err}") from err


def check_all(model_store: Path) -> tuple[dict[Path, tuple[str, str]], list[ArchiveError]]:
    """Return the valid archives of a model store with recogniser and version, and the errors of the others."""
    good, errors = {}, []
    for path in sorted(model_store.glob(f"*{ARCHIVE}")):
        try:
            good[path] = check(path)
        except ArchiveError as err:
            errors.append(err)
    return good, errors


def _check_checksum(archive: Path) -> None:
    try:
        wanted = checksum_of(archive).read_text().split()[0]
    except (OSError, ValueError, IndexError) as err:
        raise ArchiveError(
            f"{archive} has no sha256 beside it: `make archive` packs our own; for another, once you trust its code: "
            f"cd {archive.parent} && sha256sum {archive.name} > {archive.name}{SUFFIX}"
        ) from err
    found = _sha256(archive)
    if found != wanted:
        raise ArchiveError(
            f"{archive} has been changed or damaged: its sha256 is {found}; wanted {wanted}, as {archive.name}{SUFFIX} "
            "says: delete it, and `make archive` packs it again"
        )


def _check_names(archive: Path, names: list[str]) -> None:
    for name in names:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name:
            raise ArchiveError(f"{archive} holds {name!r}, which would be unpacked outside of its folder")
        if not name.endswith("/") and path.suffix not in ENDINGS:
            raise ArchiveError(f"{archive} holds {name!r}; wanted {', '.join(sorted(ENDINGS))} alone, and no pickles")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
