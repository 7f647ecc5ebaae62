"""Batches from TorchServe's front end, read by this project's worker and by TorchServe's own."""

import socket
import struct
import threading

import pytest
from ts.protocol import otf_message_handler as protocol
from ts.service import Service

from handwriting.serving.messages import replace_reading, unused_name

REPLACED = (
    (protocol, "_retrieve_buffer"),
    (protocol, "_retrieve_inference_msg"),
    (Service, "retrieve_data_for_inference"),
)
PICTURE = bytes(range(256)) * 40


def field(content: bytes) -> bytes:
    return struct.pack("!i", len(content)) + content


def request(
    *parts: tuple[bytes, bytes, bytes], headers: tuple[tuple[bytes, bytes], ...] = ((b"name", b"value"),)
) -> bytes:
    """A request as TorchServe's front end sends it."""
    fields = [b"".join(map(field, each)) for each in headers]
    content = field(b"id") + b"".join(fields) + END
    return content + b"".join(b"".join(map(field, part)) for part in parts) + END


def batch(*requests: bytes) -> bytes:
    return b"I" + b"".join(requests) + END


END = struct.pack("!i", -1)
FRAME = (b"body", b"image/png", PICTURE)
FORM = ((b"a", b"image/png", b"1"), (b"b", b"", b""), ("ä".encode(), b"image/jpeg", b"3"))
NO_HEADERS = request(FRAME, headers=())
BATCHES = (batch(request(FRAME), request(FRAME), request(FRAME)), batch(request(*FORM), NO_HEADERS, request()), batch())


@pytest.fixture
def ours(monkeypatch):
    """TorchServe's worker with this project's reading, for one test."""
    for owner, name in REPLACED:
        kept = getattr(owner, name)
        monkeypatch.setattr(owner, name, staticmethod(kept) if owner is Service else kept)
    replace_reading()


def received(content: bytes, batches: int, pieces: int = 1) -> list:
    """What the worker's `Service` has of each batch: headers, bodies and ids."""
    front_end, worker = socket.socketpair()
    found = []
    with front_end, worker:
        worker.settimeout(10)

        def send() -> None:
            step = -(-len(content) // pieces)
            for start in range(0, len(content), step):
                front_end.sendall(content[start : start + step])
            front_end.shutdown(socket.SHUT_WR)

        threading.Thread(target=send).start()
        for _ in range(batches):
            command, message = protocol.retrieve_msg(worker)
            assert command == b"I"
            headers, inputs, ids = Service.retrieve_data_for_inference(message)
            found.append(([each.get_request_properties() for each in headers], inputs, ids))
        with pytest.raises(SystemExit):  # as TorchServe ends when the front end is gone
            protocol.retrieve_msg(worker)
    return found


@pytest.mark.parametrize("pieces", [1, 7, 500])
def test_requests_arrive_whole_however_the_bytes_come(ours, pieces):
    for headers, inputs, ids in received(BATCHES[0] * 4, 4, pieces):
        assert ids == {0: "id", 1: "id", 2: "id"}
        assert inputs == [{"body": PICTURE}] * 3
        assert headers[2] == {"body": {"content-type": "image/png"}, "name": "value"}


def test_torchserve_alone_gives_the_same(request):
    plain = received(b"".join(BATCHES), len(BATCHES), 3)
    request.getfixturevalue("ours")
    assert received(b"".join(BATCHES), len(BATCHES), 3) == plain


def test_the_names_of_headers_are_in_lower_case(ours):
    written = request((b"Body", b"", b""), headers=((b"X-Request-Id", b"Mine"), (b"HOST", b"A")))
    [[[headers], _, _]] = received(batch(written), 1)
    assert headers == {"Body": {"content-type": ""}, "x-request-id": "Mine", "host": "A"}


def test_a_body_larger_than_the_buffer_is_read_to_its_end(ours):
    large = bytes(range(251)) * 20_000  # 5 MB
    [[_, inputs, _], [_, after, _]] = received(batch(request((b"body", b"", large)), NO_HEADERS) + BATCHES[0], 2)
    assert inputs == [{"body": large}, {"body": PICTURE}]
    assert len(after) == 3


def test_json_and_texts_arrive_as_they_were_sent(ours):
    parts = (b"a", b"application/json", b'{"a": 1'), (b"b", b"text/plain", b"\xff")
    [[_, inputs, _]] = received(batch(request(*parts)), 1)
    assert inputs == [{"a": b'{"a": 1', "b": b"\xff"}]


def test_parts_of_one_name_are_all_kept(ours):
    names = [b"file", b"file", b"file (2)", b"top_k", b"file"]
    parts = [(name, b"image/png", str(i).encode()) for i, name in enumerate(names)]
    [[headers, inputs, _]] = received(batch(request(*parts)), 1)
    assert list(inputs[0].values()) == [b"0", b"1", b"2", b"3", b"4"]
    assert all(headers[0][name] == {"content-type": "image/png"} for name in inputs[0])


def test_names_that_look_like_numbered_ones_stay_apart():
    taken: dict[str, bytes] = {}
    counts: dict[str, int] = {}
    for name in ("a", "a (2)", "a", "a", "a (2)", "a"):
        taken[unused_name(name, taken, counts)] = b""
    assert len(taken) == 6
    assert list(taken)[:2] == ["a", "a (2)"]


def test_very_many_parts_of_one_name_are_numbered_in_one_go(ours):
    count = 100_000  # by trying every number for each it would take minutes
    parts = [(b"a", b"", b"")] * count
    [[_, inputs, _]] = received(batch(request(*parts)), 1)
    assert len(inputs[0]) == count
    assert f"a ({count})" in inputs[0]
