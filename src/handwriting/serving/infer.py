"""Requests of KServe's protocol V2 on their way through a batch: in as pictures of our own requests, out as tensors."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, cast

import orjson
from ts.context import Context

from handwriting.errors import InvalidRequest, RequestError
from handwriting.parsing.tensors import InferRequest, read_infer

INFER_HEADER = "url_infer"  # deploy/frontend sets it for /v2/models/MODEL/infer, never a client
FILE = {"content-type": "application/octet-stream"}
OUTPUTS = {"label": "BYTES", "confidence": "FP32", "answer": "BYTES"}


class InferBatch:
    """The requests of a batch, those of the protocol V2 as requests of our own.

    Attributes:
        inputs: of each request, or its error.
    """

    def __init__(self, data: Sequence[Mapping[str, object]], context: Context) -> None:
        """Take the pictures out of the tensors."""
        self._context = context
        self._infers: dict[int, InferRequest | None] = {}
        self.inputs: list[Mapping[str, object] | RequestError] = list(data)
        for i, inputs in enumerate(data):
            headers = context.get_all_request_header(i)
            if INFER_HEADER in headers:
                self._infers[i] = None
                try:
                    self.inputs[i] = self._read(i, inputs, headers)
                except RequestError as err:
                    self.inputs[i] = err

    def _read(self, index: int, inputs: Mapping[str, object], headers: Mapping[str, object]) -> Mapping[str, object]:
        body = inputs.get("body")
        if not isinstance(body, bytes | bytearray):
            raise InvalidRequest("the request is a form; wanted JSON, as KServe's protocol V2 has it")
        infer = read_infer(bytes(body), {name: value for name, value in headers.items() if isinstance(value, str)})
        if unknown := [name for name in infer.outputs if name not in OUTPUTS]:
            raise InvalidRequest(f"there is no output {unknown[0][:40]!r}; wanted {', '.join(OUTPUTS)}")
        self._infers[index] = infer
        pictures = {f"image {number}": picture for number, picture in enumerate(infer.pictures)}
        cast(dict[str, object], headers).update(dict.fromkeys(pictures, FILE))  # or a text would count as another field
        return pictures

    def answers(self, found: Sequence[bytes]) -> list[bytes]:
        """Return the answers of a batch, those to requests of the protocol V2 as tensors."""
        return [self._answer(i, answer) if i in self._infers else answer for i, answer in enumerate(found)]

    def _answer(self, index: int, answer: bytes) -> bytes:
        document, infer = orjson.loads(answer), self._infers[index]
        if infer is None or "code" in document:
            return orjson.dumps({"error": document["message"], **document})
        rows = document.get("predictions", [document])
        failed = [(number, row["error"]) for number, row in enumerate(rows) if "error" in row]
        if failed:  # the protocol has no error of one element
            number, error = failed[0]
            phrase = HTTPStatus(error["code"]).phrase
            self._context.set_response_status(code=error["code"], phrase=phrase, idx=index)
            return orjson.dumps({"error": f"picture {number}: {error['message']}", **error})
        return orjson.dumps(infer_answer(infer, rows))


def infer_answer(infer: InferRequest, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the predictions for a request's pictures as the protocol's outputs, an element for each picture."""
    data: dict[str, list[object]] = {
        "label": [row.get("label", row.get("text")) for row in rows],
        "confidence": [row.get("confidence") for row in rows],
        "answer": [orjson.dumps(row).decode() for row in rows],
    }
    if None in data["confidence"]:
        del data["confidence"]  # a page has none
    wanted = [name for name in data if not infer.outputs or name in infer.outputs]
    outputs = [{"name": name, "datatype": OUTPUTS[name], "shape": [len(rows)], "data": data[name]} for name in wanted]
    answer = {"model_name": rows[0]["model"], "model_version": rows[0]["version"], "outputs": outputs}
    return answer | ({"id": infer.id} if infer.id else {})
