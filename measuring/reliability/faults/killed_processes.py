"""Processes that are killed or terminated."""

import time
from collections.abc import Sequence

import psutil

from deploy.local.stack import Stack
from measuring.common.criteria import Criterion
from measuring.common.temporary_server import predictions_url, process_of
from measuring.reliability.faults.background_load import OK, BackgroundLoad, with_retries, without_retries
from measuring.reliability.faults.faulty_server import (
    SLOW,
    WORKER_DIED,
    client,
    load_on_digits,
    no_failure,
    ready_pids,
    yes_or_no,
)

DIGITS_TIMEOUT_S = 30  # responseTimeout in config/digits.yaml
RESTART_S, POLL_S = 120.0, 0.2  # of a worker, on a busy machine
EXIT_S = 120.0


def workers_killed(stack: Stack, seconds: float) -> Sequence[Criterion]:
    """Kill all workers of a recogniser with SIGKILL; a remaining one would hide the effect."""
    with (
        client(stack) as recogniser,
        load_on_digits(stack) as load,
        BackgroundLoad(with_retries(recogniser)) as retrying,
    ):
        time.sleep(seconds / 2)
        killed = ready_pids(stack)
        for pid in killed:
            psutil.Process(pid).kill()
        time.sleep(seconds / 2)
        is_back = load.wait_for_answers(20) and retrying.wait_for_answers(20) and are_replaced(stack, killed)
    slowest_s = max(load.slowest_s(), retrying.slowest_s())
    answered = "workers killed: clients without retries get a prediction or a 5xx"
    in_time = slowest_s <= DIGITS_TIMEOUT_S
    return [
        Criterion(answered, "200, or 5xx with TorchServe's body", str(load), load.failed() <= WORKER_DIED),
        no_failure("workers killed: our client retries until it has a prediction", retrying),
        Criterion(
            "workers killed: no request hangs", f"at most {DIGITS_TIMEOUT_S} s", f"{slowest_s:.1f} s", in_time, True
        ),
        yes_or_no("workers killed: new workers replace them", is_back),
    ]


def are_replaced(stack: Stack, killed: set[int]) -> bool:
    """Wait until as many new workers are ready as were killed; False if they do not come."""
    deadline = time.monotonic() + RESTART_S
    while time.monotonic() < deadline:
        found = ready_pids(stack) - killed
        if len(found) == len(killed) and all(map(psutil.pid_exists, found)):
            return True
        time.sleep(POLL_S)
    return False


def front_end_killed(stack: Stack, seconds: float) -> Sequence[Criterion]:
    """Kill TorchServe's front end with SIGKILL, and start it again as `make up` does."""
    with client(stack) as recogniser:
        with BackgroundLoad(with_retries(recogniser)) as load:
            time.sleep(seconds / 2)
            workers = process_of(stack).children(recursive=True)
            process_of(stack).kill()
            _, alive = psutil.wait_procs(workers, timeout=EXIT_S)
        stack.start("torchserve")
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


def terminated(stack: Stack, seconds: float) -> Sequence[Criterion]:
    """Terminate TorchServe with SIGTERM, as `make down` does, while slow requests are in flight as well."""
    slow = without_retries(predictions_url(stack, SLOW), **{"X-Wait-S": "0.5"})
    with load_on_digits(stack) as load, BackgroundLoad(slow, threads=2) as slow_load:
        time.sleep(max(1.0, seconds / 2))
        process = process_of(stack)
        at_s = time.monotonic()
        process.terminate()
        process.wait(EXIT_S)
        took_s = time.monotonic() - at_s
    stack.start("torchserve")
    in_flight = [each for each in [*load.sent, *slow_load.sent] if each.began_s < at_s < each.began_s + each.took_s]
    answered = sum(each.outcome == OK for each in in_flight)
    found = f"{answered} of {len(in_flight)} answered; it ended after {took_s:.1f} s"
    is_met = len(in_flight) > 1 and answered == len(in_flight)
    return [Criterion("SIGTERM: requests in flight are answered", "all of at least 2", found, is_met)]
