"""Where the pixels of a JPEG begin.

Source: ITU-T T.81 (JPEG), B.1.
"""

import re

SCAN, END = b"\xff\xda", b"\xff\xd9"
MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # in a JPEG's pixel data, 0 follows each 255


def first_scan(content: bytes) -> int:
    """Return where the first scan begins, after all metadata, which may hold a JPEG of its own; -1 without one."""
    position = 2
    while (found := MARKER.search(content, position)) is not None and found[0] != END:
        if found[0] == SCAN:
            return found.start()
        length = int.from_bytes(content[found.start() + 2 : found.start() + 4])
        position = found.start() + 2 + max(length, 2)
    return -1


def is_cut(content: bytes) -> bool:
    """Tell whether a file is a JPEG whose end is missing."""
    if not content.startswith(b"\xff\xd8"):
        return False
    start = first_scan(content)
    return start >= 0 and content.find(END, start) < 0
