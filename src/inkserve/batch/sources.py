"""The pictures of a batch: those of a folder, or of a ZIP file, which is never unpacked to disk."""

import struct
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import NamedTuple

from inkserve.client.pictures import MAX_BYTES, AnyPicture
from inkserve.command import CommandError

# ZIP files are read as handwriting.zips reads them on the server; a test compares the two
SAFE_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # Python unpacks the others without a limit
# Raised by Python for damaged ZIP files; IndexError for an encrypted file without a name
BAD_ZIP = (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error, IndexError)
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")


class SourceError(CommandError):
    """A source has no pictures; the message says why."""


class Entry(NamedTuple):
    """A picture with its name: the path inside the folder or ZIP file, with slashes."""

    name: str
    picture: AnyPicture


class Source(NamedTuple):
    """The pictures of a folder or ZIP file, sorted by name, and the number of other files."""

    entries: list[Entry]
    others: int


class Member:
    """A picture in a ZIP file, which is unpacked into memory when it is needed."""

    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, lock: Lock) -> None:
        self.archive = archive
        self.info = info
        self.lock = lock  # one for all members of the file: opening them is not thread-safe

    def __str__(self) -> str:
        return self.info.filename

    def read_bytes(self) -> bytes:
        """Unpack the picture, up to its declared size.

        Raises:
            ValueError: over MAX_BYTES, or packed by a method that Python cannot stop at a limit.
            zipfile.BadZipFile: damaged.
            RuntimeError: encrypted.
        """
        if self.info.compress_type not in SAFE_METHODS:
            raise ValueError(f"its packing method is {self.info.compress_type}; wanted stored (0) or deflated (8)")
        if self.info.file_size > MAX_BYTES:
            raise ValueError(f"it has {self.info.file_size:,} bytes unpacked; at most {MAX_BYTES:,}")
        with self.lock, self.archive.open(self.info) as file:
            return file.read(self.info.file_size + 1)  # one byte more, so that a false size is an error


@contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """List the pictures of a folder, with those of folders inside it, or of a ZIP file, which stays open meanwhile.

    A picture is a file with one of SUFFIXES. Hidden files and folders, and macOS's `__MACOSX`, are skipped.

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
    # Python's `is_dir` fails for an empty name
    return [(info.filename, Member(archive, info, lock)) for info in archive.infolist() if info.filename[-1:] != "/"]


def is_hidden(name: str) -> bool:
    """Tell whether a file lies in a hidden folder or macOS's `__MACOSX`, or is hidden itself."""
    return any(part == "__MACOSX" or (part.startswith(".") and part != "..") for part in PurePosixPath(name).parts)


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
