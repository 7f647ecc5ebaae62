"""Files that hold many pictures: ZIP files of encoded pictures, and npy and IDX files of 28 x 28 frames."""

import io
import struct
import tokenize
import zipfile
import zlib
from dataclasses import dataclass

import numpy as np

from handwriting.errors import ImageTooLarge, InvalidRequest, RequestError
from handwriting.parsing.parts import Part
from handwriting.preprocess import FRAME_PX
from handwriting.zips import BAD_ZIP, is_folder, is_left_out, read_member

MAX_PICTURES = 1024  # in a request; more would block a worker for seconds
MAX_UNPACKED_BYTES = 64 * 2**20  # all pictures of a ZIP file together
MAX_ENTRIES = 16 * MAX_PICTURES  # of a ZIP file, including folders and hidden files
MAX_NAME = 1000  # characters of a file name in a ZIP file; the answer repeats it
ENTRY = b"PK\x01\x02"  # start of each entry in a ZIP file's directory
ZIP_MAGIC = b"PK\x03\x04"
NPY_MAGIC = b"\x93NUMPY"
IDX_MAGIC = b"\x00\x00\x08\x03"  # uint8, three dimensions: MNIST's own files of pictures
IDX_HEADER_BYTES = 16  # magic and three sizes
FRAMES = f"uint8 of shape (N, {FRAME_PX}, {FRAME_PX}), in C order"
MAX_HEADER_BYTES = 1000  # of an npy file; usually 128


def check_count(count: int) -> None:
    """Check the number of pictures in a request.

    Raises:
        InvalidRequest: it is 0, or over MAX_PICTURES.
    """
    if not 1 <= count <= MAX_PICTURES:
        raise InvalidRequest(f"the request has {count:,} pictures; wanted 1 to {MAX_PICTURES:,}")


@dataclass(frozen=True)
class Zip:
    """The pictures of a ZIP file.

    Attributes:
        names: of the pictures, in the order of the directory.
        parts: the pictures; an error in place of each file that cannot be unpacked.
        left_out: number of the files that are no pictures, by their names.
    """

    names: list[str]
    parts: list[Part]
    left_out: int


def read_zip(content: bytes) -> Zip:
    """Unpack the pictures of a ZIP file.

    Raises:
        InvalidRequest: not a ZIP file, too few or many files, or a name that is too long.
        ImageTooLarge: the declared sizes add up to more than MAX_UNPACKED_BYTES.
    """
    if content.count(ENTRY) > MAX_ENTRIES:
        raise InvalidRequest(f"the ZIP file has over {MAX_ENTRIES:,} entries; wanted 1 to {MAX_PICTURES:,} pictures")
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except (OSError, *BAD_ZIP) as err:
        raise InvalidRequest(f"the body is not a ZIP file: {err}") from err
    with archive:
        files = [info for info in archive.infolist() if not is_folder(info)]
        members = [info for info in files if not is_left_out(info.filename)]
        check_count(len(members))
        longest = max(len(info.filename) for info in members)
        if longest > MAX_NAME:
            raise InvalidRequest(f"the ZIP file has a name of {longest:,} characters; at most {MAX_NAME:,}")
        unpacked = sum(info.file_size for info in members)
        if unpacked > MAX_UNPACKED_BYTES:
            raise ImageTooLarge(f"the ZIP file unpacks to {unpacked:,} bytes; at most {MAX_UNPACKED_BYTES:,}")
        names, parts = [info.filename for info in members], [unpack(archive, info) for info in members]
        return Zip(names, parts, len(files) - len(members))


def unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Part:
    """Unpack one file, or return the error."""
    try:
        return read_member(archive, info)
    except RequestError as err:
        return err
    except (RuntimeError, EOFError, OSError, zlib.error, *BAD_ZIP) as err:
        return InvalidRequest(f"it cannot be unpacked: {err}")


def read_npy(content: bytes) -> list[Part]:
    """Read an npy file of 28 x 28 frames. Nothing is unpickled, and no more memory is allocated than the body has.

    Raises:
        InvalidRequest: not an npy file, another dtype, shape or length, or too many frames.

    Source: NumPy Enhancement Proposal 1, "A simple file format for NumPy arrays".
    """
    file = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(file)
        read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, fortran_order, dtype = read_header[version](file, max_header_size=MAX_HEADER_BYTES)
    except KeyError as err:
        raise InvalidRequest(f"the npy file is of version {err}; wanted 1.0 or 2.0") from err
    except (ValueError, TypeError, SyntaxError, tokenize.TokenError, RecursionError, MemoryError) as err:
        raise InvalidRequest(f"the body is not an npy file: {str(err)[:200]}") from err
    if dtype != np.uint8 or len(shape) != 3 or shape[1:] != (FRAME_PX, FRAME_PX) or fortran_order:  # noqa: PLR2004
        order = ", in Fortran order" if fortran_order else ""
        raise InvalidRequest(f"the npy file holds {dtype} of shape {shape}{order}; wanted {FRAMES}")
    check_count(shape[0])
    wanted, found = shape[0] * FRAME_PX**2, len(content) - file.tell()
    if found != wanted:
        raise InvalidRequest(f"the npy file has {found:,} bytes after its header; its shape {shape} wants {wanted:,}")
    return list(np.frombuffer(content, np.uint8, offset=file.tell()).reshape(shape))


def read_idx(content: bytes) -> list[Part]:
    """Read the frames of a file of pictures as MNIST has them.

    Raises:
        InvalidRequest: another shape or length, or too many frames.

    Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits", file formats.
    """
    sizes = content[len(IDX_MAGIC) : IDX_HEADER_BYTES]
    shape = struct.unpack(f">{len(sizes) // 4}I", sizes[: len(sizes) // 4 * 4])
    if len(shape) != 3 or shape[1:] != (FRAME_PX, FRAME_PX):  # noqa: PLR2004
        raise InvalidRequest(f"the IDX file has shape {shape}; wanted (N, {FRAME_PX}, {FRAME_PX})")
    check_count(shape[0])
    wanted, found = shape[0] * FRAME_PX**2, len(content) - IDX_HEADER_BYTES
    if found != wanted:
        raise InvalidRequest(f"the IDX file has {found:,} bytes after its header; its shape {shape} wants {wanted:,}")
    return list(np.frombuffer(content, np.uint8, offset=IDX_HEADER_BYTES).reshape(shape))
