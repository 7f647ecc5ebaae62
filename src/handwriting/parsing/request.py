"""Parses requests of all forms: a picture as the body, form parts, JSON, a ZIP file or an npy file."""

import gc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import orjson

from handwriting.errors import InvalidRequest, RequestError, UnsupportedMedia
from handwriting.parsing.containers import NPY_MAGIC, ZIP_MAGIC, check_count, read_npy, read_zip
from handwriting.parsing.parts import JSON_LIST, JSON_SINGLE, NestedLists, Part, describe, read_instance
from handwriting.parsing.query import read_query

DEFAULT_TOP_K = 3
TOP_K_DIGITS = 9  # longer numbers are rejected without parsing them
TOP_K_HEADER = "x-top-k"
PARAMETERS = {"top_k"}  # of the address
TIMING_HEADER = "x-timing"
ADDRESS = {"model_name", "model_version"}  # /invocations passes these query parameters on as inputs
FORM = "application/x-www-form-urlencoded"
BYTES = {"", "application/octet-stream", "binary/octet-stream"}  # content types that say nothing about the body
MAX_LISTS = 1_000_000  # lists and objects in a JSON body; an RGB pixel is a list
MAX_TEXTS = 50_000  # strings in a JSON body, including keys
KINDS = {"application/zip": ZIP_MAGIC, "application/x-zip-compressed": ZIP_MAGIC, "application/x-npy": NPY_MAGIC}
WANTED = (
    f"a picture as the body, one or more as parts of a form, JSON {JSON_SINGLE}, or {JSON_LIST}, a ZIP file of "
    "pictures, or npy"
)


@dataclass(frozen=True)
class ParsedRequest:
    """The pictures and parameters of a request.

    Attributes:
        parts: the pictures, not yet decoded, in the order of the answers.
        names: of the pictures in a ZIP file; otherwise None.
        is_list: whether the client sent a list of pictures, even of one, and so gets a list of answers.
        top_k: how many of the most probable labels each answer lists.
        timing: whether the client wants the times of its batch.
    """

    parts: Sequence[Part]
    names: Sequence[str] | None
    is_list: bool
    top_k: int
    timing: bool = False


def parse_request(inputs: Mapping[str, object], headers: Mapping[str, object], labels: int) -> ParsedRequest:
    """Parse a request.

    Args:
        inputs: its body and query parameters by name. A body that is not multipart is named `body`. JSON comes
            as bytes, or parsed if the server decodes it.
        headers: its headers. Under the name of a form part, the headers of that part.
        labels: number of labels of the recogniser.

    Raises:
        RequestError: the request as a whole is invalid; the message is for the client.
    """
    bodies = {name: value for name, value in inputs.items() if name not in ADDRESS}
    request_headers = {name.lower(): value for name, value in headers.items() if isinstance(value, str)}
    query = read_query(request_headers, PARAMETERS)
    top_k = read_top_k(bodies.pop("top_k", query.get("top_k", request_headers.get(TOP_K_HEADER))), labels)
    if request_headers.get("content-type", "").lower().startswith(FORM):
        raise UnsupportedMedia(
            f"the body was sent as {FORM}, curl's default for --data; send {WANTED}, as curl -T does"
        )
    if not bodies:
        raise InvalidRequest(f"the request has no body; wanted {WANTED}")
    check_count(len(bodies))
    kinds = {name: content_type(headers.get(name)) for name in bodies}
    if len(bodies) > 1:
        parsed = ParsedRequest([read_one(body, kinds[name]) for name, body in bodies.items()], None, True, top_k)
    else:
        name, body = bodies.popitem()
        parsed = read_body(body, kinds[name], top_k)
    return replace(parsed, timing=True) if TIMING_HEADER in request_headers else parsed


def content_type(headers: object) -> str:
    """Return the content type of a part without its parameters; "" if it has none."""
    text = headers.get("content-type", "") if isinstance(headers, Mapping) else ""
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


def read_body(body: object, kind: str, top_k: int) -> ParsedRequest:
    """Parse a request with a single body, which holds all pictures.

    Raises:
        RequestError: the body holds no pictures.
    """
    if kind == "application/json" or not isinstance(body, bytes | bytearray):
        return read_document(parse_json(body), top_k)
    content = bytes(body)
    magic = KINDS.get(kind) if kind not in BYTES else next((m for m in KINDS.values() if content.startswith(m)), None)
    if magic == ZIP_MAGIC:
        names, parts = read_zip(content)
        return ParsedRequest(parts, names, True, top_k)
    if magic == NPY_MAGIC:
        return ParsedRequest(read_npy(content), None, True, top_k)
    part = read_one(content, kind)
    if isinstance(part, RequestError):
        raise part
    return ParsedRequest([part], None, False, top_k)


def read_one(body: object, kind: str) -> Part:
    """Return the picture in a body, or the error if it cannot be one."""
    if kind not in BYTES and not kind.startswith("image/"):
        return UnsupportedMedia(f"the body is {kind[:80]}; wanted {WANTED}")
    if not isinstance(body, bytes | bytearray):
        return InvalidRequest(f"the part is {describe(body)}; wanted a picture")
    return bytes(body)


def parse_json(body: object) -> object:
    """Parse a JSON body, unless the server already did.

    Raises:
        InvalidRequest: the body is not JSON, or has too many lists or strings.
    """
    if not isinstance(body, bytes | bytearray):
        return body
    if body.count(b"[") + body.count(b"{") > MAX_LISTS:
        raise InvalidRequest(f"the JSON body has over {MAX_LISTS:,} lists and objects; wanted fewer")
    if body.count(b'"') > 2 * MAX_TEXTS:
        raise InvalidRequest(f"the JSON body has over {MAX_TEXTS:,} texts; wanted fewer")
    gc.disable()  # it would scan millions of new lists again and again
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as err:
        raise InvalidRequest(f"the body is not JSON: {err}") from err
    finally:
        gc.enable()


def read_document(document: object, top_k: int) -> ParsedRequest:
    """Return the pictures in a parsed JSON document.

    Raises:
        InvalidRequest: the document has neither or both of `data` and `instances`, or too few or many instances.
    """
    fields = document if isinstance(document, Mapping) else {}
    keys = {"data", "instances"} & set(fields)
    if keys == {"data"}:
        return ParsedRequest([NestedLists(fields["data"])], None, False, top_k)
    if keys != {"instances"}:
        raise InvalidRequest(f"the JSON body has {describe(document)}; wanted {JSON_SINGLE}, or {JSON_LIST}")
    instances = fields["instances"]
    if not isinstance(instances, list):
        raise InvalidRequest(f'"instances" is {describe(instances)}; wanted {JSON_LIST}')
    check_count(len(instances))
    return ParsedRequest([read_instance(instance) for instance in instances], None, True, top_k)
