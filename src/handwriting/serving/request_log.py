"""One line of JSON for each request that failed.

The lines go to the worker's standard output, as all of its log does; config/log4j2.xml puts them into a file of their
own, requests.log, for all workers together, which rotates. Bodies, headers and tokens are never among them.
"""

import datetime
import json
import logging
import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from ts.context import Context

from handwriting.errors import RequestError
from handwriting.serving.batch import Request

ID_HEADER = "x-request-id"
ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
MAX_MESSAGE = 300  # characters; what was wrong with a request may repeat some of it
LOST = "InternalServerException", "Prediction failed"  # what TorchServe answers for a batch whose handler raised

logger = logging.getLogger("handwriting.requests")


def named_id(context: Context, index: int) -> str:
    """Return the id that a client has given a request of the batch in X-Request-Id.

    Returns:
        "" where there is none, or one that is not 1 to 64 of A-Z, a-z, 0-9, ".", "_" and "-": the request's id is then
        TorchServe's own, which each answer has in its header `x-request-id`.
    """
    headers = context.get_all_request_header(index)
    given = (value for name, value in headers.items() if name.lower() == ID_HEADER and isinstance(value, str))
    return next((value for value in given if ID.fullmatch(value)), "")


class Journal:
    """Writes down what failed of the batches of one version of a recogniser."""

    def __init__(self, model: str, version: str) -> None:
        self.model, self.version = model, version

    def record(self, requests: Sequence[Request | RequestError], context: Context, handler_s: float) -> None:
        """Write a line for each request of an answered batch that was refused, or has pictures that were.

        Args:
            requests: as prepared.
            context: of the batch.
            handler_s: how long the worker had it.
        """
        for i, request in enumerate(requests):
            if isinstance(request, RequestError):
                self.write(context, i, handler_s, {"status": request.status, **reason(request)})
                continue
            failed = [page for page in request.pages if isinstance(page, RequestError)]
            if failed:
                count = {"pictures": len(request.pages), "failed": len(failed)}
                self.write(context, i, handler_s, {"status": HTTPStatus.OK, **reason(failed[0]), **count})

    def record_lost(self, count: int, context: Context, handler_s: float, err: Exception) -> None:
        """Write a line for each of the `count` requests of a batch that ended in an exception."""
        kind, message = LOST
        lost = {"status": HTTPStatus.SERVICE_UNAVAILABLE, "type": kind, "message": f"{message}: {type(err).__name__}"}
        for i in range(count):
            self.write(context, i, handler_s, lost)

    def write(self, context: Context, index: int, handler_s: float, failure: dict[str, Any]) -> None:
        """Write one line: a warning, or an error where the fault is ours."""
        level = logging.ERROR if failure["status"] >= HTTPStatus.INTERNAL_SERVER_ERROR else logging.WARNING
        if not logger.isEnabledFor(level):
            return
        named, own = named_id(context, index), context.get_request_id(index)
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = {"time": now, "level": logging.getLevelName(level).lower(), "request_id": named or own}
        line |= {"torchserve_id": own} if named else {}
        line |= {"model": self.model, "version": self.version, **failure, "handler_ms": round(handler_s * 1000, 3)}
        # ASCII: Java takes some characters beyond it for ends of lines
        logger.log(level, "%s", json.dumps(line, ensure_ascii=True))


def reason(error: RequestError) -> dict[str, str]:
    """Say what was wrong."""
    return {"type": error.kind, "message": str(error)[:MAX_MESSAGE]}
