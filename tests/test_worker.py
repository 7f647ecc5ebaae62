"""What TorchServe's worker does otherwise here."""

import logging
import socket

import pytest
from ts.context import Context
from ts.protocol import otf_message_handler as protocol

from handwriting.serving.worker import is_informative, silence_batch_logs

END = (-1).to_bytes(4, signed=True)  # of a list, as TorchServe's front end writes it


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
        front_end.sendall(b"I" + END)
        protocol.retrieve_msg(worker)  # which writes "Backend received inference at ..."
    quiet.metrics.request_ids = {0: "id"}
    quiet.metrics.add_time("PredictionTime", 1.5)
    logging.info("Frontend disconnected.")
    assert [record.message for record in caplog.records] == ["Frontend disconnected."]
