"""Where a batch's pictures come from: a folder, or a ZIP file that is never unpacked to disk."""

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from handwriting.zips import BAD_ZIP, is_folder, is_hidden, read_member
from inkserve.client.pictures import AnyPicture

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")


class SourceError(Exception):
    """There is nothing to read; the message says why."""


class Entry(NamedTuple):
    """A picture with its name: the path inside the folder or ZIP file, with slashes."""

    name: str
    picture: AnyPicture


class Source(NamedTuple):
    """The pictures of a folder or ZIP file, sorted by name, and how many other files it has."""

    entries: list[Entry]
    others: int


class Member:
    """A picture in a ZIP file, read into memory when it is asked for."""

    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, lock: Lock) -> None:
        self.archive = archive
        self.info = info
        self.lock = lock  # one for all members: opening them is not thread-safe

    def __str__(self) -> str:
        return self.info.filename

    def read_bytes(self) -> bytes:
        """Unpack the picture; see `read_member` for limits and errors."""
        with self.lock:
            return read_member(self.archive, self.info)


@contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """List the pictures of a folder, with those of folders inside it, or of a ZIP file, which stays open meanwhile.

    A picture is a file with one of SUFFIXES. Hidden files and folders, and the Mac's `__MACOSX`, count for nothing.

    Raises:
        SourceError: there is no such folder or ZIP file, or no picture in it.
    """
    if path.is_dir():
        yield _choose(path, [(each.relative_to(path).as_posix(), each) for each in path.rglob("*") if each.is_file()])
        return
    if not path.exists():
        raise SourceError(f"{path}: no such folder or ZIP file")
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, *BAD_ZIP) as err:
        raise SourceError(f"{path} is neither a folder nor a ZIP file: {err}") from err
    with archive:
        yield _choose(path, list_members(archive))


def list_members(archive: zipfile.ZipFile) -> list[tuple[str, Member]]:
    """Name the files of an open ZIP file, in the order of its directory."""
    lock = Lock()
    return [(info.filename, Member(archive, info, lock)) for info in archive.infolist() if not is_folder(info)]


def choose(files: Sequence[tuple[str, AnyPicture]]) -> Source:
    """Tell pictures from other files by their names, and sort them."""
    visible = [Entry(*file) for file in files if not is_hidden(file[0])]
    entries = sorted((each for each in visible if each.name.lower().endswith(SUFFIXES)), key=lambda each: each.name)
    return Source(entries, len(visible) - len(entries))


def _choose(path: Path, files: Sequence[tuple[str, AnyPicture]]) -> Source:
    source = choose(files)
    if not source.entries:
        raise SourceError(f"{path} holds no picture: no file that ends in {', '.join(SUFFIXES)}")
    return source
