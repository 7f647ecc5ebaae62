"""ZIP and npy files: unusual names, wrong headers, decompression bombs, pickles."""

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

from measuring.reliability.corpus.case import Bodies, Case, cases
from measuring.reliability.corpus.picture_files import LABEL, SEVEN, TOO_LARGE, white_png, zeros
from measuring.reliability.expected import READ, read_as, refused

GIB = 2**30
GIB_OF_ZEROS_CRC = 0x5B64C2B0
BAD = refused(400, "InvalidRequest")
CANARY = (
    Path(tempfile.gettempdir()) / f"inkserve-unpickled-{os.getuid()}"
)  # exists after a server has unpickled a Touch
DEFLATED = 8


class Member(NamedTuple):
    """A file in a ZIP file with the values of its headers, right or wrong."""

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
    """Make a member whose headers are right."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return Member(name, packer.compress(content) + packer.flush(), len(content), zlib.crc32(content), **options)


def zip_of(*members: Member, overlapping: bool = False) -> bytes:
    """Write a ZIP file of any members, right or wrong.

    Args:
        members: in order.
        overlapping: all entries of the directory point to the content of the first member.
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
    """Write a well-formed ZIP file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def zips_with_odd_names() -> Iterator[Case]:
    """Yield ZIP files whose names are paths to elsewhere, or not text."""
    names = [
        "../../etc/passwd.png", "/etc/passwd.png", "a\\..\\..\\x.png", "C:\\x.png", "\u00e9\u4e2d\U0001f600.png",
        "a\nb\r\nc.png", "<script>.png", '";drop.png', "con", "a" * 250, "\u202egnp.exe",
    ]  # fmt: skip
    seven = honest(b"7.png", SEVEN)
    long = [seven._replace(name=b"\x01" * 15_000)] * 1000
    read = {
        "NUL in a name": zip_of(seven._replace(name=b"a\x00../b.png")),
        "a name of no known charset": zip_of(seven._replace(name=bytes(range(1, 256)))),
        "an empty name": zip_of(seven._replace(name=b"")),
        "folders and hidden files": ordinary({"a/": b"", "a/7.png": SEVEN, ".b": b"", "__MACOSX/7.png": b""}),
    }
    bad: Bodies = {
        "a name that is not UTF-8": zip_of(seven._replace(name=b"\xff\xfe", flags=0x800)),
        "a name of 65,535 bytes": zip_of(seven._replace(name=b"a" * 65_535)),
        "1,000 long names": lambda: zip_of(*long, overlapping=True),
    }
    paths = {"names that are paths": ordinary(dict.fromkeys(names, SEVEN))}
    twice = {"a name twice": zip_of(seven, seven)}
    expected = read_as(*[LABEL] * len(names))
    return cases(
        "ZIP with ", None, (expected, paths), (read_as(LABEL, LABEL), twice), (read_as(LABEL), read), (BAD, bad)
    )


def zips_with_wrong_headers() -> Iterator[Case]:
    """Yield ZIP files that are damaged, or whose headers are wrong."""
    seven, tiny = honest(b"7.png", SEVEN), honest(b"a", b"")
    whole = zip_of(seven, seven)
    methods = {1: "shrunk", 9: "deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 99: "AES"}
    read = {
        "of pictures, stored": ordinary({"7.png": SEVEN}, zipfile.ZIP_STORED),
        "with a member shorter than its header says": zip_of(seven._replace(size=len(SEVEN) + 9)),
    }
    bad_member = {
        "with a wrong checksum": zip_of(seven._replace(crc=1)),
        "with garbage for a picture": zip_of(seven._replace(packed=b"\xff" * 50)),
    }
    unsupported = {f", {name}": zip_of(seven._replace(method=method)) for method, name in methods.items()}
    unsupported[", encrypted"] = zip_of(seven._replace(flags=1))
    bad: Bodies = {
        "cut": whole[: len(whole) // 2],
        "without a directory": whole[: whole.index(b"PK\x01\x02")],
        "of a folder": ordinary({"a/": b""}),
        "of 1,025 files": zip_of(*[tiny] * 1025),
        "of 65,535 files": lambda: zip_of(*[tiny] * 65_535, overlapping=True),
        "of 300,000 files": lambda: zip_of(*[tiny] * 300_000, overlapping=True),
        "whose directory is out of bounds": whole[:-10] + b"\xff" * 8 + b"\x00\x00",
    }
    mixed = {"of a picture and of text": ordinary({"7.png": SEVEN, "a.png": b"x", "labels.txt": b"x"})}
    comment = {"with a long comment": whole[:-2] + b"\xff\xff" + bytes(65_535)}
    yield from cases("ZIP", None, (read_as("InvalidRequest"), unsupported))
    yield from cases(
        "ZIP ",
        None,
        (read_as(LABEL), read),
        (read_as("InvalidRequest"), bad_member),
        (BAD, bad),
        (refused(400), {"of nothing": ordinary({})}),
        (read_as(LABEL, "InvalidImage"), mixed),
        (read_as(LABEL, LABEL), comment),
    )


def zip_bombs() -> Iterator[Case]:
    """Yield ZIP files that would decompress to very much."""

    def gigabyte(**changes: int) -> Member:
        return Member(b"zeros.png", b"".join(zeros(GIB)), GIB, GIB_OF_ZEROS_CRC)._replace(**changes)  # type: ignore[arg-type]

    nested = ordinary({"7.png": SEVEN})
    for _ in range(50):
        nested = ordinary({"a.zip": nested})
    megabyte = honest(b"a.png", bytes(2**20 - 1))
    bombs = {
        "10 GB of zeros": lambda: zip_of(*[gigabyte()] * 10),
        "1,000 GB, overlapping": lambda: zip_of(*[gigabyte()] * 1000, overlapping=True),
    }
    wrong = {"10 GB of zeros whose headers say 1 kB": lambda: zip_of(*[gigabyte(size=1000)] * 10)}
    read: Bodies = {
        "60 MB in overlapping files": zip_of(*[megabyte] * 60, overlapping=True),
        "60 pictures of 25 megapixels": lambda: zip_of(*[honest(b"a.png", white_png(5000, 5000))] * 60),
    }
    yield from cases("ZIP of ", None, (TOO_LARGE, bombs), (read_as(*["InvalidRequest"] * 10), wrong), (READ, read))
    yield from cases("", None, (read_as("InvalidImage"), {"ZIP in ZIP in ZIP, 50 times": nested}))


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


def npy_files() -> Iterator[Case]:
    """Yield good and bad npy files."""
    frames = np.zeros((2, 28, 28), np.uint8)
    frames[:, 4:24, 13:15] = 255
    pixels = frames.tobytes()
    read = {"of frames": npy(frames), "of frames, version 2": npy_header(header_of(), pixels, (2, 0))}
    blank = {"of 1,024 blank frames": npy(np.zeros((1024, 28, 28), np.uint8))}
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
        "of one number": npy(np.array(3, np.uint8)),
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
        "of a larger shape than its data": npy_header(header_of("(1000, 28, 28)"), pixels),
        "of a huge shape": npy_header(header_of(f"({10**30}, 28, 28)"), pixels),
        "of a negative shape": npy_header(header_of("(-1, 28, 28)"), pixels),
        "of a shape of truths": npy_header(header_of("(True, 28, 28)"), pixels),
        "of a shape of floats": npy_header(header_of("(2.0, 28, 28)"), pixels),
        "of many dimensions": npy_header(header_of(f"({'1, ' * 200})"), pixels),
        "whose header is a call": npy_header("__import__('os').system('true')\n", pixels),
        "whose header is deep": npy_header("(" * 990 + "\n", pixels),
        "whose header is long": npy_header(header_of() + " " * 60_000, pixels),
        "whose header says 4 GB": b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + pixels,
        "whose header is not a dictionary": npy_header("[1, 2]\n", pixels),
        "whose header has other keys": npy_header("{'a': 1}\n", pixels),
        "whose header has a NUL": npy_header("{'descr': '\x00'}\n", pixels),
        "with an unknown dtype": npy_header(header_of(dtype="'nonsense'"), pixels),
        "with a dtype of a comma": npy_header(header_of(dtype="','"), pixels),
        "with a deep dtype": npy_header(header_of(dtype="[('a', " * 60 + "'u1'" + ")]" * 60), pixels),
    }  # fmt: skip
    yield from cases("npy ", None, (read_as("1", "1"), read), (READ, blank), (BAD, bad))
    yield from cases("", None, (refused(400, "InvalidImage"), {"a pickle": pickle.dumps(Touch())}))
