"""The campaign of bad input itself, against servers that answer right and wrong."""

import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from measuring.common.criteria import Criterion
from measuring.common.example_digits import drawings
from measuring.reliability import CampaignError, campaign, verdict
from measuring.reliability.answer_counts import AnswerCounts
from measuring.reliability.campaign import Campaign, run, send_again
from measuring.reliability.corpus.case import Case
from measuring.reliability.expected import (
    READ_OR_REFUSED,
    compare,
    compare_with_api,
    read_as,
    refused,
    status_in,
)
from measuring.reliability.fuzzing import generate
from measuring.reliability.http_wire import CLOSED, Answer, Request, load, receive
from measuring.reliability.server_state import ServerState
from measuring.reliability.valid_requests import ValidAnswers
from measuring.reliability.verdict import judge_answers, judge_server, judge_valid_requests
from tests.answering import SEVEN, closed_port

REFUSAL = {"code": 400, "type": "InvalidImage", "message": "why"}


def answered(status: int, document: object = None, **options) -> Answer:
    return Answer(status, b"" if document is None else json.dumps(document).encode(), **options)


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        (answered(200, SEVEN), ""),
        (answered(200, {"predictions": [SEVEN, {"error": REFUSAL}]}), ""),
        (answered(200, {"a": 1}), "without a prediction"),
        (answered(200), "without a prediction"),
        (answered(400, REFUSAL), ""),
        (answered(400, REFUSAL | {"code": 500}), "with the code 500"),
        (answered(400, {"code": 400}), "expected code, type and message"),
        (answered(400, REFUSAL | {"message": "a" * 10_000}), "a message of 10000 characters"),
        (answered(400, REFUSAL | {"message": ""}), "a message of 0 characters"),
        (answered(400), "expected code, type and message"),
        (answered(413), "expected code, type and message"),
        (answered(500, REFUSAL | {"code": 500}), "status 500 InvalidImage"),
        (answered(302), "status 302"),
        (answered(CLOSED), "closed without an answer"),
        (answered(CLOSED, time_s=3.0, timed_out=True), "no answer within 3 s"),
    ],
)
def test_an_answer_is_2xx_with_a_prediction_or_a_documented_4xx(answer, wrong):
    found = compare_with_api(Request(), answer)
    assert found == wrong if not wrong else wrong in found


@pytest.mark.parametrize(
    ("expected", "answer", "wrong"),
    [
        (read_as("7"), answered(200, SEVEN), ""),
        (read_as("7"), answered(200, SEVEN | {"label": "1"}), r"reads \('1',\); expected \('7',\)"),
        (read_as("7", "InvalidImage"), answered(200, {"predictions": [SEVEN, {"error": REFUSAL}]}), ""),
        (read_as("7"), answered(400, REFUSAL), r"status 400 InvalidImage; expected \[200\]"),
        (refused(400, "InvalidImage"), answered(400, REFUSAL), ""),
        (refused(400, "InvalidRequest"), answered(400, REFUSAL), "type InvalidImage; expected"),
        (refused(400), answered(200, SEVEN), r"status 200 ; expected \[400\]"),
        (READ_OR_REFUSED, answered(503, REFUSAL), "status 503"),
        (READ_OR_REFUSED, answered(CLOSED, timed_out=True), "no answer"),
        (status_in(CLOSED), answered(CLOSED), ""),
    ],
)
def test_an_answer_is_compared_with_the_expected_one(expected, answer, wrong):
    found = compare(answer, expected)
    assert bool(found) == bool(wrong)
    assert re.search(wrong, found)


def test_a_request_that_was_kept_is_the_same_again():
    request = Request(b"\x00\xff", "/a?b", (("X-A", "\u00e9"),), "PUT", length="7")
    assert load(request.dump()).to_bytes() == request.to_bytes()
    assert b"Content-Length: 7\r\n" in request.to_bytes()
    assert b"Content-Length" not in Request(length="").to_bytes()


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"HTTP/1.1 400 Bad\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 500 x\r\n\r\n", 400),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 \r\ncontent-length: 0\r\n\r\n", 200),
        (b"HTTP/1.1 200 OK\r\nContent-Le", CLOSED),
        (b"", CLOSED),
        (b"\xff\xff\r\n\r\n", CLOSED),
    ],
)
def test_the_first_final_answer_counts(content, status):
    server, client = socket.socketpair()
    with server, client:
        server.sendall(content)
        server.shutdown(socket.SHUT_WR)
        answer = receive(client, "POST", 0.0)
    assert (answer.status, answer.timed_out) == (status, False)


def test_a_server_that_never_answers_times_out():
    server, client = socket.socketpair()
    with server, client:
        client.settimeout(0.05)
        answer = receive(client, "POST", 0.0)
    assert (answer.status, answer.timed_out) == (CLOSED, True)


def test_a_seed_makes_the_same_requests():
    first, again, other = [], [], []
    for number, made in ((3, first), (3, again), (4, other)):
        generate(30, number, made.append)
    assert first == again != other
    assert len({mutant.name for mutant in first}) > 3


@pytest.fixture
def no_canary(monkeypatch, tmp_path):
    """The file that a loaded pickle makes; it is missing."""
    monkeypatch.setattr(verdict, "CANARY", tmp_path / "canary")
    return tmp_path / "canary"


STATE = ServerState({"a": 1, "b": 2}, {"a": 100, "b": 100}, frozenset(), 50)


@pytest.mark.parametrize(
    ("after", "missed"),
    [
        (STATE, []),
        (replace(STATE, workers={"a": 1, "b": 3}), ["workers that ended: b"]),
        (replace(STATE, workers={"a": 1}), ["workers that ended: b"]),
        (replace(STATE, memory_bytes={"a": 100, "b": 106}), ["memory of the worker that grew most: +6.0%"]),
        (replace(STATE, uploads=frozenset({"FUp_1"})), ["temporary files left behind: 1"]),
        (replace(STATE, broken_log_lines=1), ["lines of requests.log that are not JSON: 1"]),
        (replace(STATE, descriptors=90), ["additional descriptors of the front end: +40"]),
    ],
)
def test_what_a_server_has_lost_or_kept_is_missed(no_canary, after, missed):
    rows = [f"{row.what}: {row.found}" for row in judge_server(STATE, after) if not row.is_met]
    assert [row.partition(" (")[0] for row in rows] == missed


def test_valid_requests_that_are_wrong_or_slow_are_missed():
    idle = ValidAnswers([1.0] * 99 + [2.0])
    assert all(row.is_met for row in judge_valid_requests(idle, ValidAnswers([2.0] * 100)))
    right, quick = judge_valid_requests(idle, ValidAnswers([9.0] * 100, ["wrong label: 1 for a 7"]))
    assert (right.is_met, right.found) == (False, "100")
    assert not quick.is_met
    assert not any(row.is_met for row in judge_valid_requests(idle, ValidAnswers()))


def test_answers_that_are_not_as_they_should_be_are_missed_and_kept():
    counts = AnswerCounts()
    counts.add("good", Request(), answered(200, SEVEN))
    assert all(row.is_met for row in judge_answers(counts))
    counts.add("bad", Request(b"x"), answered(500, REFUSAL | {"code": 500}))
    counts.add("slow", Request(), answered(CLOSED, timed_out=True))
    assert not any(row.is_met for row in judge_answers(counts))
    [bad, _] = [json.loads(line) for line in counts.kept]
    assert (bad["name"], bad["wrong"], load(bad["request"]).to_bytes()) == (
        "bad", "status 500 InvalidImage", Request(b"x").to_bytes(),
    )  # fmt: skip


def test_a_pickle_that_was_loaded_is_missed(no_canary):
    no_canary.touch()
    [missed] = [row for row in judge_server(STATE, STATE) if not row.is_met]
    assert missed.what == "pickles that were loaded"


LABELS = {each.content: each.label for each in drawings()}
Reply = Callable[[bytes], tuple[int, dict] | None]  # to a body; None is silence


def reader(bad: tuple[int, dict] | None, label: Callable[[str], str] = str) -> Reply:
    """Reads our drawings, and answers all else in one way."""
    return lambda body: (200, SEVEN | {"label": label(LABELS[body])}) if body in LABELS else bad


@contextmanager
def pretended(reply: Reply) -> Iterator[str]:
    """A server that answers each POST as it likes, and says that one process here is its worker."""
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            found = reply(self.rfile.read(int(self.headers["Content-Length"])))
            if found is None:
                ended.wait(60)
                self.close_connection = True
            else:
                self.say(*found)

        def do_GET(self) -> None:
            model = {
                "modelName": "a",
                "modelVersion": "1.0",
                "workers": [{"id": "9000", "pid": worker.pid, "status": "READY"}],
            }
            self.say(200, [model] if self.path.startswith("/models/") else {"models": [model]})

        def say(self, status: int, document: object) -> None:
            content = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with (
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as worker,
        ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server,
    ):
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            ended.set()
            server.shutdown()
            worker.kill()


@pytest.fixture
def found(monkeypatch, tmp_path):
    """Runs a campaign of ten requests against a server with these answers, and returns its criteria by name."""
    monkeypatch.setattr(campaign, "IDLE_S", 0.3)
    monkeypatch.setattr(campaign, "SETTLING_S", 0.0)
    monkeypatch.setattr(campaign, "CANARY", tmp_path / "canary")
    cases = [Case(f"no picture {i}", refused(400), Request(b"x")) for i in range(10)]

    def bombard(reply: Reply, limit_s: float = 60.0) -> dict[str, Criterion]:
        with pretended(reply) as url:
            findings = run(Campaign(url, url, 10, connections=5, limit_s=limit_s, cases=cases, folder=tmp_path))
        return {row.what: row for row in findings.criteria}

    return bombard


ANSWERED = "bad requests answered as documented"
SERVER_ERRORS = "5xx answers"
SILENT = "requests without an answer in time"
VALID = "valid requests between them, answered right"


def test_a_campaign_is_content_with_a_server_that_refuses_as_documented(found, tmp_path):
    rows = found(reader((400, REFUSAL)))
    assert all(rows[what].is_met for what in (ANSWERED, SERVER_ERRORS, SILENT, VALID, "workers that ended"))
    assert rows[ANSWERED].wanted == "all of 10"
    assert (tmp_path / "unexpected.jsonl").read_text() == ""


def test_a_campaign_misses_a_server_that_answers_500_and_keeps_the_requests(found, tmp_path):
    failing = reader((500, REFUSAL | {"code": 500}))
    rows = found(failing)
    assert (rows[ANSWERED].is_met, rows[ANSWERED].found) == (False, "all but 10")
    assert (rows[SERVER_ERRORS].is_met, rows[SERVER_ERRORS].found) == (False, "10")
    kept, said = tmp_path / "unexpected.jsonl", []
    with pretended(failing) as url:
        assert send_again(url, kept, 60.0, said.append) == 1
    assert len(said) == 10
    assert all("status 500 InvalidImage" in line for line in said)
    with pretended(reader((400, REFUSAL))) as url:
        assert send_again(url, kept, 60.0, said.append) == 0


def test_a_campaign_misses_a_server_that_is_silent(found):
    rows = found(reader(None), limit_s=3.0)
    assert (rows[SILENT].is_met, rows[SILENT].found) == (False, "10")
    assert not rows[ANSWERED].is_met


def test_a_campaign_misses_wrong_labels_of_valid_requests(found):
    is_confused = threading.Event()  # from the first bad request on
    right, wrong = (reader((400, REFUSAL), label) for label in (str, lambda _: "no digit"))

    def reply(body: bytes) -> tuple[int, dict] | None:
        if body not in LABELS:
            is_confused.set()
        return wrong(body) if is_confused.is_set() else right(body)

    rows = found(reply)
    assert not rows[VALID].is_met
    assert rows[ANSWERED].is_met


def test_a_server_that_is_not_there_is_an_error():
    with pytest.raises(CampaignError, match="reads no picture"):
        run(Campaign(closed_port(), closed_port(), 10, cases=[]))


def test_kept_requests_that_are_none_are_an_error(tmp_path):
    with pytest.raises(CampaignError, match="holds no requests"):
        send_again(closed_port(), tmp_path / "nothing", 1.0)
