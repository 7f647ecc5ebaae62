"""The function: an event of a function URL or of API Gateway (format 2.0) goes to an archive's own handler.

ARCHIVE names the folder of the unpacked archive. It is loaded once, when the environment of the function starts.
"""

import base64
import json
import os
import sys
from collections.abc import Mapping
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from handwriting.serving.messages import FormPart
    from handwriting.serving.unpacked import Archive

# An event has at most 6 MB, and its body is base64 in it, with room for the headers
MAX_BODY_BYTES = 4_500_000
PREDICTIONS, EXPLANATIONS = "predictions", "explanations"


class RefusedError(Exception):
    """A request that does not reach the handler.

    Attributes:
        status: of the answer.
        kind: of the error, as TorchServe names it.
    """

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status, self.kind = status, kind


def to_request(event: Mapping[str, Any], archive: "Archive") -> tuple[str, dict[str, str], list["FormPart"]]:
    """Return the id, the headers and the parts of an event's request.

    Raises:
        RefusedError: it is for no recogniser here, or its body is too large.
    """
    http = event["requestContext"]["http"]
    words = str(event["rawPath"]).strip("/").split("/")
    if words[0] not in {PREDICTIONS, EXPLANATIONS} or len(words) not in {2, 3}:
        raise RefusedError(
            404, "ResourceNotFoundException", f"there is no {event['rawPath']}; wanted /predictions/MODEL"
        )
    if [archive.model, archive.version][: len(words) - 1] != words[1:]:
        wanted = f"{archive.model}/{archive.version}"
        raise RefusedError(
            404, "ModelNotFoundException", f"this function has no {'/'.join(words[1:])}; wanted {wanted}"
        )
    if http["method"] not in {"POST", "PUT"}:
        raise RefusedError(405, "MethodNotAllowedException", f"the method is {http['method']}; wanted POST or PUT")
    headers = {name.lower(): str(value) for name, value in event.get("headers", {}).items()}
    body = read_body(event)
    kind = headers.get("content-type", "")
    is_form = kind.lower().startswith("multipart/form-data")
    parts = split_form(body, kind) if is_form else [("body", kind, body)]
    # As the server's front end tells its workers; a client's own headers of these names are dropped
    explain = "True" if words[0] == EXPLANATIONS else ""
    told = {"url_query": str(event.get("rawQueryString", "")), "explain": explain, "url_infer": ""}
    sent = {name: value for name, value in (headers | told).items() if value}
    return str(event["requestContext"]["requestId"]), sent, parts


def read_body(event: Mapping[str, Any]) -> bytes:
    """Return the body of an event.

    Raises:
        RefusedError: it is too large.
    """
    text = event.get("body") or ""
    body = base64.b64decode(text) if event.get("isBase64Encoded") else text.encode()
    if len(body) > MAX_BODY_BYTES:
        raise RefusedError(
            413,
            "RequestEntityTooLarge",
            f"the body has {len(body):,} bytes; a function takes at most {MAX_BODY_BYTES:,}: send a smaller picture, "
            "or fewer at once; a server takes more",
        )
    return body


def split_form(body: bytes, kind: str) -> list["FormPart"]:
    """Return the parts of a form, with the name and content type of each."""
    message = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
    return [
        (
            str(part.get_param("name", "body", header="content-disposition")),
            part.get_content_type() if part["content-type"] else "",
            part.get_payload(decode=True),
        )
        for part in message.iter_parts()
    ]


def response(status: int, body: bytes) -> dict[str, Any]:
    """Return an answer as function URLs and API Gateway want it."""
    return {"statusCode": status, "headers": {"content-type": "application/json"}, "body": body.decode()}


def handle(event: Mapping[str, Any], _: object) -> dict[str, Any]:
    """Answer an event."""
    try:
        return response(*ARCHIVE.answer(*to_request(event, ARCHIVE)))
    except RefusedError as err:
        error = {"code": err.status, "type": err.kind, "message": str(err)}
        return response(err.status, json.dumps(error).encode())


def load(folder: Path) -> "Archive":
    """Load the archive, with the code that is in it."""
    sys.path.insert(0, str(folder))
    from handwriting.serving.unpacked import Archive  # noqa: PLC0415

    return Archive(folder)


ARCHIVE = load(Path(os.environ["ARCHIVE"]))
