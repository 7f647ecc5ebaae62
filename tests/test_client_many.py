"""Many pictures through the client: against the real server, and a small one for what goes wrong."""

import io
import sys
import threading
import time
import tracemalloc

import numpy as np
import pytest

from handwriting.preprocess import MAX_BYTES
from inkserve import Prediction, Recogniser, Rejected, ServerDown, UnusablePicture
from inkserve.client import bulk
from inkserve.client.bulk import FINISHED, FIRST_PICTURES, IN_FLIGHT, PICTURES
from tests.answering import QUEUE_FULL, SEVEN, SILENCE, answering, closed_port, error, in_turn, pictures_of, sevens
from tests.conftest import drawings
from tests.pictures import encode

SHORT_S = (1.0, 0.5)  # connect, read


def pictures(count: int) -> list[bytes]:
    return [str(number).encode() for number in range(count)]


def read(url: str, given, tries: int = 1, **options) -> list:
    """All results."""
    with Recogniser("digits", url, tries=tries, timeout_s=options.pop("timeout_s", SHORT_S), **options) as recogniser:
        return list(recogniser.predict_many(given))


# The real server


@pytest.mark.server
def test_drawings_are_read_in_order(stack):
    results = read(stack.inference_url, drawings() * 5, timeout_s=(3, 60))
    assert [result.label for result in results] == [path.stem[0] for path in drawings()] * 5
    assert {(result.model, result.version) for result in results} == {("digits", "1.0")}


@pytest.mark.server
def test_a_bad_picture_has_its_error_in_its_place(stack, seven, tmp_path):
    blank = encode(np.full((50, 50), 255, np.uint8))
    given = [seven, b"no picture", b"", blank, tmp_path / "missing.png", np.zeros(3), seven]
    results = read(stack.inference_url, given, version="1.0", timeout_s=(3, 60))
    assert [result.label if isinstance(result, Prediction) else result.type for result in results] == [
        "7", "InvalidImage", "InvalidImage", "InvalidImage", "UnusablePicture", "UnusablePicture", "7",
    ]  # fmt: skip


@pytest.mark.server
def test_a_version_that_is_not_served_is_the_error_of_each_picture(stack, seven):
    results = read(stack.inference_url, [seven] * 2, version="9.9", timeout_s=(3, 60))
    assert [result.type for result in results] == ["ModelVersionNotFoundException"] * 2


@pytest.mark.server
def test_a_request_of_sixteen_mib_is_taken(stack, seven):
    large = seven + bytes(MAX_BYTES - len(seven))  # nothing reads what follows a PNG's end
    [result] = read(stack.inference_url, [large], timeout_s=(3, 60))
    assert result.label == "7"


@pytest.mark.server
def test_with_timing_the_worker_reports_the_times_of_many_pictures(stack, seven):
    [result] = read(stack.inference_url, [seven], timing=True, timeout_s=(3, 60))
    assert 0 < result.stages_ms["inference"] <= result.stages_ms["handler"] < result.round_trip_ms


# Requests


def test_results_come_in_the_order_of_the_pictures():
    def slow_first(body: bytes):
        found = pictures_of(body)
        time.sleep(0.1 * (b"0" in found))
        return 200, {"predictions": [SEVEN | {"label": each.decode()} for each in found]}

    with answering(slow_first) as server:
        results = read(server.url, pictures(10 * PICTURES))
    assert [result.label for result in results] == [str(i) for i in range(10 * PICTURES)]


def test_pictures_go_out_many_in_a_request():
    with answering(sevens) as server:
        results = read(server.url, pictures(20 * PICTURES + 1))
    assert len(results) == 20 * PICTURES + 1
    sizes = [len(pictures_of(body)) for body in server.bodies]
    assert sum(sizes) == len(results)
    assert sizes[0] == FIRST_PICTURES
    assert max(sizes) <= PICTURES
    assert set(server.paths) == {"/predictions/digits"}


def test_quick_answers_make_requests_larger(monkeypatch):
    monkeypatch.setattr(bulk, "ROUND_TRIP_S", 60.0)  # quick, on whatever machine
    with answering(sevens) as server:
        read(server.url, pictures(20 * PICTURES))
    assert max(len(pictures_of(body)) for body in server.bodies) == PICTURES
    assert len(server.bodies) < 60


def test_slow_answers_make_requests_smaller(monkeypatch):
    monkeypatch.setattr(bulk, "ROUND_TRIP_S", 0.05)

    def slow(body: bytes):
        time.sleep(0.02 * len(pictures_of(body)))
        return sevens(body)

    with answering(slow) as server:
        read(server.url, pictures(60), timeout_s=(10, 60))
    assert {len(pictures_of(body)) for body in server.bodies[8:]} <= {1, 2}


def test_pictures_for_which_a_request_had_no_time_are_sent_again():
    unread = {"error": {"code": 400, "type": "NotRead", "message": "not read"}}

    def two_of(body: bytes):
        found = pictures_of(body)
        return 200, {
            "predictions": [SEVEN | {"label": each.decode()} for each in found[:2]] + [unread] * len(found[2:])
        }

    with answering(two_of) as server:
        results = read(server.url, pictures(FIRST_PICTURES))
    assert [result.label for result in results] == [str(i) for i in range(FIRST_PICTURES)]
    assert [len(pictures_of(body)) for body in server.bodies] == [8, 6, 4, 2]


def test_a_server_that_reads_none_of_a_request_is_not_asked_for_ever():
    unread = {"error": {"code": 400, "type": "NotRead", "message": "not read"}}
    with answering(lambda body: (200, {"predictions": [unread] * len(pictures_of(body))})) as server:
        results = read(server.url, pictures(3))
    assert [result.type for result in results] == ["NotRead"] * 3
    assert len(server.bodies) == 1


def test_version_and_top_k_are_asked_for():
    with answering(sevens) as server:
        read(server.url, pictures(1), version="1.1", top_k=5)
    assert server.paths == ["/predictions/digits/1.1"]
    assert server.headers[0]["X-Top-K"] == "5"


def test_no_request_is_over_the_limit():
    half = MAX_BYTES // 2
    with answering(sevens) as server:
        read(server.url, [bytes(size) for size in (half, half, 1, MAX_BYTES)], timeout_s=(10, 60))
    assert sorted(sum(map(len, pictures_of(body))) for body in server.bodies) == [1, 2 * half, MAX_BYTES]
    assert max(map(len, server.bodies)) < MAX_BYTES + 2**16


def test_a_picture_over_the_limit_is_not_sent():
    with answering(sevens) as server:
        results = read(server.url, [bytes(MAX_BYTES + 1), b"x"])
    assert [type(result) for result in results] == [UnusablePicture, Prediction]


def test_at_most_four_requests_are_in_flight(monkeypatch):
    together = threading.Barrier(IN_FLIGHT, timeout=60)  # nobody is answered before all are there
    lock, now, most = threading.Lock(), 0, 0

    def count(body: bytes):
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        together.wait()
        with lock:
            now -= 1
        return sevens(body)

    monkeypatch.setattr(bulk, "PICTURES", FIRST_PICTURES)
    monkeypatch.setattr(bulk, "ROUND_TRIP_S", 600.0)  # so all requests have one size, and the barrier fills
    with answering(count) as server:
        results = read(server.url, pictures(4 * IN_FLIGHT * FIRST_PICTURES), timeout_s=(10, 60))
    assert all(isinstance(result, Prediction) for result in results)
    assert most == IN_FLIGHT


def test_pictures_are_taken_as_their_turn_comes():
    taken = 0

    def given():
        nonlocal taken
        for each in pictures(100 * PICTURES):
            taken += 1
            yield each

    with answering(sevens) as server, Recogniser("digits", server.url) as recogniser:
        results = recogniser.predict_many(given())
        assert taken == 0
        next(results)
        assert taken <= (FINISHED + 1) * PICTURES
        results.close()


def test_memory_does_not_grow_with_the_number_of_pictures():
    with answering(sevens) as server, Recogniser("digits", server.url) as recogniser:
        tracemalloc.start()
        for _ in recogniser.predict_many(bytes(2**20) for _ in range(200)):
            server.bodies.clear()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    # A request is in memory as pictures and as ZIP file, and here a second time, as the small server gets it
    assert peak < (IN_FLIGHT + 1) * 4 * MAX_BYTES


def test_no_picture_gives_no_result():
    assert read(closed_port(), []) == []


def test_a_single_path_is_a_type_error():
    with pytest.raises(TypeError, match="one str"):
        Recogniser("digits").predict_many("7.png")


@pytest.mark.parametrize(("terminal", "progress"), [(True, True), (False, True), (True, False)])
def test_a_progress_bar_is_drawn_on_a_terminal_only(monkeypatch, terminal, progress):
    screen = io.StringIO()
    screen.isatty = lambda: terminal
    monkeypatch.setattr(sys, "stderr", screen)
    with answering(sevens) as server, Recogniser("digits", server.url) as recogniser:
        list(recogniser.predict_many([b"picture"] * 3, progress=progress))
    assert ("3/3" in screen.getvalue()) == (terminal and progress)


# Errors


def test_an_error_inside_an_answer_is_that_of_its_picture():
    bad = {"error": {"code": 400, "type": "InvalidImage", "message": "blank"}}
    ours = {"error": {"code": 500, "type": "InternalError", "message": "sorry"}}
    with answering((200, {"predictions": [SEVEN, bad, ours]})) as server:
        results = read(server.url, pictures(3))
    assert [type(result) for result in results] == [Prediction, Rejected, ServerDown]
    assert results[1].message == "blank"


def test_a_request_is_sent_again_after_a_full_queue():
    calls = in_turn(QUEUE_FULL, QUEUE_FULL, (200, {"predictions": [SEVEN, SEVEN]}))
    with answering(calls) as server:
        results = read(server.url, pictures(2), tries=3)
    assert len(server.bodies) == 3
    assert all(isinstance(result, Prediction) for result in results)


def test_a_request_that_fails_is_the_error_of_its_pictures_only():
    def first_fails(body: bytes):
        if not body.startswith(b"PK"):
            return 200, SEVEN  # the probe finds the server up
        return error(500, message="a worker died") if b"0" in pictures_of(body) else sevens(body)

    with answering(first_fails) as server:
        results = read(server.url, pictures(20 * PICTURES), tries=2, timeout_s=(10, 60))
    assert [i for i, result in enumerate(results) if not isinstance(result, Prediction)] == list(range(FIRST_PICTURES))
    assert "a worker died" in results[0].message


@pytest.mark.parametrize("document", [{"predictions": [SEVEN]}, {"predictions": 7}, [], {"predictions": [{}, {}]}])
def test_an_answer_of_another_shape_is_an_error(document):
    with answering((200, document)) as server:
        results = read(server.url, pictures(2))
    assert [type(result) for result in results] == [ServerDown] * 2


def test_when_the_server_is_down_the_remaining_pictures_are_not_sent():
    results = read(closed_port(), pictures(100 * PICTURES), tries=2)
    assert len(results) == 100 * PICTURES
    assert {type(result) for result in results} == {ServerDown}
    assert results[-1].message == "not sent, because the server is down: the connection is refused"


def test_a_server_that_goes_away_in_the_middle_loses_no_answer():
    with answering(sevens) as server, Recogniser("digits", server.url, tries=1) as recogniser:
        results = recogniser.predict_many(pictures(100 * PICTURES))
        first = [next(results) for _ in range(FIRST_PICTURES)]
        server.shutdown()
        server.server_close()
        recogniser.close()  # the small server's open connections would go on being answered
        rest = list(results)
    assert all(isinstance(result, Prediction) for result in first)
    assert len(rest) == 100 * PICTURES - FIRST_PICTURES
    assert isinstance(rest[-1], ServerDown)


def test_a_silent_server_is_asked_a_few_times_only(monkeypatch):
    monkeypatch.setattr(bulk, "PROBE_TIMEOUT_S", (0.5, 0.5))
    with answering(SILENCE) as server:
        results = read(server.url, pictures(20 * PICTURES), tries=5)
        assert len(server.bodies) <= 2 * IN_FLIGHT + IN_FLIGHT  # requests, and a probe after each of the first
    assert len(results) == 20 * PICTURES
    assert "does not answer in time" in results[-1].message


# Cancelling


def test_a_cancelled_run_ends_while_the_server_is_silent():
    cancelled = threading.Event()
    with answering(SILENCE) as server, Recogniser("digits", server.url, timeout_s=(1, 600)) as recogniser:
        threading.Timer(0.2, cancelled.set).start()
        assert list(recogniser.predict_many(pictures(10 * PICTURES), cancelled=cancelled)) == []


def test_a_cancelled_request_is_not_sent_again(monkeypatch):
    monkeypatch.setattr("inkserve.client.connection.FIRST_PAUSE_S", 0.01)
    cancelled = threading.Event()
    with answering(QUEUE_FULL) as server, Recogniser("digits", server.url, tries=10**9) as recogniser:
        results = recogniser.predict_many(pictures(1), cancelled=cancelled)
        threading.Timer(0.2, cancelled.set).start()
        assert list(results) == []
        give_up = time.monotonic() + 60
        while any(each.name.startswith("bulk") for each in threading.enumerate()) and time.monotonic() < give_up:
            time.sleep(0.01)  # its thread ends, so nothing is sent any more
        assert not [each for each in threading.enumerate() if each.name.startswith("bulk")]
