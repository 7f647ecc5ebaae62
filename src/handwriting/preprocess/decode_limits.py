"""Limits on a file's structure, checked before decoding: a small file can keep a decoder busy for minutes.

The limits are far above what cameras and programs write. A file at a limit takes some tenths of a second to decode.
"""

import re
import struct

from PIL import PngImagePlugin

from handwriting.errors import InvalidImage

MAX_SCANS = 50  # of a JPEG; each may cover all pixels; progressive files have about 10
MAX_SEGMENTS = 2_000  # of a JPEG before its first scan
MAX_CHUNKS = 20_000  # of a PNG; 16 MiB in the usual chunks of 8 KiB are 2,000
MAX_BLOCKS = 100_000  # before a GIF's first frame, of at most 255 bytes each
MAX_STRIPS = 65_536  # strips or tiles of a TIFF
MAX_TAGS = 2_000  # of a page of a TIFF
MAX_TEXT_BYTES = 4 * 2**20  # of a PNG's texts together, unpacked
SCAN = b"\xff\xda"
EXTENSION, FRAME = b"!,"  # start of an extension and of a frame of a GIF
MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # in a JPEG's pixel data, 0 follows each 255
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
        check_parts("GIF", "blocks before its first frame", count_blocks(content), MAX_BLOCKS)
    elif content[:4] in TIFF_HEADS:
        tags, strips = count_tags_and_strips(content)
        check_parts("TIFF", "tags", tags, MAX_TAGS)
        check_parts("TIFF", "strips or tiles", strips, MAX_STRIPS)


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
        if kind == b"\xff\xd9":
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


def count_blocks(content: bytes) -> int:
    """Count the extension blocks before a GIF's first frame; stops one over MAX_BLOCKS."""
    flags = content[10] if len(content) > 10 else 0  # noqa: PLR2004 - offset of the palette's size
    position, count = 13 + (3 << 1 + (flags & 7) if flags & 0x80 else 0), 0
    while position < len(content) and content[position] != FRAME and count <= MAX_BLOCKS:
        if content[position] == EXTENSION:
            position += 2
            while position < len(content) and content[position] and count <= MAX_BLOCKS:
                position += 1 + content[position]
                count += 1
        position += 1
        count += 1
    return count


def count_tags_and_strips(content: bytes) -> tuple[int, int]:
    """Return the number of tags and of strips or tiles on the first page of a TIFF; 0 if unknown."""
    order, big = TIFF_HEADS[content[:4]]
    offset, count, entry = ("Q", "Q", "HHQQ") if big else ("I", "H", "HHII")
    try:
        (start,) = struct.unpack_from(order + offset, content, 8 if big else 4)
        (entries,) = struct.unpack_from(order + count, content, start)
        if entries > MAX_TAGS:
            return entries, 0
        start += struct.calcsize(order + count)
        size = struct.calcsize(order + entry)
        tags = [struct.unpack_from(order + entry, content, start + i * size) for i in range(entries)]
        return entries, max((values for tag, _, values, _ in tags if tag in OFFSETS), default=0)
    except struct.error:
        return 0, 0  # truncated; Pillow reports it
