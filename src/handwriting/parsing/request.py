"""Parses requests of all forms: a picture as the body, form parts, JSON, a ZIP file or an npy file."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from handwriting.errors import InvalidRequest, RequestError, UnsupportedMedia
from handwriting.parsing.base64_text import decode_base64, is_data_url
from handwriting.parsing.containers import (
    IDX_MAGIC,
    NPY_MAGIC,
    ZIP_MAGIC,
    check_count,
    read_idx,
    read_npy,
    read_zip,
)
from handwriting.parsing.document import parse_json, read_document, starts_json
from handwriting.parsing.parts import JSON_LIST, JSON_SINGLE, MAX_KEY, Part, describe
from handwriting.parsing.query import QUERY_HEADER, read_query
from handwriting.preprocess.formats import is_text

DEFAULT_TOP_K = 3
TOP_K_DIGITS = 9  # longer numbers are rejected without parsing them
TOP_K_HEADER = "x-top-k"
PARAMETERS = {"top_k"}  # of the address
TIMING_HEADER = "x-timing"
ADDRESS = {"model_name", "model_version"}  # /invocations passes these query parameters on as inputs
FORM = "application/x-www-form-urlencoded"
BYTES = {"", "application/octet-stream", "binary/octet-stream"}  # content types that say nothing about the body
TEXT_KIND, JSON_KINDS = "text/plain", {"application/json", "text/json"}  # fetch() calls texts and JSON text/plain
FILES = BYTES | {"application/pdf", "application/x-pdf"}  # or image/...
# How PNG, JPEG, GIF, WebP, TIFF, PDF, and HEIC and AVIF begin in base64
BASE64_START = re.compile(rb"iVBORw0KGgo|[/_]9j[/_]|R0lGOD|UklGR|SUkq|TU0AK|JVBERi|AAAA.{2,4}Z0eX")
LONGEST_START, FIELD_BYTES = 64, 1024  # of a field that are looked at
MAX_LISTED = 5  # names in a note
KINDS = {"application/zip": ZIP_MAGIC, "application/x-zip-compressed": ZIP_MAGIC, "application/x-npy": NPY_MAGIC}
MAGICS = (ZIP_MAGIC, NPY_MAGIC, IDX_MAGIC)
WANTED = (
    f"a picture as the body, one or more as parts of a form, JSON {JSON_SINGLE}, or {JSON_LIST}, a ZIP file of "
    "pictures, or frames as npy or IDX"
)


class ParsedRequest(NamedTuple):
    """The pictures and parameters of a request.

    Attributes:
        parts: the pictures, not yet decoded, in the order of the answers.
        names: of the pictures in a ZIP file; otherwise None.
        is_list: whether the client sent a list of pictures, even of one, and so gets a list of answers.
        top_k: how many of the most probable labels each answer lists.
        timing: whether the client wants the times of its batch.
        left_out: files of a ZIP file that are no pictures.
        notes: for people, about the request as a whole.
    """

    parts: Sequence[Part]
    names: Sequence[str] | None
    is_list: bool
    top_k: int
    timing: bool = False
    left_out: int = 0
    notes: tuple[str, ...] = ()


class Body(NamedTuple):
    """What the body of a request holds; attributes as of ParsedRequest, with top_k as it was sent, None without one."""

    parts: Sequence[Part]
    names: Sequence[str] | None = None
    is_list: bool = True
    top_k: object = None
    left_out: int = 0
    notes: tuple[str, ...] = ()


def parse_request(inputs: Mapping[str, object], headers: Mapping[str, object], labels: int) -> ParsedRequest:
    """Parse a request.

    Args:
        inputs: its body and query parameters by name. A body that is not multipart is named `body`. JSON comes
            as bytes, or parsed if the server decodes it.
        headers: its headers, with names in lower case. Under the name of a form part, the headers of that part.
        labels: number of labels of the recogniser.

    Raises:
        RequestError: the request as a whole is invalid; the message is for the client.
    """
    if (header(headers, "content-type") or "").lower().startswith(FORM):
        raise UnsupportedMedia(
            f"the body was sent as {FORM}, curl's default for --data; send {WANTED}, as curl -T does"
        )
    query = read_query(header(headers, QUERY_HEADER) or "", PARAMETERS)
    bodies = {name: body for name, body in inputs.items() if name not in PARAMETERS and name not in ADDRESS}
    read = read_bodies(bodies, headers)
    ranked = (inputs.get("top_k"), query.get("top_k"), read.top_k, header(headers, TOP_K_HEADER))
    top_k = read_top_k(next((each for each in ranked if each is not None), None), labels)
    timing = header(headers, TIMING_HEADER) is not None
    return ParsedRequest(read.parts, read.names, read.is_list, top_k, timing, read.left_out, read.notes)


def header(headers: Mapping[str, object], name: str) -> str | None:
    """Return a header of a request, None without it: what has its name may also be a part of a form."""
    value = headers.get(name)
    return value if isinstance(value, str) else None


def read_bodies(bodies: Mapping[str, object], headers: Mapping[str, object]) -> Body:
    """Parse the body of a request, or the parts of a form.

    Raises:
        RequestError: there are no pictures.
    """
    if len(bodies) == 1:
        [(name, body)] = bodies.items()
        return read_body(body, content_type(headers.get(name)))
    kinds = {name: content_type(headers.get(name)) for name in bodies}
    pictures = {name: body for name, body in bodies.items() if not is_other_field(body, kinds[name])}
    fields = [name for name in bodies if name not in pictures]
    if not pictures:
        raise InvalidRequest(f"the request has no {'picture' if fields else 'body'}; wanted {WANTED}")
    notes = note_unused("fields", fields)
    check_count(len(pictures))
    if len(pictures) > 1:
        return Body([read_one(body, kinds[name]) for name, body in pictures.items()], notes=notes)
    [(name, body)] = pictures.items()
    read = read_body(body, kinds[name])
    return read._replace(notes=(*read.notes, *notes))


def is_other_field(body: object, kind: str) -> bool:
    """Tell whether a part of a form is a text field that holds no picture; TorchServe gives files a content type."""
    if kind or not isinstance(body, bytes | bytearray):
        return False
    return not is_data_url(body) and is_text(bytes(body[:FIELD_BYTES])) and not is_base64_picture(body)


def is_base64_picture(body: bytes | bytearray) -> bool:
    """Tell whether a text field begins like a picture in base64."""
    return BASE64_START.match(bytes(body[:LONGEST_START]).lstrip()) is not None


def note_unused(what: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return a note that names what has no effect, if there is something."""
    if not names:
        return ()
    listed = ", ".join(name[:MAX_KEY] for name in names[:MAX_LISTED]) + (", ..." if len(names) > MAX_LISTED else "")
    return (f"{what} that have no effect: {listed}",)


def content_type(headers: object) -> str:
    """Return the content type of a part without its parameters; "" if it has none."""
    text = headers.get("content-type", "") if isinstance(headers, dict) else ""
    return text.partition(";")[0].strip().lower()


def read_top_k(value: object, labels: int) -> int:
    """Return how many labels to list: 1 to the number of labels, DEFAULT_TOP_K without a value.

    Raises:
        InvalidRequest: the value is no such number.
    """
    if value is None:
        return DEFAULT_TOP_K
    text = bytes(value).decode("utf-8", "replace") if isinstance(value, bytes | bytearray) else str(value)
    if not (text.isascii() and text.isdigit() and len(text) <= TOP_K_DIGITS and 1 <= int(text) <= labels):
        raise InvalidRequest(f"top_k is {text[:40]!r}; wanted a whole number from 1 to {labels}")
    return int(text)


def read_body(body: object, kind: str) -> Body:
    """Parse a request with a single body, which holds all pictures.

    Raises:
        RequestError: the body holds no pictures.
    """
    is_plain = kind in BYTES or kind == TEXT_KIND
    if not isinstance(body, bytes | bytearray) or kind in JSON_KINDS or (is_plain and starts_json(bytes(body[:64]))):
        document = read_document(parse_json(body))
        notes = note_unused("keys", document.unused)
        return Body(document.parts, None, document.is_list, document.top_k, notes=notes)
    content = bytes(body)
    magic = KINDS.get(kind) if kind not in BYTES else next((m for m in MAGICS if content.startswith(m)), None)
    if magic == ZIP_MAGIC:
        unpacked = read_zip(content)
        return Body(unpacked.parts, unpacked.names, left_out=unpacked.left_out)
    if magic == IDX_MAGIC:
        return Body(read_idx(content))
    if magic == NPY_MAGIC:
        return Body(read_npy(content))
    part = read_one(content, kind)
    if isinstance(part, RequestError):
        raise part
    return Body([part], is_list=False)


def read_one(body: object, kind: str) -> Part:
    """Return the picture in a body, or the error if it cannot be one."""
    if not isinstance(body, bytes | bytearray):
        return InvalidRequest(f"the part is {describe(body)}; wanted a picture")
    if (kind in BYTES or kind == TEXT_KIND) and (is_data_url(body) or is_base64_picture(body)):
        try:
            return decode_base64(body.decode("utf-8", "replace"), "the text")
        except InvalidRequest as err:
            return err
    if kind not in FILES and not kind.startswith("image/"):
        return UnsupportedMedia(f"the body is {kind[:80]}; wanted {WANTED}")
    return bytes(body)
