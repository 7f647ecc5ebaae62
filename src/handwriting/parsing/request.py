"""The forms that a request takes: a body, a form's parts, JSON, a ZIP file or an npy file, and its parameters."""

import gc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import orjson

from handwriting.errors import InvalidRequest, RequestError, UnsupportedMedia
from handwriting.parsing.containers import NPY_MAGIC, ZIP_MAGIC, check_count, read_npy, read_zip
from handwriting.parsing.parts import MANY, ONE, Numbers, Part, describe, part_of

DEFAULT_TOP_K = 3
TOP_K_DIGITS = 9  # a longer number is not worth parsing
TOP_K_HEADER = "x-top-k"  # TorchServe 0.12 drops the query string of /predictions, so no ?top_k= there
TIMING_HEADER = "x-timing"
ADDRESS = {"model_name", "model_version"}  # what /invocations, which does keep its query string, hands on as inputs
FORM = "application/x-www-form-urlencoded"
BYTES = {"", "application/octet-stream", "binary/octet-stream"}  # what the body is, it says itself
MAX_LISTS = 1_000_000  # and objects of a JSON body, each of which takes time and memory; an RGB pixel is a list
MAX_TEXTS = 50_000  # of a JSON body, keys among them
KINDS = {"application/zip": ZIP_MAGIC, "application/x-zip-compressed": ZIP_MAGIC, "application/x-npy": NPY_MAGIC}
WANTED = f"a picture as the body, one or more as parts of a form, JSON {ONE}, or {MANY}, a ZIP file of pictures, or npy"


@dataclass(frozen=True)
class Query:
    """What a client asks of a recogniser.

    Attributes:
        parts: the pictures, not yet decoded, in the order of the answers.
        names: of the pictures, in a ZIP file.
        many: whether the client sent a list of pictures, and so gets one of answers, even if it is of one.
        top_k: how many of the most probable labels each answer lists.
        timing: whether the client wants to know what its batch took.
    """

    parts: Sequence[Part]
    names: Sequence[str] | None
    many: bool
    top_k: int
    timing: bool = False


def read_query(inputs: Mapping[str, object], headers: Mapping[str, object], labels: int) -> Query:
    """Read a request.

    Args:
        inputs: its body and query parameters by name. A body that is not multipart is named `body`; JSON comes
            as bytes, or parsed where the server decodes it.
        headers: its headers; under an input's name, that input's own, with `content-type`.
        labels: how many labels the recogniser knows.

    Raises:
        RequestError: what is wrong with the request as a whole, for the client to read.
    """
    bodies = {name: value for name, value in inputs.items() if name not in ADDRESS}
    request_headers = {name.lower(): value for name, value in headers.items() if isinstance(value, str)}
    top_k = read_top_k(bodies.pop("top_k", request_headers.get(TOP_K_HEADER)), labels)
    if request_headers.get("content-type", "").lower().startswith(FORM):
        raise UnsupportedMedia(
            f"the body was sent as {FORM}, curl's default for --data; send {WANTED}, as curl -T does"
        )
    if not bodies:
        raise InvalidRequest(f"the request has no body; wanted {WANTED}")
    check_count(len(bodies))
    kinds = {name: content_type(headers.get(name)) for name in bodies}
    if len(bodies) > 1:
        query = Query([read_one(body, kinds[name]) for name, body in bodies.items()], None, True, top_k)
    else:
        name, body = bodies.popitem()
        query = read_body(body, kinds[name], top_k)
    return replace(query, timing=True) if TIMING_HEADER in request_headers else query


def content_type(headers: object) -> str:
    """Return the content type among an input's headers, without its parameters, or ""."""
    text = headers.get("content-type", "") if isinstance(headers, Mapping) else ""
    return text.partition(";")[0].strip().lower()


def read_top_k(value: object, labels: int) -> int:
    """Read how many labels to list, a number from 1 to the number of labels; without one it is DEFAULT_TOP_K.

    Raises:
        InvalidRequest: it is something else.
    """
    if value is None:
        return DEFAULT_TOP_K
    text = bytes(value).decode("utf-8", "replace") if isinstance(value, bytes | bytearray) else str(value)
    if not (text.isascii() and text.isdigit() and len(text) <= TOP_K_DIGITS and 1 <= int(text) <= labels):
        raise InvalidRequest(f"top_k is {text[:40]!r}; wanted a whole number from 1 to {labels}")
    return int(text)


def read_body(body: object, kind: str, top_k: int) -> Query:
    """Read a request whose pictures are all in one body.

    Raises:
        RequestError: it holds no pictures.
    """
    if kind == "application/json" or not isinstance(body, bytes | bytearray):
        return read_document(parse_json(body), top_k)
    content = bytes(body)
    magic = KINDS.get(kind) if kind not in BYTES else next((m for m in KINDS.values() if content.startswith(m)), None)
    if magic == ZIP_MAGIC:
        names, parts = read_zip(content)
        return Query(parts, names, True, top_k)
    if magic == NPY_MAGIC:
        return Query(read_npy(content), None, True, top_k)
    part = read_one(content, kind)
    if isinstance(part, RequestError):
        raise part
    return Query([part], None, False, top_k)


def read_one(body: object, kind: str) -> Part:
    """Take the body of one part of a form for a picture, or say why it is none."""
    if kind not in BYTES and not kind.startswith("image/"):
        return UnsupportedMedia(f"the body is {kind[:80]}; wanted {WANTED}")
    if not isinstance(body, bytes | bytearray):
        return InvalidRequest(f"the part is {describe(body)}; wanted a picture")
    return bytes(body)


def parse_json(body: object) -> object:
    """Parse a JSON body, unless the server has.

    Raises:
        InvalidRequest: it is not JSON, or has more parts than its pictures can need.
    """
    if not isinstance(body, bytes | bytearray):
        return body
    if body.count(b"[") + body.count(b"{") > MAX_LISTS:
        raise InvalidRequest(f"the JSON body has over {MAX_LISTS:,} lists and objects; wanted fewer")
    if body.count(b'"') > 2 * MAX_TEXTS:
        raise InvalidRequest(f"the JSON body has over {MAX_TEXTS:,} texts; wanted fewer")
    gc.disable()  # it would go through millions of lists again and again while they come
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as err:
        raise InvalidRequest(f"the body is not JSON: {err}") from err
    finally:
        gc.enable()


def read_document(document: object, top_k: int) -> Query:
    """Read the pictures in a parsed JSON document.

    Raises:
        InvalidRequest: it has neither `data` nor `instances`, or both, or no or too many instances.
    """
    keys = {"data", "instances"} & set(document if isinstance(document, Mapping) else ())
    if keys == {"data"}:
        return Query([Numbers(document["data"])], None, False, top_k)
    if keys != {"instances"}:
        raise InvalidRequest(f"the JSON body has {describe(document)}; wanted {ONE}, or {MANY}")
    instances = document["instances"]
    if not isinstance(instances, list):
        raise InvalidRequest(f'"instances" is {describe(instances)}; wanted {MANY}')
    check_count(len(instances))
    return Query([part_of(instance) for instance in instances], None, True, top_k)
