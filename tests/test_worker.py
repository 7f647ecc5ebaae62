"""What TorchServe's worker does otherwise here."""

import logging
import socket
import struct
import threading

import pytest
from ts.context import Context
from ts.protocol import otf_message_handler as protocol
from ts.service import Service

from handwriting.serving.worker import (
    buffer_socket,
    is_informative,
    keep_repeated_parts,
    number_repeats,
    retrieve_data,
    silence_batch_logs,
)


def test_parts_of_one_name_are_all_kept():
    request = {"requestId": b"1", "headers": [{"name": b"a", "value": b"b"}]}
    request["parameters"] = [
        {"name": name, "value": value, "contentType": "image/png"}
        for name, value in [("file", 1), ("file", 2), ("file (2)", 3), ("top_k", 4), ("file", 5)]
    ]
    keep_repeated_parts()
    try:
        headers, inputs, _ = Service.retrieve_data_for_inference([request])
    finally:
        Service.retrieve_data_for_inference = staticmethod(retrieve_data)
    assert list(inputs[0].values()) == [1, 2, 3, 4, 5]
    assert all(headers[0].get_request_property(name)["content-type"] == "image/png" for name in inputs[0])


def field(content: bytes) -> bytes:
    return struct.pack("!i", len(content)) + content


def message(count: int) -> bytes:
    """A batch of requests as TorchServe's front end sends it."""
    request = field(b"id") + field(b"name") + field(b"value") + struct.pack("!i", -1)
    request += field(b"body") + field(b"image/png") + field(bytes(range(256)) * 40) + struct.pack("!i", -1)
    return b"I" + request * count + struct.pack("!i", -1)


@pytest.fixture
def ours(monkeypatch):
    """TorchServe's protocol with our reading, for one test."""
    for name in ("_retrieve_buffer", "_retrieve_int"):
        monkeypatch.setattr(protocol, name, getattr(protocol, name))
    buffer_socket()
    return protocol


def receive(count: int, pieces: int) -> list:
    front_end, worker = socket.socketpair()
    content = message(3) * count
    with front_end, worker:
        worker.settimeout(10)

        def send() -> None:
            step = -(-len(content) // pieces)
            for start in range(0, len(content), step):
                front_end.sendall(content[start : start + step])
            front_end.shutdown(socket.SHUT_WR)

        threading.Thread(target=send).start()
        found = [protocol.retrieve_msg(worker) for _ in range(count)]
        with pytest.raises(SystemExit):  # as TorchServe ends when the front end is gone
            protocol.retrieve_msg(worker)
    return found


@pytest.mark.parametrize("pieces", [1, 7, 500])
def test_a_buffered_socket_gives_the_same_batches(ours, pieces):
    for command, batch in receive(count=4, pieces=pieces):
        assert command == b"I"
        assert [bytes(request["requestId"]) for request in batch] == [b"id"] * 3
        assert batch[2]["headers"] == [{"name": b"name", "value": b"value"}]
        assert batch[2]["parameters"] == [{"name": "body", "contentType": "image/png", "value": bytes(range(256)) * 40}]


def test_torchserve_alone_gives_the_same(monkeypatch):
    plain = receive(count=2, pieces=3)
    for name in ("_retrieve_buffer", "_retrieve_int"):
        monkeypatch.setattr(protocol, name, getattr(protocol, name))
    buffer_socket()
    assert receive(count=2, pieces=3) == plain


@pytest.fixture
def quiet():
    """A context as a worker has it, quietened for one test."""
    context = Context("digits", ".", {}, 1, None, "0.12.0")
    silence_batch_logs(context)
    yield context
    logging.getLogger().removeFilter(is_informative)


def test_a_batch_is_not_logged_but_an_error_is(quiet, caplog):
    caplog.set_level(logging.INFO)
    front_end, worker = socket.socketpair()
    with front_end, worker:
        front_end.sendall(message(1))
        protocol.retrieve_msg(worker)  # which writes "Backend received inference at ..."
    quiet.metrics.request_ids = {0: "id"}
    quiet.metrics.add_time("PredictionTime", 1.5)
    logging.info("Frontend disconnected.")
    assert [record.message for record in caplog.records] == ["Frontend disconnected."]


def test_names_that_look_like_numbered_ones_stay_apart():
    parameters = [{"name": name} for name in ("a", "a (2)", "a", "a", "a (2)", "a")]
    number_repeats(parameters)
    names = [each["name"] for each in parameters]
    assert len(set(names)) == len(names)
    assert names[:2] == ["a", "a (2)"]


def test_very_many_parts_of_one_name_are_numbered_in_one_go():
    parameters = [{"name": "a"} for _ in range(100_000)]
    number_repeats(parameters)  # by trying every number for each it would take minutes
    assert parameters[-1]["name"] == "a (100000)"
