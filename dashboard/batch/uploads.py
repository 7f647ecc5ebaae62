"""From uploaded files to the pictures of a batch: pictures, and ZIP files of them, within limits."""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass

from handwriting.preprocess import MAX_BYTES
from handwriting.zips import BAD_ZIP
from inkserve.batch.sources import SUFFIXES, Entry, choose, list_members

MAX_PICTURES = 10_000  # of a batch
MAX_MIB = 200  # of its pictures together, unpacked; .streamlit/config.toml lets no larger file in
MAX_FILES = 50_000  # that a ZIP file may list: each costs memory before any of them is looked at
LISTED = b"PK\x01\x02"  # how each of them begins in its directory
ZIP = ".zip"
TYPES = (*SUFFIXES, ZIP)
LIMITS = (
    f"At most {MAX_PICTURES:,} pictures and {MAX_MIB} MB unpacked, {MAX_BYTES // 2**20} MiB each. Other files are left "
    "out, and so are ZIP files inside ZIP files. Many pictures arrive fastest as one ZIP file."
)


class Refused(Exception):  # noqa: N818 - says what happened
    """A file adds nothing to the batch; the message says why."""


@dataclass(frozen=True)
class Upload:
    """What was uploaded.

    Attributes:
        entries: the pictures with their names, in the order of the files, and of the names in a ZIP file.
        others: how many files were left out that are no pictures.
        refusals: why files were refused as a whole.
    """

    entries: Sequence[Entry]
    others: int
    refusals: Sequence[str]


def collect(files: Sequence[tuple[str, bytes]]) -> Upload:
    """Find the pictures in files. Nothing is unpacked here: a ZIP file's pictures are when their turn comes.

    Args:
        files: names, with folders where a folder was chosen, and contents.
    """
    entries: list[Entry] = []
    refusals: list[str] = []
    others, size, too_many = 0, 0, 0
    for name, content in files:
        try:
            found = _pictures(name, content, prefixed=len(files) > 1)
            bytes_more = _check(name, found.entries, MAX_PICTURES - len(entries), MAX_MIB * 2**20 - size)
        except Refused as err:
            if name.lower().endswith(ZIP):
                refusals.append(str(err))
            else:
                too_many += 1  # one line for them all
            continue
        entries += found.entries
        others += found.others
        size += bytes_more
    if too_many:
        limit = f"at most {MAX_PICTURES:,} pictures and {MAX_MIB} MB in all"
        refusals.append(f"{too_many:,} pictures over the limit were left out: {limit}")
    return Upload(entries, others, refusals)


@dataclass(frozen=True)
class _Found:
    entries: Sequence[Entry]
    others: int


def _pictures(name: str, content: bytes, prefixed: bool) -> _Found:
    if not name.lower().endswith(ZIP):
        return _Found(*choose([(name, content)]))
    listed = content.count(LISTED)
    if listed > MAX_FILES:
        raise Refused(f"{name} lists {listed:,} files; at most {MAX_FILES:,}")
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except (OSError, *BAD_ZIP) as err:
        raise Refused(f"{name} is not a ZIP file: {err}") from err
    source = choose(list_members(archive))
    if not source.entries:
        raise Refused(f"{name} holds no picture: no file that ends in {', '.join(SUFFIXES)}")
    if prefixed:
        return _Found([Entry(f"{name}/{each.name}", each.picture) for each in source.entries], source.others)
    return _Found(source.entries, source.others)


def _check(name: str, entries: Sequence[Entry], pictures_left: int, bytes_left: int) -> int:
    """Return the size of pictures that are within what is left of the limits.

    A ZIP file says how large its files are. One that lies gets no further: no more than it says is ever unpacked, and
    then its checksum is wrong.

    Raises:
        Refused: they are too many or too large.
    """
    if len(entries) > pictures_left:
        left = "" if pictures_left == MAX_PICTURES else f", of which {pictures_left:,} are left"
        raise Refused(f"{name} holds {len(entries):,} pictures; at most {MAX_PICTURES:,}{left}")
    size = sum(_size(each) for each in entries)
    if size > bytes_left:
        raise Refused(f"{name} unpacks to {size / 2**20:,.0f} MB; at most {MAX_MIB} MB in all")
    return size


def _size(entry: Entry) -> int:
    return len(entry.picture) if isinstance(entry.picture, bytes) else entry.picture.info.file_size
