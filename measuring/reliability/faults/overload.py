"""More requests than the server can take, slow handlers, and incomplete requests."""

import time
from collections.abc import Sequence
from http.client import HTTPConnection
from statistics import median

from deploy.local.settings import HOST
from measuring.common.criteria import Criterion
from measuring.reliability.faults.background_load import OK, BackgroundLoad, with_retries
from measuring.reliability.faults.faulty_server import (
    MODEL,
    QUEUE_SIZE,
    REQUEST_TIMEOUT_S,
    RESPONSE_TIMEOUT_S,
    SLOW,
    WORKER_DIED,
    FaultyServer,
    no_failure,
    yes_or_no,
)

TOO_SLOW_S = 3 * RESPONSE_TIMEOUT_S
WAIT_S = 0.1  # of each request while the queue is full
INCOMPLETE = 50  # connections
QUEUE_IS_FULL = {"status 503 ServiceUnavailableException"}


def queue_full(server: FaultyServer, _: float) -> Sequence[Criterion]:
    """Send more requests to a slow recogniser than its queue holds."""
    with server.client(SLOW) as recogniser, BackgroundLoad(with_retries(recogniser), threads=2) as retrying:
        with server.load(SLOW, 4 * QUEUE_SIZE, **{"X-Wait-S": str(WAIT_S)}) as load:
            time.sleep(2)
            waiting = server.versions(SLOW)[0].waiting
        retrying.wait_for_answers(2)
    times_s = [each.took_s for each in load.sent if each.outcome != OK]
    median_s = median(times_s) if times_s else float("inf")
    found = f"median {median_s:.3f} s"
    refused, wanted = "queue full: refused with TorchServe's body", "200, or 503 with TorchServe's body"
    at_once, early = "queue full: refused at once", f"before an answer is possible, {WAIT_S} s"
    in_queue = "queue full: requests in the queue"
    return [
        Criterion(refused, wanted, str(load), load.failed() == QUEUE_IS_FULL),
        Criterion(at_once, early, found, median_s < WAIT_S, True),
        Criterion(in_queue, f"at most {QUEUE_SIZE}", str(waiting), waiting <= QUEUE_SIZE),
        no_failure("queue full: our client retries until it has a prediction", retrying),
    ]


def handler_too_slow(server: FaultyServer, _: float) -> Sequence[Criterion]:
    """Let a handler exceed its responseTimeout while another recogniser is under load."""
    with server.load() as others:
        began_s = time.monotonic()
        outcome = server.ask_once(SLOW, **{"X-Wait-S": str(TOO_SLOW_S)})()
        took_s = time.monotonic() - began_s
        with server.load(SLOW, 1) as again:
            is_back = again.wait_for_answers(3)
    before = "slow handler: answered before it returns"
    return [
        Criterion("slow handler: 5xx", " or ".join(sorted(WORKER_DIED)), outcome, outcome in WORKER_DIED),
        Criterion(before, f"under {TOO_SLOW_S} s", f"{took_s:.1f} s", took_s < TOO_SLOW_S, True),
        yes_or_no("slow handler: a new worker replaces it", is_back, "yes, by itself"),
        no_failure("slow handler: the other recogniser is not affected", others),
    ]


def half_a_request(server: FaultyServer, _: float) -> Sequence[Criterion]:
    """Open connections that never send the end of their request."""
    port = server.stack.settings.ports["INFERENCE_PORT"]
    connections = [HTTPConnection(HOST, port, timeout=20 * REQUEST_TIMEOUT_S) for _ in range(INCOMPLETE)]
    for each in connections:
        each.putrequest("POST", f"/predictions/{MODEL}")
        each.putheader("Content-Length", "1000")
        each.endheaders(b"half")
    with server.load() as load:
        closed = sum(is_closed(each) for each in connections)
        load.wait_for_answers(20)
    wanted, found = f"{INCOMPLETE} of {INCOMPLETE}", f"{closed} of {INCOMPLETE}"
    return [
        Criterion("incomplete requests: the connection is closed", wanted, found, closed == INCOMPLETE),
        no_failure("incomplete requests: other requests are answered", load),
    ]


def is_closed(connection: HTTPConnection) -> bool:
    """Wait until the server closes a connection; False if it does not in time."""
    try:
        return not connection.sock.recv(1)
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    finally:
        connection.close()
