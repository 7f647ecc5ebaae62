"""The pictures of a batch: those of a folder, or of a ZIP file, which is never unpacked to disk."""

import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from inkserve.batch.kinds import START_BYTES, UNKNOWN, has_picture_suffix, is_picture, why_left_out
from inkserve.client.pictures import MAX_BYTES, AnyPicture
from inkserve.command import CommandError

# ZIP files are read as handwriting.zips reads them on the server; a test compares the two
SAFE_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # Python unpacks the others without a limit
# Raised by Python for damaged ZIP files; IndexError for an encrypted file without a name
BAD_ZIP = (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error, IndexError)


class SourceError(CommandError):
    """A source has no pictures; the message says why."""


class Entry(NamedTuple):
    """A picture with its name: the path inside the folder or ZIP file, with slashes."""

    name: str
    picture: AnyPicture


class Exclusion(NamedTuple):
    """A file that is left out, and why."""

    name: str
    reason: str


class Source(NamedTuple):
    """The pictures of a folder or ZIP file, and all its other files; both sorted by name."""

    entries: list[Entry]
    excluded: list[Exclusion]


class Member:
    """A picture in a ZIP file, which is unpacked into memory when it is needed."""

    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, lock: Lock) -> None:
        self.archive = archive
        self.info = info
        self.lock = lock  # one for all members of the file: opening them is not thread-safe

    def __str__(self) -> str:
        return self.info.filename

    def read_start(self) -> bytes:
        """Unpack the first bytes.

        Raises:
            As `read_bytes`.
        """
        if self.info.compress_type not in SAFE_METHODS:
            raise ValueError(f"its packing method is {self.info.compress_type}")
        with self.lock, self.archive.open(self.info) as file:
            return file.read(START_BYTES)

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

    A picture is a file that begins like one, or is called one. All others are listed with why they are left out.

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


def choose(files: Sequence[tuple[str, AnyPicture]]) -> Source:
    """Tell pictures from other files by their first bytes and names, and sort both."""
    entries, excluded = [], []
    for name, picture in sorted(files, key=lambda each: each[0]):
        reason = why_left_out(name)
        if not reason and not has_picture_suffix(name) and not begins_like_a_picture(picture):
            reason = UNKNOWN
        if reason:
            excluded.append(Exclusion(name, reason))
        else:
            entries.append(Entry(name, picture))
    return Source(entries, excluded)


def begins_like_a_picture(picture: AnyPicture) -> bool:
    """Look at a file's first bytes. One that cannot be read counts as a picture, as its result says why."""
    try:
        if isinstance(picture, bytes):
            return is_picture(picture[:START_BYTES])
        if isinstance(picture, Member):
            return is_picture(picture.read_start())
        if isinstance(picture, Path):
            with picture.open("rb") as file:
                return is_picture(file.read(START_BYTES))
    except (OSError, RuntimeError, zlib.error, *BAD_ZIP):
        pass
    return True


def _choose(path: Path, files: Sequence[tuple[str, AnyPicture]]) -> Source:
    source = choose(files)
    if not source.entries:
        raise SourceError(f"{path} holds no picture: none of its {len(source.excluded):,} files begins like one")
    return source
