"""Processes that are killed or terminated."""

import time
from collections.abc import Sequence

import psutil

from measuring.common.criteria import Criterion
from measuring.common.temporary_server import process_of
from measuring.reliability.faults.background_load import OK, BackgroundLoad, with_retries
from measuring.reliability.faults.faulty_server import SLOW, WORKER_DIED, FaultyServer, no_failure, yes_or_no

DIGITS_TIMEOUT_S = 30  # responseTimeout in config/digits.yaml
RESTART_S, POLL_S = 120.0, 0.2  # of a worker, on a busy machine
EXIT_S = 120.0


def workers_killed(server: FaultyServer, seconds: float) -> Sequence[Criterion]:
    """Kill all workers of a recogniser with SIGKILL; a remaining one would hide the effect."""
    with (
        server.client() as recogniser,
        server.load() as load,
        BackgroundLoad(with_retries(recogniser)) as retrying,
    ):
        time.sleep(seconds / 2)
        killed = server.ready_pids()
        for pid in killed:
            psutil.Process(pid).kill()
        time.sleep(seconds / 2)
        is_back = load.wait_for_answers(20) and retrying.wait_for_answers(20) and are_replaced(server, killed)
    slowest_s = max(load.slowest_s(), retrying.slowest_s())
    in_time = slowest_s <= DIGITS_TIMEOUT_S
    wanted, found = "200, or 5xx with TorchServe's body", f"{slowest_s:.1f} s"
    answered = "workers killed: clients without retries get a prediction or a 5xx"
    return [
        Criterion(answered, wanted, str(load), load.failed() <= WORKER_DIED),
        no_failure("workers killed: our client retries until it has a prediction", retrying),
        Criterion("workers killed: no request hangs", f"at most {DIGITS_TIMEOUT_S} s", found, in_time, True),
        yes_or_no("workers killed: new workers replace them", is_back),
    ]


def are_replaced(server: FaultyServer, killed: set[int]) -> bool:
    """Wait until as many new workers are ready as were killed; False if they do not come."""
    deadline = time.monotonic() + RESTART_S
    while time.monotonic() < deadline:
        found = server.ready_pids() - killed
        if len(found) == len(killed) and all(map(psutil.pid_exists, found)):
            return True
        time.sleep(POLL_S)
    return False


def front_end_killed(server: FaultyServer, seconds: float) -> Sequence[Criterion]:
    """Kill TorchServe's front end with SIGKILL, and start it again as `make up` does."""
    with server.client() as recogniser:
        with BackgroundLoad(with_retries(recogniser)) as load:
            time.sleep(seconds / 2)
            workers = process_of(server.stack).children(recursive=True)
            process_of(server.stack).kill()
            _, alive = psutil.wait_procs(workers, timeout=EXIT_S)
        server.stack.start("torchserve")
        ask = with_retries(recogniser)
        answers = {ask() for _ in range(20)}
    right = "front end killed: no wrong answer"
    is_right = all(outcome.startswith("ServerDown") for outcome in load.failed())
    restarted = "front end killed: the same client works after `make up`"
    return [
        Criterion("front end killed: no worker is left", "0", str(len(alive)), not alive),
        Criterion(right, "right, or ServerDown", str(load), is_right),
        Criterion(restarted, OK, ", ".join(sorted(answers)), answers == {OK}),
    ]


def terminated(server: FaultyServer, seconds: float) -> Sequence[Criterion]:
    """Terminate TorchServe with SIGTERM, as `make down` does, while slow requests are in flight as well."""
    with server.load() as load, server.load(SLOW, 2, **{"X-Wait-S": "0.5"}) as slow_load:
        time.sleep(max(1.0, seconds / 2))
        process = process_of(server.stack)
        at_s = time.monotonic()
        process.terminate()
        process.wait(EXIT_S)
        took_s = time.monotonic() - at_s
    server.stack.start("torchserve")
    in_flight = [each for each in [*load.sent, *slow_load.sent] if each.began_s < at_s < each.began_s + each.took_s]
    answered = sum(each.outcome == OK for each in in_flight)
    found = f"{answered} of {len(in_flight)} answered; it ended after {took_s:.1f} s"
    is_met = len(in_flight) > 1 and answered == len(in_flight)
    return [Criterion("SIGTERM: requests in flight are answered", "all of at least 2", found, is_met)]
