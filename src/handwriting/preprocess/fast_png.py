"""A quick way in for the commonest picture under load: a finished frame as a plain PNG file."""

import struct
import zlib

import cv2
import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
SIDE_PX = 28
HEADER = struct.pack(">IIBBBBB", SIDE_PX, SIDE_PX, 8, 0, 0, 0, 0)  # 8 bits of grey, not interlaced
FIRST = SIGNATURE + struct.pack(">I4s", len(HEADER), b"IHDR") + HEADER
MAX_BYTES = 2**16  # of a file; a frame has at most 900, and many small chunks take long
UNPACKED_BYTES = SIDE_PX * (1 + SIDE_PX)  # each row begins with the number of its filter
PLAIN = {b"IHDR", b"IDAT", b"IEND"}  # other chunks may change what the pixels mean


def read_finished_png(content: bytes) -> np.ndarray | None:
    """Decode a 28 x 28 PNG of 8-bit grey without any extras, in a fifth of the time that the general way takes.

    Checksums and lengths are checked as strictly as there; OpenCV alone would read damaged files.

    Returns:
        (28, 28) uint8, or None for any other file, damaged ones among them: the general way says what is wrong.

    Source: ISO/IEC 15948:2004, "Portable Network Graphics (PNG): Functional specification", 5.
    """
    if not content.startswith(FIRST) or len(content) > MAX_BYTES:
        return None
    try:
        unpacker = zlib.decompressobj()
        rows = unpacker.decompress(image_data(content), UNPACKED_BYTES + 1)
    except (ValueError, struct.error, zlib.error):
        return None
    if len(rows) != UNPACKED_BYTES or not unpacker.eof:
        return None
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)


def image_data(content: bytes) -> bytes:
    """Return the packed pixels of a PNG file.

    Raises:
        ValueError: it is damaged, or has chunks that are not PLAIN.
        struct.error: it ends too soon.
    """
    data, position, kind = b"", len(SIGNATURE), b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", content, position)
        end = position + 12 + length
        (checksum,) = struct.unpack_from(">I", content, end - 4)
        if kind not in PLAIN or zlib.crc32(content[position + 4 : end - 4]) != checksum:
            raise ValueError(f"not a plain, whole {kind!r}")
        if kind == b"IDAT":
            data += content[position + 8 : end - 4]
        position = end
    return data
