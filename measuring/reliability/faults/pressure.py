"""More than the server can take, or slower."""

import time
from collections.abc import Sequence
from http.client import HTTPConnection
from statistics import median

from deploy.local.settings import HOST
from deploy.local.stack import Stack
from inkserve.client import Recogniser
from measuring.common.drawings import drawings
from measuring.reliability.faults.common import (
    ALL_RIGHT,
    MODEL,
    QUEUE,
    QUEUE_IS_FULL,
    REQUEST_TIMEOUT_S,
    RESPONSE_TIMEOUT_S,
    SLOW,
    WORKER_DIED,
    asking,
    management,
    predictions,
    told,
    yes,
)
from measuring.reliability.load import OK, Load, plainly, with_client
from measuring.reliability.outcome import Row

TOO_SLOW_S = 3 * RESPONSE_TIMEOUT_S
WAIT_S = 0.1  # of each request while the queue is full
HALVES = 50  # connections
TRIES = 9  # of the client, which waits up to 3 s between them


def queue_full(stack: Stack, _: float) -> Sequence[Row]:
    """Ask a slow recogniser more than its queue holds."""
    url = predictions(stack, SLOW)
    patient = Recogniser(SLOW, stack.settings.url("INFERENCE_PORT"), tries=TRIES)
    with patient, Load(with_client(patient, drawings()), threads=2) as retrying:
        with Load(plainly(url, drawings(), **{"X-Wait-S": str(WAIT_S)}), threads=4 * QUEUE) as load:
            time.sleep(2)
            waiting = next(each.waiting for each in management(stack).versions() if each.model == SLOW)
        retrying.wait_for_answers(2)  # the crowd has gone
    refused = [each.took_s for each in load.sent if each.outcome != OK]
    return [
        Row(
            "queue full: refused with a clear body",
            "200, or 503 with TorchServe's body",
            told(load),
            set(load.failed()) == {QUEUE_IS_FULL},
        ),
        Row(
            "queue full: refused at once",
            f"sooner than an answer can be there, {WAIT_S} s",
            f"{median(refused):.3f} s in the middle" if refused else "none refused",
            bool(refused) and median(refused) < WAIT_S,
            is_timed=True,
        ),
        Row("queue full: nothing piles up", f"at most {QUEUE} waiting", str(waiting), waiting <= QUEUE),
        Row("queue full: our client waits its turn", ALL_RIGHT, told(retrying), not retrying.failed()),
    ]


def handler_too_slow(stack: Stack, _: float) -> Sequence[Row]:
    """Let a handler take longer than its responseTimeout, beside a recogniser that must not notice."""
    url = predictions(stack, SLOW)
    with asking(stack) as others:
        began_s = time.monotonic()
        outcome = plainly(url, drawings(), **{"X-Wait-S": str(TOO_SLOW_S)})()
        took_s = time.monotonic() - began_s
        again = Load(plainly(url, drawings()), threads=1)
        with again:
            is_back = again.wait_for_answers(3)
    return [
        Row("slow handler: given up and told", " or ".join(sorted(WORKER_DIED)), outcome, outcome in WORKER_DIED),
        Row(
            "slow handler: before it is through",
            f"under {TOO_SLOW_S} s",
            f"{took_s:.1f} s",
            took_s < TOO_SLOW_S,
            is_timed=True,
        ),
        Row("slow handler: another worker takes its place", "yes, by itself", yes(is_back), is_back),
        Row("slow handler: the other recogniser does not notice", ALL_RIGHT, told(others), not others.failed()),
    ]


def half_a_request(stack: Stack, _: float) -> Sequence[Row]:
    """Open connections that never send the end of their request."""
    port = stack.settings.ports["INFERENCE_PORT"]
    halves = [HTTPConnection(HOST, port, timeout=20 * REQUEST_TIMEOUT_S) for _ in range(HALVES)]
    for half in halves:
        half.putrequest("POST", f"/predictions/{MODEL}")
        half.putheader("Content-Length", "1000")
        half.endheaders(b"half")
    ended = 0
    with asking(stack) as load:
        for half in halves:
            try:
                ended += not half.sock.recv(1)
            except ConnectionError:
                ended += 1
            except TimeoutError:
                pass
            half.close()
        load.wait_for_answers(20)
    return [
        Row(
            "half a request: the connection is ended", f"{HALVES} of {HALVES}", f"{ended} of {HALVES}", ended == HALVES
        ),
        Row("half a request: others are answered meanwhile", ALL_RIGHT, told(load), not load.failed()),
    ]
