"""Files that hold many pictures: ZIP files of encoded ones, and NumPy's npy files of finished frames."""

import io
import tokenize
import zipfile
import zlib

import numpy as np

from handwriting.errors import ImageTooLarge, InvalidRequest, RequestError
from handwriting.parsing.parts import Part
from handwriting.preprocess import FRAME_PX
from handwriting.zips import BAD_ZIP, is_folder, is_hidden, read_member

MAX_PICTURES = 1024  # a request; more would keep the worker from the requests of others for seconds
MAX_UNPACKED_BYTES = 64 * 2**20  # of all pictures in a ZIP file together
MAX_ENTRIES = 16 * MAX_PICTURES  # of a ZIP file with its folders and hidden files; each takes time to read
MAX_NAME = 1000  # characters of a file in a ZIP file; the answer repeats it
ENTRY = b"PK\x01\x02"  # begins each entry of a ZIP file's directory
ZIP_MAGIC = b"PK\x03\x04"
NPY_MAGIC = b"\x93NUMPY"
FRAMES = f"uint8 of shape (N, {FRAME_PX}, {FRAME_PX}), in C order"
MAX_HEADER_BYTES = 1000  # of an npy file; that of an array takes 128


def check_count(count: int) -> None:
    """Check how many pictures a request has.

    Raises:
        InvalidRequest: none, or over MAX_PICTURES.
    """
    if not 1 <= count <= MAX_PICTURES:
        raise InvalidRequest(f"the request has {count:,} pictures; wanted 1 to {MAX_PICTURES:,}")


def read_zip(content: bytes) -> tuple[list[str], list[Part]]:
    """Unpack a ZIP file of pictures, in the order of its directory, hidden files left out.

    Returns:
        names and pictures; a file that cannot be unpacked is an error in its place.

    Raises:
        InvalidRequest: it is no ZIP file, has no or too many files, or one of too long a name.
        ImageTooLarge: its files say that they unpack to more than MAX_UNPACKED_BYTES together.
    """
    if content.count(ENTRY) > MAX_ENTRIES:
        raise InvalidRequest(f"the ZIP file has over {MAX_ENTRIES:,} entries; wanted 1 to {MAX_PICTURES:,} pictures")
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except (OSError, *BAD_ZIP) as err:
        raise InvalidRequest(f"the body is not a ZIP file: {err}") from err
    with archive:
        members = [info for info in archive.infolist() if not is_folder(info) and not is_hidden(info.filename)]
        check_count(len(members))
        longest = max(len(info.filename) for info in members)
        if longest > MAX_NAME:
            raise InvalidRequest(f"the ZIP file has a name of {longest:,} characters; at most {MAX_NAME:,}")
        unpacked = sum(info.file_size for info in members)
        if unpacked > MAX_UNPACKED_BYTES:
            raise ImageTooLarge(f"the ZIP file unpacks to {unpacked:,} bytes; at most {MAX_UNPACKED_BYTES:,}")
        return [info.filename for info in members], [unpack(archive, info) for info in members]


def unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Part:
    """Unpack one file, or say why it cannot be."""
    try:
        return read_member(archive, info)
    except RequestError as err:
        return err
    except (RuntimeError, EOFError, OSError, zlib.error, *BAD_ZIP) as err:
        return InvalidRequest(f"it cannot be unpacked: {err}")


def read_npy(content: bytes) -> list[Part]:
    """Read an npy file of finished frames. Nothing is unpickled, and no more is allocated than the body holds.

    Raises:
        InvalidRequest: it is no npy file, has another dtype, shape or length, or too many frames.

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
