"""The request log: one line of JSON for each failed request.

The lines go to the worker's standard output with the rest of its log. config/log4j2.xml collects them from all workers
in requests.log, which rotates. The log holds no bodies, headers or tokens.
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
from handwriting.serving.batch import PreparedRequest

ID_HEADER = "x-request-id"
ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
MAX_MESSAGE = 300  # characters; an error message may quote the request
LOST = "InternalServerException", "Prediction failed"  # TorchServe's answer when a handler raises

logger = logging.getLogger("handwriting.requests")


def client_request_id(context: Context, index: int) -> str:
    """Return the id that the client gave a request of the batch in X-Request-Id.

    Returns:
        "" without an id, or if it is not 1 to 64 of A-Z, a-z, 0-9, ".", "_" and "-". The request then goes by
        TorchServe's own id, which each answer has in its header `x-request-id`.
    """
    given = context.get_request_header(index, ID_HEADER)
    return given if isinstance(given, str) and ID.fullmatch(given) else ""


class RequestLog:
    """Logs the failed requests of one version of a recogniser."""

    def __init__(self, model: str, version: str) -> None:
        self.model, self.version = model, version

    def log_failures(
        self, requests: Sequence[PreparedRequest | RequestError], context: Context, handler_s: float
    ) -> None:
        """Write a line for each request of a batch that failed, or that has pictures that failed.

        Args:
            requests: of the batch, after preprocessing.
            context: of the batch.
            handler_s: handler time of the batch.
        """
        for i, request in enumerate(requests):
            if isinstance(request, RequestError):
                self.write(context, i, handler_s, {"status": request.status, **reason(request)})
                continue
            failed = [each for each in request.pictures if isinstance(each, RequestError)]
            if failed:
                count = {"pictures": len(request.pictures), "failed": len(failed)}
                self.write(context, i, handler_s, {"status": HTTPStatus.OK, **reason(failed[0]), **count})

    def log_lost_batch(self, count: int, context: Context, handler_s: float, err: Exception) -> None:
        """Write a line for each of the `count` requests of a batch that ended with an exception."""
        kind, message = LOST
        lost = {"status": HTTPStatus.SERVICE_UNAVAILABLE, "type": kind, "message": f"{message}: {type(err).__name__}"}
        for i in range(count):
            self.write(context, i, handler_s, lost)

    def write(self, context: Context, index: int, handler_s: float, failure: dict[str, Any]) -> None:
        """Write one line: a warning for a 4xx, an error for a 5xx."""
        level = logging.ERROR if failure["status"] >= HTTPStatus.INTERNAL_SERVER_ERROR else logging.WARNING
        if not logger.isEnabledFor(level):
            return
        client_id, own = client_request_id(context, index), context.get_request_id(index)
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = {"time": now, "level": logging.getLevelName(level).lower(), "request_id": client_id or own}
        line |= {"torchserve_id": own} if client_id else {}
        line |= {"model": self.model, "version": self.version, **failure, "handler_ms": round(handler_s * 1000, 3)}
        # ASCII only: Java treats some other characters as line ends
        logger.log(level, "%s", json.dumps(line, ensure_ascii=True))


def reason(error: RequestError) -> dict[str, str]:
    """Return type and message of an error."""
    return {"type": error.kind, "message": str(error)[:MAX_MESSAGE]}
