"""ZIP files and npy files from strangers, with what a server should make of them."""

import io
import os
import pickle
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from measuring.reliability.judge import READ, Wanted, read_as, refused
from measuring.reliability.pictures import LABEL, SEVEN, white_png, zeros
from measuring.reliability.wire import Content

GIB = 2**30
GIB_OF_ZEROS_CRC = 0x5B64C2B0
BAD = refused(400, "InvalidRequest")
TOO_LARGE = refused(413, "ImageTooLarge")
CANARY = Path(tempfile.gettempdir()) / f"inkserve-unpickled-{os.getuid()}"  # there once a server has unpickled
DEFLATED = 8


class File(NamedTuple):
    """A ZIP or npy file, and what a server should make of it."""

    content: Content
    wanted: Wanted


class Member(NamedTuple):
    """A file in a ZIP file, as its headers have it, whether they are right or not."""

    name: bytes
    packed: bytes
    size: int
    crc: int
    method: int = DEFLATED
    flags: int = 0


class Touch:
    """Makes CANARY when it is unpickled."""

    def __reduce__(self) -> tuple:
        """Tell pickle to call `Path.touch`."""
        return (Path.touch, (CANARY,))


def honest(name: bytes, content: bytes, **options: int) -> Member:
    """Pack a file."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return Member(name, packer.compress(content) + packer.flush(), len(content), zlib.crc32(content), **options)


def zip_of(*members: Member, overlapping: bool = False) -> bytes:
    """Write a ZIP file as its members are, without a check.

    Args:
        members: in order.
        overlapping: whether all entries of the directory point to the first one's content.
    """
    content, directory = bytearray(), bytearray()
    for member in members:
        start = 0 if overlapping else len(content)
        shared = struct.pack(
            "<HHHHHIIIHH", 20, member.flags, member.method, 0, 33, member.crc, len(member.packed), member.size,
            len(member.name), 0,
        )  # fmt: skip
        if not (overlapping and content):
            content += b"PK\x03\x04" + shared + member.name + member.packed
        directory += b"PK\x01\x02" + struct.pack("<H", 20) + shared + struct.pack("<HHHII", 0, 0, 0, 0, start)
        directory += member.name
    count = min(len(members), 65_535)
    end = struct.pack("<HHHHIIH", 0, 0, count, count, len(directory), len(content), 0)
    return bytes(content + directory) + b"PK\x05\x06" + end


def ordinary(members: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Write a ZIP file as everybody does."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def zip_files() -> Iterator[tuple[str, File]]:
    """Yield good and bad ZIP files."""
    yield from zips_with_names()
    yield from zips_that_lie()
    yield from zip_bombs()


def zips_with_names() -> Iterator[tuple[str, File]]:
    """Yield ZIP files whose names would be paths to somewhere else, or are no text."""
    names = [
        "../../etc/passwd.png", "/etc/passwd.png", "a\\..\\..\\x.png", "C:\\x.png", "\u00e9\u4e2d\U0001f600.png",
        "a\nb\r\nc.png", "<script>.png", '";drop.png', "con", "a" * 250, "\u202egnp.exe",
    ]  # fmt: skip
    yield "ZIP with names that are paths", File(ordinary(dict.fromkeys(names, SEVEN)), read_as(*[LABEL] * len(names)))
    seven = honest(b"7.png", SEVEN)
    yield "ZIP with NUL in a name", File(zip_of(seven._replace(name=b"a\x00../b.png")), read_as(LABEL))
    yield "ZIP with a name that is no UTF-8", File(zip_of(seven._replace(name=b"\xff\xfe", flags=0x800)), BAD)
    yield "ZIP with a name of no known charset", File(zip_of(seven._replace(name=bytes(range(1, 256)))), read_as(LABEL))
    yield "ZIP with a name of 65,535 bytes", File(zip_of(seven._replace(name=b"a" * 65_535)), BAD)
    long = [seven._replace(name=b"\x01" * 15_000)] * 1000
    yield "ZIP with 1,000 long names", File(lambda: zip_of(*long, overlapping=True), BAD)
    yield "ZIP with a name twice", File(zip_of(seven, seven), read_as(LABEL, LABEL))
    yield "ZIP with an empty name", File(zip_of(seven._replace(name=b"")), read_as(LABEL))
    yield (
        "ZIP with folders and hidden files",
        File(ordinary({"a/": b"", "a/7.png": SEVEN, ".b": b"", "__MACOSX/7.png": b""}), read_as(LABEL)),
    )


def zips_that_lie() -> Iterator[tuple[str, File]]:
    """Yield ZIP files that are damaged, or say what is not so."""
    seven = honest(b"7.png", SEVEN)
    part = read_as("InvalidRequest")
    whole = zip_of(seven, seven)
    yield "ZIP of pictures, stored", File(ordinary({"7.png": SEVEN}, zipfile.ZIP_STORED), read_as(LABEL))
    yield (
        "ZIP of a picture and of text",
        File(ordinary({"7.png": SEVEN, "a.txt": b"x"}), read_as(LABEL, "InvalidImage")),
    )
    yield "ZIP cut", File(whole[: len(whole) // 2], BAD)
    yield "ZIP without a directory", File(whole[: whole.index(b"PK\x01\x02")], BAD)
    yield "ZIP of nothing", File(ordinary({}), refused(400))
    yield "ZIP of a folder", File(ordinary({"a/": b""}), BAD)
    yield "ZIP with a wrong checksum", File(zip_of(seven._replace(crc=1)), part)
    yield "ZIP, encrypted", File(zip_of(seven._replace(flags=1)), part)
    for method, name in ((1, "shrunk"), (9, "deflate64"), (12, "bzip2"), (14, "LZMA"), (93, "Zstandard"), (99, "AES")):
        yield f"ZIP, {name}", File(zip_of(seven._replace(method=method)), part)
    yield "ZIP with less than it says", File(zip_of(seven._replace(size=len(SEVEN) + 9)), read_as(LABEL))
    yield "ZIP with garbage for a picture", File(zip_of(seven._replace(packed=b"\xff" * 50)), part)
    yield "ZIP of 65,535 files", File(lambda: zip_of(*[honest(b"a", b"")] * 65_535, overlapping=True), BAD)
    yield "ZIP of 1,025 files", File(zip_of(*[honest(b"a", b"")] * 1025), BAD)
    yield "ZIP of 300,000 files", File(lambda: zip_of(*[honest(b"a", b"")] * 300_000, overlapping=True), BAD)
    yield "ZIP with a long comment", File(whole[:-2] + b"\xff\xff" + bytes(65_535), read_as(LABEL, LABEL))
    yield "ZIP whose directory is nowhere", File(whole[:-10] + b"\xff" * 8 + b"\x00\x00", BAD)


def zip_bombs() -> Iterator[tuple[str, File]]:
    """Yield ZIP files that would become very much."""

    def gigabyte(**changes: int) -> Member:
        return Member(b"zeros.png", b"".join(zeros(GIB)), GIB, GIB_OF_ZEROS_CRC)._replace(**changes)

    def nested() -> bytes:
        content = ordinary({"7.png": SEVEN})
        for _ in range(50):
            content = ordinary({"a.zip": content})
        return content

    yield "ZIP of 10 GB of zeros", File(lambda: zip_of(*[gigabyte()] * 10), TOO_LARGE)
    lying = read_as(*["InvalidRequest"] * 10)
    yield "ZIP of 10 GB of zeros that says 1 kB", File(lambda: zip_of(*[gigabyte(size=1000)] * 10), lying)
    yield "ZIP of 1,000 GB, overlapping", File(lambda: zip_of(*[gigabyte()] * 1000, overlapping=True), TOO_LARGE)
    megabyte = honest(b"a.png", bytes(2**20 - 1))
    yield (
        "ZIP of 60 MB in overlapping files",
        File(zip_of(*[megabyte] * 60, overlapping=True), READ),
    )
    yield "ZIP in ZIP in ZIP, 50 times", File(nested(), read_as("InvalidImage"))
    bomb = "ZIP of 60 pictures of 25 megapixels"
    yield bomb, File(lambda: zip_of(*[honest(b"a.png", white_png(5000, 5000))] * 60), READ)


def npy(array: np.ndarray, allow_pickle: bool = False) -> bytes:
    """Write an npy file."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=allow_pickle)
    return buffer.getvalue()


def npy_header(header: str, content: bytes = b"", version: tuple[int, int] = (1, 0)) -> bytes:
    """Write an npy file with any header."""
    text = header.encode("latin-1", "replace")
    return b"\x93NUMPY" + bytes(version) + struct.pack("<H" if version == (1, 0) else "<I", len(text)) + text + content


def header_of(shape: str = "(2, 28, 28)", dtype: str = "'|u1'", order: str = "False") -> str:
    """Write the header of an npy file."""
    return f"{{'descr': {dtype}, 'fortran_order': {order}, 'shape': {shape}, }}\n"


def npy_files() -> Iterator[tuple[str, File]]:
    """Yield good and bad npy files."""
    frames = np.zeros((2, 28, 28), np.uint8)
    frames[:, 4:24, 13:15] = 255
    pixels = frames.tobytes()
    yield "npy of frames", File(npy(frames), read_as("1", "1"))
    yield "npy of frames, version 2", File(npy_header(header_of(), pixels, (2, 0)), read_as("1", "1"))
    yield "npy of 1,024 blank frames", File(npy(np.zeros((1024, 28, 28), np.uint8)), refused(200))
    objects = np.array([Touch(), None], object)
    bad = {
        "of objects": npy(objects, allow_pickle=True),
        "of objects of the right shape": npy_header(header_of(dtype="'|O'"), pickle.dumps(Touch())),
        "of frames, then a pickle": npy(frames) + pickle.dumps(Touch()),
        "of floats": npy(frames.astype(float)),
        "of signed bytes": npy(frames.astype(np.int8)),
        "of big-endian numbers": npy(frames.astype(">u2")),
        "of dates": npy(np.zeros((2, 28, 28), "M8[s]")),
        "of text": npy(np.zeros((2, 28, 28), "U3")),
        "of records": npy(np.zeros((2, 28, 28), [("a", "u1")])),
        "in Fortran order": npy(np.asfortranarray(frames)),
        "of one number": npy(np.uint8(3)),
        "of one frame": npy(frames[0]),
        "of no frames": npy(frames[:0]),
        "of 27 rows": npy(frames[:, :27]),
        "of 1,025 frames": npy(np.zeros((1025, 28, 28), np.uint8)),
        "with a byte less": npy(frames)[:-1],
        "with a byte more": npy(frames) + b"\x00",
        "cut in its header": npy(frames)[:40],
        "without a header": b"\x93NUMPY\x01\x00",
        "of version 9": npy_header(header_of(), pixels, (9, 0)),
        "of version 3": npy_header(header_of(), pixels, (3, 0)),
        "of a larger shape than it has": npy_header(header_of("(1000, 28, 28)"), pixels),
        "of a huge shape": npy_header(header_of(f"({10**30}, 28, 28)"), pixels),
        "of a negative shape": npy_header(header_of("(-1, 28, 28)"), pixels),
        "of a shape of truths": npy_header(header_of("(True, 28, 28)"), pixels),
        "of a shape of floats": npy_header(header_of("(2.0, 28, 28)"), pixels),
        "of many dimensions": npy_header(header_of(f"({'1, ' * 200})"), pixels),
        "whose header is a call": npy_header("__import__('os').system('true')\n", pixels),
        "whose header is deep": npy_header("(" * 990 + "\n", pixels),
        "whose header is long": npy_header(header_of() + " " * 60_000, pixels),
        "whose header says 4 GB": b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + pixels,
        "whose header is no dictionary": npy_header("[1, 2]\n", pixels),
        "whose header has other keys": npy_header("{'a': 1}\n", pixels),
        "whose header has a NUL": npy_header("{'descr': '\x00'}\n", pixels),
        "with an unknown dtype": npy_header(header_of(dtype="'nonsense'"), pixels),
        "with a dtype of a comma": npy_header(header_of(dtype="','"), pixels),
        "with a deep dtype": npy_header(header_of(dtype="[('a', " * 60 + "'u1'" + ")]" * 60), pixels),
    }  # fmt: skip
    yield from ((f"npy {name}", File(content, BAD)) for name, content in bad.items())
    yield "a pickle", File(pickle.dumps(Touch()), refused(400, "InvalidImage"))
