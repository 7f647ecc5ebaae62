"""The pictures of a batch: uploaded pictures, and those in uploaded ZIP files, within limits."""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass

from handwriting.preprocess import MAX_BYTES
from inkserve.batch.kinds import HIDDEN, SUFFIXES
from inkserve.batch.sources import BAD_ZIP, Entry, Exclusion, Source, choose, list_members

MAX_PICTURES = 10_000  # of a batch
MAX_MIB = 200  # of its pictures together, unpacked; .streamlit/config.toml has the same limit for a file
MAX_FILES = 50_000  # in the directory of a ZIP file: each costs memory when the file is opened
LISTED = b"PK\x01\x02"  # begins each entry of the directory
ZIP = ".zip"
TYPES = (*SUFFIXES, ZIP)
MOST_FILES = 300  # that a browser uploads for certain, one request each; of 2,000, hundreds failed
LIMITS = (
    f"In ZIP files at most {MAX_PICTURES:,} pictures, as separate files about {MOST_FILES}; {MAX_MIB} MB unpacked, "
    f"{MAX_BYTES // 2**20} MiB each. Other files, and ZIP files inside ZIP files, are left out."
)


class RefusedFileError(Exception):
    """A file is refused as a whole; the message says why."""


@dataclass(frozen=True)
class Upload:
    """What was uploaded.

    Attributes:
        entries: the pictures with their names, in the order of the files, and of the names in a ZIP file.
        left_out: files that are not pictures, without hidden ones.
        refusals: why files were refused as a whole.
    """

    entries: Sequence[Entry]
    left_out: Sequence[Exclusion]
    refusals: Sequence[str]


def collect(files: Sequence[tuple[str, bytes]]) -> Upload:
    """Find the pictures in files. ZIP files are not unpacked here, but picture by picture as they are read.

    Args:
        files: names, with folders where a folder was chosen, and contents.
    """
    entries: list[Entry] = []
    refusals: list[str] = []
    left_out: list[Exclusion] = []
    size, too_many = 0, 0
    for name, content in files:
        try:
            found = _pictures(name, content, prefixed=len(files) > 1)
            bytes_more = _check(name, found.entries, MAX_PICTURES - len(entries), MAX_MIB * 2**20 - size)
        except RefusedFileError as err:
            if name.lower().endswith(ZIP):
                refusals.append(str(err))
            else:
                too_many += 1  # one message for all
            continue
        entries += found.entries
        left_out += [each for each in found.excluded if each.reason != HIDDEN]
        size += bytes_more
    if too_many:
        limit = f"at most {MAX_PICTURES:,} pictures and {MAX_MIB} MB in all"
        refusals.append(f"{too_many:,} pictures over the limit were skipped: {limit}")
    return Upload(entries, left_out, refusals)


def _pictures(name: str, content: bytes, prefixed: bool) -> Source:
    if not name.lower().endswith(ZIP):
        return choose([(name, content)])
    listed = content.count(LISTED)
    if listed > MAX_FILES:
        raise RefusedFileError(f"{name} lists {listed:,} files; at most {MAX_FILES:,}")
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except (OSError, *BAD_ZIP) as err:
        raise RefusedFileError(f"{name} is not a ZIP file: {err}") from err
    source = choose(list_members(archive))
    if not source.entries:
        raise RefusedFileError(f"{name} holds no picture: none of its files begins like one")
    if prefixed:
        return Source(
            [Entry(f"{name}/{each.name}", each.picture) for each in source.entries],
            [Exclusion(f"{name}/{each.name}", each.reason) for each in source.excluded],
        )
    return source


def _check(name: str, entries: Sequence[Entry], pictures_left: int, bytes_left: int) -> int:
    """Return the size of pictures in bytes, if they are within the rest of the limits.

    The sizes are those in the directory of a ZIP file. No more than that is ever unpacked, so a false size leads to a
    false checksum.

    Raises:
        RefusedFileError: there are too many, or they are too large.
    """
    if len(entries) > pictures_left:
        left = "" if pictures_left == MAX_PICTURES else f", of which {pictures_left:,} are left"
        raise RefusedFileError(f"{name} holds {len(entries):,} pictures; at most {MAX_PICTURES:,}{left}")
    pictures = (each.picture for each in entries)
    size = sum(len(each) if isinstance(each, bytes) else each.info.file_size for each in pictures)
    if size > bytes_left:
        raise RefusedFileError(f"{name} unpacks to {size / 2**20:,.0f} MB; at most {MAX_MIB} MB in all")
    return size
