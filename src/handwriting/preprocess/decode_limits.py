"""Limits on a file's structure, checked before decoding: a small file can keep a decoder busy for minutes.

The limits are far above what cameras and programs write. A file at a limit takes some tenths of a second to decode.
"""

import contextlib
import struct
from typing import NamedTuple

from PIL import PngImagePlugin

from handwriting.errors import InvalidImage
from handwriting.jpeg import END, MARKER, SCAN

MAX_SCANS = 50  # of a JPEG; each may cover all pixels; progressive files have about 10
MAX_SEGMENTS = 2_000  # of a JPEG before its first scan
MAX_CHUNKS = 20_000  # of a PNG; 16 MiB in the usual chunks of 8 KiB are 2,000
MAX_BLOCKS = 100_000  # before a GIF's first frame, of at most 255 bytes each
MAX_STRIPS = 65_536  # strips or tiles of a TIFF
MAX_TAGS = 2_000  # of a page of a TIFF
MAX_TEXT_BYTES = 4 * 2**20  # of a PNG's texts together, unpacked
EXTENSION, FRAME = b"!,"  # start of an extension and of a frame of a GIF
MAX_PAGES = 50  # of a file that are read; further ones are not looked at
SUBFILE_TYPE, EXTRA = 254, 1 | 4  # TIFF tag, and its bits for a smaller copy and for a mask of another page
OFFSETS = {273, 324}  # TIFF tags with the offsets of strips and tiles
PngImagePlugin.MAX_TEXT_MEMORY = MAX_TEXT_BYTES  # Pillow's default is 64 MiB
TIFF_HEADS = {b"II*\x00": ("<", False), b"MM\x00*": (">", False), b"II+\x00": ("<", True), b"MM\x00+": (">", True)}


def check_decode_limits(content: bytes) -> None:
    """Check the number of parts in a picture file.

    Raises:
        InvalidImage: it is over a limit.
    """
    if content.startswith(b"\xff\xd8"):
        check_jpeg(content)
    elif content.startswith(b"\x89PNG"):
        check_parts("PNG", "chunks", count_chunks(content), MAX_CHUNKS)
    elif content.startswith(b"GIF8"):
        check_parts("GIF", "blocks before its first frame", count_blocks(content)[0], MAX_BLOCKS)
    elif content[:4] in TIFF_HEADS:
        for page in tiff_pages(content):
            check_parts("TIFF", "tags on a page", page.tags, MAX_TAGS)
            check_parts("TIFF", "strips or tiles on a page", page.strips, MAX_STRIPS)


def check_parts(kind: str, parts: str, count: int, limit: int) -> None:
    """Check a number of parts.

    Raises:
        InvalidImage: it is over the limit.
    """
    if count > limit:
        raise InvalidImage(f"the {kind} has over {limit:,} {parts}; wanted fewer")


def check_jpeg(content: bytes) -> None:
    """Check the number of segments of a JPEG, and of scans if their marker is frequent.

    Raises:
        InvalidImage: a number is over its limit.
    """
    may_have_many = content.count(SCAN) > MAX_SCANS
    position, segments, scans = 2, 0, 0
    while (found := MARKER.search(content, position)) is not None:
        start, kind = found.start(), found[0]
        if kind == END:
            return  # end of the picture; a preview or a video may follow
        if kind == SCAN:
            scans += 1
            if not may_have_many:
                return
        segments += scans == 0
        check_parts("JPEG", "segments", segments, MAX_SEGMENTS)
        check_parts("JPEG", "scans", scans, MAX_SCANS)
        length = int.from_bytes(content[start + 2 : start + 4])
        position = start + 2 + max(length, 2)


def count_chunks(content: bytes) -> int:
    """Count a PNG's chunks; stops one over MAX_CHUNKS."""
    position, count = 8, 0
    while position + 8 <= len(content) and count <= MAX_CHUNKS:
        if content[position + 4 : position + 8] == b"IEND":
            break  # decoders ignore what follows
        position += 12 + int.from_bytes(content[position : position + 4])
        count += 1
    return count


def count_blocks(content: bytes, most_frames: int = 1) -> tuple[int, int]:
    """Count a GIF's blocks and frames.

    Args:
        content: of the file.
        most_frames: the count ends where the next frame begins.

    Returns:
        blocks before that, at most a little over MAX_BLOCKS; frames, at most most_frames.
    """
    flags = content[10] if len(content) > 10 else 0  # noqa: PLR2004 - offset of the palette's size
    position, count, frames = 13 + palette_bytes(flags), 0, 0
    while position < len(content) and count <= MAX_BLOCKS:
        kind = content[position]
        if kind == FRAME:
            frames += 1
            if frames == most_frames:
                break
            flags = content[position + 9] if position + 9 < len(content) else 0
            position += 11 + palette_bytes(flags)
        elif kind == EXTENSION:
            position += 2
        else:
            position, count = position + 1, count + 1
            continue
        while position < len(content) and content[position] and count <= MAX_BLOCKS:
            position += 1 + content[position]
            count += 1
        position, count = position + 1, count + 1
    return count, frames


def palette_bytes(flags: int) -> int:
    """Return the length of a GIF's palette."""
    return 3 << 1 + (flags & 7) if flags & 0x80 else 0


class TiffPage(NamedTuple):
    """A page of a TIFF: its numbers of tags and of strips or tiles, and whether it is a copy or mask of another."""

    tags: int
    strips: int
    is_extra: bool


def tiff_pages(content: bytes) -> list[TiffPage]:
    """List the first pages of a TIFF, one more than MAX_PAGES at most; ends early where it is damaged."""
    order, big = TIFF_HEADS[content[:4]]
    offset, count, entry = ("Q", "Q", "HHQQ") if big else ("I", "H", "HHII")
    size = struct.calcsize(order + entry)
    pages: list[TiffPage] = []
    with contextlib.suppress(struct.error):  # truncated; Pillow reports it
        (start,) = struct.unpack_from(order + offset, content, 8 if big else 4)
        while start and len(pages) <= MAX_PAGES:
            (entries,) = struct.unpack_from(order + count, content, start)
            if entries > MAX_TAGS:
                return [*pages, TiffPage(entries, 0, False)]
            start += struct.calcsize(order + count)
            tags = [struct.unpack_from(order + entry, content, start + i * size) for i in range(entries)]
            strips = max((values for tag, _, values, _ in tags if tag in OFFSETS), default=0)
            extra = any(tag == SUBFILE_TYPE and value & EXTRA for tag, _, _, value in tags)
            pages.append(TiffPage(entries, strips, extra))
            (start,) = struct.unpack_from(order + offset, content, start + entries * size)
    return pages
