"""Which archives may be loaded: those whose sha256 stands beside them, and that hold code, weights and text alone.

`python -m deploy.archive` writes `digits-1.0.mar.sha256` beside `digits-1.0.mar`, in the form of the tool sha256sum. An
archive from elsewhere is code from elsewhere: who has read it and wants it loaded vouches for it with that tool.
"""

import hashlib
import json
import shutil
import zipfile
from pathlib import Path, PurePosixPath

from inkserve.versions import ARCHIVE

SUM = ".sha256"
MANIFEST = "MAR-INF/MANIFEST.json"
ENDINGS = {".py", ".json", ".yaml", ".safetensors", ".txt"}  # none of them is unpickled by whoever reads it


class ArchiveError(Exception):
    """An archive cannot be made, or must not be loaded."""


def vouch(archive: Path, contents: Path | None = None) -> None:
    """Write the sha256 of an archive beside it.

    Args:
        archive: whose name the sum gets.
        contents: the file to sum up, where the archive itself is not in its place yet.
    """
    partial = sum_of(archive).with_name(f"{archive.name}{SUM}.partial")
    partial.write_text(f"{_sha256(contents or archive)}  {archive.name}\n")
    partial.replace(sum_of(archive))


def sum_of(archive: Path) -> Path:
    """Return where the sha256 of an archive stands."""
    return archive.with_name(archive.name + SUM)


def copy_archive(archive: Path, folder: Path) -> Path:
    """Copy an archive with its sha256 into another model store, and return the copy's path."""
    shutil.copy(sum_of(archive), folder)
    return Path(shutil.copy(archive, folder))


def check(archive: Path) -> tuple[str, str]:
    """Return recogniser and version of an archive that may be loaded.

    Raises:
        ArchiveError: it is a link, has no sha256 beside it or another one, is broken, or holds what no archive of ours
            holds; the message names the file and what to do.
    """
    if archive.is_symlink() or not archive.is_file():
        raise ArchiveError(f"{archive} is no file of its own; wanted an archive, and no link to one")
    _check_sum(archive)
    try:
        with zipfile.ZipFile(archive) as packed:
            _check_names(archive, packed.namelist())
            model = json.loads(packed.read(MANIFEST))["model"]
            return str(model["modelName"]), str(model["modelVersion"])
    except (zipfile.BadZipFile, OSError, KeyError, TypeError, ValueError) as err:
        raise ArchiveError(f"{archive} is no archive of a model: {err}") from err


def checked(model_store: Path) -> tuple[dict[Path, tuple[str, str]], list[ArchiveError]]:
    """Return the archives of a model store that may be loaded, with recogniser and version, and why others may not."""
    good, errors = {}, []
    for path in sorted(model_store.glob(f"*{ARCHIVE}")):
        try:
            good[path] = check(path)
        except ArchiveError as err:
            errors.append(err)
    return good, errors


def _check_sum(archive: Path) -> None:
    try:
        wanted = sum_of(archive).read_text().split()[0]
    except (OSError, ValueError, IndexError) as err:
        raise ArchiveError(
            f"{archive} has no sha256 beside it: `make archive` packs our own; for another, once you trust its code: "
            f"cd {archive.parent} && sha256sum {archive.name} > {archive.name}{SUM}"
        ) from err
    found = _sha256(archive)
    if found != wanted:
        raise ArchiveError(
            f"{archive} has been changed or damaged: its sha256 is {found}; wanted {wanted}, as {archive.name}{SUM} "
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
