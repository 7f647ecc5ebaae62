"""Processes that are killed or asked to end."""

import time
from collections.abc import Sequence

import psutil

from deploy.local.stack import Stack
from measuring.common.drawings import drawings
from measuring.reliability.faults.common import (
    ALL_RIGHT,
    SLOW,
    WORKER_DIED,
    asking,
    client,
    front_end,
    predictions,
    told,
    worker_pids,
    yes,
)
from measuring.reliability.load import OK, Load, plainly, with_client
from measuring.reliability.outcome import Row

DIGITS_TIMEOUT_S = 30  # responseTimeout in config/digits.yaml
RESTART_S, POLL_S = 60, 0.2  # of a worker, on a busy machine


def workers_killed(stack: Stack, seconds: float) -> Sequence[Row]:
    """Kill all workers of a recogniser with SIGKILL: those that are left would hide what that does."""
    with client(stack) as recogniser, asking(stack) as plain, Load(with_client(recogniser, drawings())) as retrying:
        time.sleep(seconds / 2)
        killed = worker_pids(stack)
        for pid in killed:
            psutil.Process(pid).kill()
        time.sleep(seconds / 2)
        is_back = plain.wait_for_answers(20) and retrying.wait_for_answers(20) and replaced(stack, killed)
    slowest_s = max(plain.slowest_s(), retrying.slowest_s())
    return [
        Row(
            "workers killed: other programs get an answer or are told",
            "200, or 5xx with TorchServe's body",
            told(plain),
            set(plain.failed()) <= WORKER_DIED,
        ),
        Row("workers killed: our client loses nothing", ALL_RIGHT, told(retrying), not retrying.failed()),
        Row(
            "workers killed: no request hangs",
            f"at most {DIGITS_TIMEOUT_S} s",
            f"{slowest_s:.1f} s",
            slowest_s <= DIGITS_TIMEOUT_S,
            is_timed=True,
        ),
        Row("workers killed: others take their place", "yes", yes(is_back), is_back),
    ]


def replaced(stack: Stack, killed: set[int]) -> bool:
    """Wait until as many other workers are there as were killed; False if they do not come."""
    deadline = time.monotonic() + RESTART_S
    while time.monotonic() < deadline:
        found = worker_pids(stack) - killed
        if len(found) == len(killed) and all(map(psutil.pid_exists, found)):
            return True
        time.sleep(POLL_S)
    return False


def front_end_killed(stack: Stack, seconds: float) -> Sequence[Row]:
    """Kill TorchServe's front end with SIGKILL, and start it again as `make up` does."""
    with client(stack) as recogniser:
        with Load(with_client(recogniser, drawings())) as load:
            time.sleep(seconds / 2)
            family = front_end(stack).children(recursive=True)
            front_end(stack).kill()
            _, left = psutil.wait_procs(family, timeout=15)
        stack.start("torchserve")
        answers = {with_client(recogniser, drawings())() for _ in range(20)}
    return [
        Row("front end killed: no worker is left", "0", str(len(left)), not left),
        Row(
            "front end killed: no wrong answer",
            "right, or ServerDown",
            told(load),
            all(outcome.startswith("ServerDown") for outcome in load.failed()),
        ),
        Row("front end killed: `make up` and the same client go on", OK, ", ".join(sorted(answers)), answers == {OK}),
    ]


def terminated(stack: Stack, seconds: float) -> Sequence[Row]:
    """End TorchServe with SIGTERM, which `make down` sends, while slow requests are in flight as well."""
    slow = predictions(stack, SLOW)
    with asking(stack) as load, Load(plainly(slow, drawings(), **{"X-Wait-S": "0.5"}), threads=2) as slowly:
        time.sleep(max(1.0, seconds / 2))
        ending = front_end(stack)
        at_s = time.monotonic()
        ending.terminate()
        ending.wait(30)
        took_s = time.monotonic() - at_s
    stack.start("torchserve")
    begun = [each for each in [*load.sent, *slowly.sent] if each.began_s < at_s < each.began_s + each.took_s]
    lost = [each.outcome for each in begun if each.outcome != OK]
    return [
        Row(
            "SIGTERM: requests in flight are finished",
            "all of at least 2",
            f"{len(begun) - len(lost)} of {len(begun)} answered; it ended after {took_s:.1f} s",
            len(begun) > 1 and not lost,
        )
    ]
