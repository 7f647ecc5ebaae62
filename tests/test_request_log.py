"""The log of requests that failed: one line of JSON each, and what it must not hold."""

import json
import logging
import time
import uuid

import numpy as np
import pytest
import requests
from ts.context import Context, RequestProcessor

from handwriting.errors import InternalError, InvalidImage
from handwriting.parsing import ParsedRequest
from handwriting.serving import RecogniserHandler
from handwriting.serving.batch import PreparedRequest
from handwriting.serving.memory import MemoryTrimmer
from handwriting.serving.request_log import RequestLog, client_request_id
from handwriting.serving.responses import reject
from handwriting.serving.worker import read_level
from inkserve.client import Recogniser, Rejected

TIMEOUT_S = 60
WRITTEN_S = 90  # from an answer to its line in the log
NASTY = ["", "two words", "a" * 65, 'a"}{"b', "a\u2028b", "../../etc/passwd", "a;b", "ü"]


def make_context(*headers: dict) -> Context:
    context = Context("digits", ".", {}, 8, None, "0.12.0")
    context.request_processor = [RequestProcessor(each) for each in headers]
    context.request_ids = {i: f"own-{i}" for i in range(len(headers))}
    return context


def written(caplog) -> list[dict]:
    return [json.loads(record.getMessage()) for record in caplog.records]


def test_an_id_is_taken_from_the_header():
    headers = {"body": {"content-type": ""}, "x-request-id": "order_17.a-B"}
    assert client_request_id(make_context(headers), 0) == "order_17.a-B"


@pytest.mark.parametrize("given", NASTY)
def test_an_id_with_other_characters_is_ignored(given):
    assert client_request_id(make_context({"x-request-id": given}), 0) == ""


def test_a_part_of_a_form_is_no_header():
    assert client_request_id(make_context({"x-request-id": {"content-type": "image/png"}}), 0) == ""


def test_only_failed_requests_are_logged_each_with_its_own_id(caplog):
    good = PreparedRequest(ParsedRequest([b""], None, False, 3), [], False)
    context = make_context({}, {"x-request-id": "mine"}, {})
    RequestLog("digits", "1.0").log_failures([good, InvalidImage("blank"), InternalError("why")], context, 0.0125)
    refused, failed = written(caplog)
    assert (refused["request_id"], refused["torchserve_id"]) == ("mine", "own-1")
    assert (refused["status"], refused["type"], refused["message"]) == (400, "InvalidImage", "blank")
    assert (refused["model"], refused["version"], refused["handler_ms"]) == ("digits", "1.0", 12.5)
    assert refused["time"].endswith("Z")
    assert (failed["request_id"], failed["status"], failed["level"]) == ("own-2", 500, "error")


def test_a_request_whose_pictures_failed_gets_one_line_with_their_number(caplog):
    pages = [InvalidImage("first"), *[InvalidImage("later")] * 4]
    request = PreparedRequest(ParsedRequest([b""] * 5, None, True, 3), pages, False)
    RequestLog("digits", "1.0").log_failures([request], make_context({}), 0.001)
    [line] = written(caplog)
    assert (line["status"], line["pictures"], line["failed"], line["message"]) == (200, 5, 5, "first")


def test_a_lost_batch_is_a_line_for_each_of_its_requests(caplog):
    RequestLog("digits", "1.0").log_lost_batch(2, make_context({}, {}), 0.001, ZeroDivisionError("secret"))
    assert [line["request_id"] for line in written(caplog)] == ["own-0", "own-1"]
    assert {line["status"] for line in written(caplog)} == {503}
    assert "secret" not in caplog.text


def test_a_batch_that_raises_is_logged_and_still_raises(caplog, monkeypatch):
    def fail(*_):
        raise MemoryError

    handler = RecogniserHandler()
    handler.request_log, handler.memory = RequestLog("digits", "1.0"), MemoryTrimmer()
    monkeypatch.setattr(handler, "answer_batch", fail)
    with pytest.raises(MemoryError):
        handler.handle([{}, {}], make_context({}, {}))
    assert [line["message"] for line in written(caplog)] == ["Prediction failed: MemoryError"] * 2


def test_a_line_stays_one_whatever_the_message_holds(caplog):
    RequestLog("digits", "1.0").log_failures([InvalidImage("a\nb\u2028c\x85" * 200)], make_context({}), 0.001)
    [record] = caplog.records
    assert record.getMessage().isascii()
    assert len(record.getMessage().splitlines()) == 1
    assert len(json.loads(record.getMessage())["message"]) == 300


def test_an_error_has_the_id_in_its_body_only_where_the_client_named_one():
    context = make_context({"x-request-id": "mine"}, {"x-request-id": "not mine"})
    shape = {"code": 400, "type": "InvalidImage", "message": "blank"}
    assert json.loads(reject(context, 0, InvalidImage("blank"))) == shape | {"request_id": "mine"}
    assert json.loads(reject(context, 1, InvalidImage("blank"))) == shape


@pytest.mark.parametrize(
    ("name", "level"),
    [("warning", logging.WARNING), ("WARN", logging.WARNING), ("info", logging.INFO), ("off", logging.CRITICAL + 1)],
)
def test_a_level_has_the_names_of_python_and_log4j(name, level):
    assert read_level(name) == level


def test_an_unknown_level_is_an_error():
    with pytest.raises(RuntimeError, match="LOG_LEVEL is 'loud'; wanted debug, info"):
        read_level("loud")


def lines_of(stack, request_id: str) -> list[dict]:
    """The lines of a request; those of requests before it are there when its own is."""
    path = stack.settings.logs / "requests.log"
    deadline = time.monotonic() + WRITTEN_S
    while True:
        lines = [json.loads(line) for line in path.read_text().splitlines()]  # each line is JSON, or this fails
        found = [line for line in lines if line["request_id"] == request_id]
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


@pytest.mark.server
def test_the_server_logs_the_clients_id_of_a_bad_request_and_returns_it(stack):
    named = uuid.uuid4().hex
    headers = {"X-Request-Id": named, "Authorization": "Bearer very-secret-token"}
    body = b"not a picture, but private words"
    answer = requests.post(stack.predictions_url, data=body, headers=headers, timeout=TIMEOUT_S)
    assert answer.status_code == 400
    assert set(answer.json()) == {"code", "type", "message", "request_id"}
    assert answer.json()["request_id"] == named
    [line] = lines_of(stack, named)
    assert (line["status"], line["type"], line["model"], line["version"]) == (400, "InvalidImage", "digits", "1.0")
    assert line["torchserve_id"] == answer.headers["x-request-id"]
    assert line["message"] == answer.json()["message"]
    assert line["handler_ms"] > 0
    logs = "".join(path.read_text() for path in stack.settings.logs.glob("*.log"))
    assert "very-secret-token" not in logs
    assert "private words" not in logs
    assert named not in (stack.settings.logs / "workers.log").read_text()


@pytest.mark.server
def test_the_python_client_names_its_requests(stack):
    named = uuid.uuid4().hex
    with Recogniser("digits", stack.inference_url, top_k=99) as digits, pytest.raises(Rejected):
        digits.predict(np.zeros((50, 50), np.uint8), request_id=named)
    [line] = lines_of(stack, named)
    assert line["type"] == "InvalidRequest"


@pytest.mark.server
def test_the_server_replaces_an_invalid_id_with_its_own(stack):
    headers = {"X-Request-Id": 'a"} {"time": "x'}
    answer = requests.post(stack.predictions_url, data=b"no picture", headers=headers, timeout=TIMEOUT_S)
    assert "request_id" not in answer.json()
    [line] = lines_of(stack, answer.headers["x-request-id"])
    assert "torchserve_id" not in line


@pytest.mark.server
def test_the_server_logs_one_line_for_many_pictures_and_none_for_a_good_one(stack, seven):
    good, many = uuid.uuid4().hex, uuid.uuid4().hex
    requests.post(stack.predictions_url, data=seven, headers={"X-Request-Id": good}, timeout=TIMEOUT_S)
    files = {"a": b"x", "b": seven, "c": b"y"}
    answer = requests.post(stack.predictions_url, files=files, headers={"X-Request-Id": many}, timeout=TIMEOUT_S)
    assert answer.status_code == 200
    [line] = lines_of(stack, many)
    assert (line["status"], line["pictures"], line["failed"]) == (200, 3, 2)
    assert good not in (stack.settings.logs / "requests.log").read_text()
