"""Batches of any length through the client: against the real server, and a small one for what goes wrong."""

import io
import subprocess
import sys
import threading
import time
import tracemalloc
import zipfile

import pytest

from handwriting.preprocess import MAX_BYTES
from inkserve.client import Prediction, Rejected, ServerDown, UnusablePicture
from inkserve.client import bulk as many
from inkserve.client.bulk import FIRST_PICTURES, IN_FLIGHT, PICTURES, BulkRecogniser
from tests.answering import QUEUE_FULL, SEVEN, SILENCE, answering, closed_port, error, in_turn
from tests.conftest import drawings


def contents(body: bytes) -> list[bytes]:
    """The pictures of a request."""
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return [archive.read(info) for info in archive.infolist()]


def sevens(body: bytes):
    return 200, {"predictions": [SEVEN] * len(contents(body))}


def pictures(count: int):
    return [(f"{number}.png", str(number).encode()) for number in range(count)]


def read(url: str, given, tries: int = 1, **options):
    """All rows, by index."""
    with BulkRecogniser("digits", url, tries=tries, timeout_s=(1, 0.5), **options) as recogniser:
        return sorted(recogniser.read(given), key=lambda row: row.index)


# The real server


@pytest.mark.server
def test_drawings_are_read_under_their_names(stack):
    given = [(path.name, path.read_bytes()) for path in drawings()] * 5
    with BulkRecogniser("digits", stack.inference_url) as recogniser:
        rows = sorted(recogniser.read(given), key=lambda row: row.index)
    assert [row.name for row in rows] == [name for name, _ in given]
    assert [row.result.label for row in rows] == [name[0] for name, _ in given]
    assert {(row.result.model, row.result.version) for row in rows} == {("digits", "1.0")}


@pytest.mark.server
def test_a_bad_picture_is_its_rows_error(stack, seven, tmp_path):
    given = [("a", seven), ("b", b"no picture"), ("c", b""), ("d", tmp_path / "missing"), ("e", seven)]
    with BulkRecogniser("digits", stack.inference_url, "1.0") as recogniser:
        rows = sorted(recogniser.read(given), key=lambda row: row.index)
    assert [row.result.label if isinstance(row.result, Prediction) else row.result.type for row in rows] == [
        "7", "InvalidImage", "InvalidImage", "UnusablePicture", "7",
    ]  # fmt: skip


@pytest.mark.server
def test_a_version_that_is_not_served_is_every_rows_error(stack, seven):
    with BulkRecogniser("digits", stack.inference_url, "9.9") as recogniser:
        [row] = recogniser.read([("a", seven)])
    assert row.result.type == "ModelVersionNotFoundException"


@pytest.mark.server
def test_a_request_of_sixteen_mib_is_taken(stack, seven):
    large = seven + bytes(MAX_BYTES - len(seven))  # what follows a PNG's end is not looked at
    with BulkRecogniser("digits", stack.inference_url) as recogniser:
        [row] = recogniser.read([("large.png", large)])
    assert row.result.label == "7"


# Requests


def test_pictures_go_out_many_in_a_request():
    with answering(sevens) as server:
        rows = read(server.url, pictures(20 * PICTURES + 1))
    assert [row.index for row in rows] == list(range(20 * PICTURES + 1))
    sizes = [len(contents(body)) for body in server.bodies]
    assert sum(sizes) == len(rows)
    assert sizes[0] == FIRST_PICTURES
    assert max(sizes) == PICTURES
    assert len(sizes) < 60
    assert set(server.paths) == {"/predictions/digits"}


def test_slow_pictures_go_out_few_in_a_request(monkeypatch):
    monkeypatch.setattr(many, "ROUND_TRIP_S", 0.05)

    def slow(body):
        time.sleep(0.02 * len(contents(body)))
        return sevens(body)

    with answering(slow) as server:
        read(server.url, pictures(60))
    assert {len(contents(body)) for body in server.bodies[8:]} <= {1, 2}


def test_version_and_top_k_are_asked_for():
    with answering(sevens) as server, BulkRecogniser("digits", server.url, "1.1", top_k=5) as recogniser:
        list(recogniser.read(pictures(1)))
    assert server.paths == ["/predictions/digits/1.1"]
    assert server.headers[0]["X-Top-K"] == "5"


def test_no_request_is_over_the_limit():
    half = MAX_BYTES // 2
    with answering(sevens) as server:
        read(server.url, [(str(size), bytes(size)) for size in (half, half, 1, MAX_BYTES)])
    assert sorted(sum(map(len, contents(body))) for body in server.bodies) == [1, 2 * half, MAX_BYTES]
    assert max(map(len, server.bodies)) < MAX_BYTES + 2**16


def test_a_picture_over_the_limit_is_not_sent():
    with answering(sevens) as server:
        rows = read(server.url, [("large", bytes(MAX_BYTES + 1)), ("small", b"x")])
    assert isinstance(rows[0].result, UnusablePicture)
    assert isinstance(rows[1].result, Prediction)


def test_few_requests_are_on_their_way_at_once():
    lock, now, most = threading.Lock(), 0, 0

    def count(body):
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.05)
        with lock:
            now -= 1
        return sevens(body)

    with answering(count) as server:
        read(server.url, pictures(10 * PICTURES))
    assert most == IN_FLIGHT


def test_pictures_are_taken_as_their_turn_comes():
    taken = 0

    def given():
        nonlocal taken
        for each in pictures(100 * PICTURES):
            taken += 1
            yield each

    with answering(sevens) as server, BulkRecogniser("digits", server.url) as recogniser:
        rows = recogniser.read(given())
        next(rows)
        assert taken <= (IN_FLIGHT + 1) * PICTURES
        rows.close()


def test_memory_does_not_grow_with_the_batch():
    def large(count):
        return ((str(number), bytes(2**20)) for number in range(count))

    with answering(sevens) as server, BulkRecogniser("digits", server.url) as recogniser:
        tracemalloc.start()
        for _ in recogniser.read(large(200)):
            server.bodies.clear()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    # A request is in memory as pictures and as ZIP file, and here a second time, as the small server gets it
    assert peak < (IN_FLIGHT + 1) * 4 * MAX_BYTES


# Errors


def test_an_error_inside_an_answer_is_that_of_its_picture():
    bad = {"error": {"code": 400, "type": "InvalidImage", "message": "blank"}}
    ours = {"error": {"code": 500, "type": "InternalError", "message": "sorry"}}
    with answering((200, {"predictions": [SEVEN, bad, ours]})) as server:
        rows = read(server.url, pictures(3))
    assert [type(row.result) for row in rows] == [Prediction, Rejected, ServerDown]
    assert rows[1].result.message == "blank"


def test_a_full_queue_is_waited_for():
    calls = in_turn(QUEUE_FULL, QUEUE_FULL, (200, {"predictions": [SEVEN, SEVEN]}))
    with answering(calls) as server:
        rows = read(server.url, pictures(2), tries=3)
    assert len(server.bodies) == 3
    assert all(isinstance(row.result, Prediction) for row in rows)


def test_a_request_that_fails_is_the_error_of_its_pictures_only():
    def first_fails(body):
        if not body.startswith(b"PK"):
            return 200, SEVEN  # the probe finds the server up
        return error(500, message="a worker died") if b"0" in contents(body) else sevens(body)

    with answering(first_fails) as server:
        rows = read(server.url, pictures(20 * PICTURES), tries=2)
    assert [row.index for row in rows if not isinstance(row.result, Prediction)] == list(range(FIRST_PICTURES))
    assert "a worker died" in rows[0].result.message


@pytest.mark.parametrize("document", [{"predictions": [SEVEN]}, {"predictions": 7}, [], {"predictions": [{}, {}]}])
def test_an_answer_of_another_shape_is_an_error(document):
    with answering((200, document)) as server:
        rows = read(server.url, pictures(2))
    assert [type(row.result) for row in rows] == [ServerDown] * 2


def test_when_the_server_is_down_the_rest_is_not_sent():
    began = time.monotonic()
    rows = read(closed_port(), pictures(100 * PICTURES), tries=2)
    assert time.monotonic() - began < 5
    assert len(rows) == 100 * PICTURES
    assert {type(row.result) for row in rows} == {ServerDown}
    assert rows[-1].result.message == "not sent, because the server is down: the connection is refused"


def test_a_silent_server_is_not_asked_for_ever(monkeypatch):
    monkeypatch.setattr("inkserve.client.bulk.PROBE_TIMEOUT_S", (0.5, 0.5))
    began = time.monotonic()
    with answering(SILENCE) as server:
        rows = read(server.url, pictures(20 * PICTURES), tries=5)
        assert time.monotonic() - began < 5
    assert "does not answer in time" in rows[-1].result.message


# Cancelling


def test_a_cancelled_batch_ends_within_a_second():
    cancelled = threading.Event()
    with answering(SILENCE) as server, BulkRecogniser("digits", server.url, timeout_s=(1, 5)) as recogniser:
        threading.Timer(0.2, cancelled.set).start()
        began = time.monotonic()
        assert list(recogniser.read(pictures(10 * PICTURES), cancelled)) == []
        assert time.monotonic() - began < 1


def test_a_cancelled_request_is_not_sent_again():
    cancelled = threading.Event()
    with answering(QUEUE_FULL) as server, BulkRecogniser("digits", server.url, tries=9) as recogniser:
        threading.Timer(0.2, cancelled.set).start()
        list(recogniser.read(pictures(1), cancelled))
        sent = len(server.bodies)
        time.sleep(1)
        assert len(server.bodies) <= sent + 1


def test_the_client_needs_neither_streamlit_nor_torch():
    code = "import sys; sys.modules |= {'torch': None, 'streamlit': None}; import inkserve.client.bulk"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
