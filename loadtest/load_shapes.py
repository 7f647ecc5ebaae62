"""Load shapes: the number of users over time."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

SHAPE = os.environ.get("LOADTEST_SHAPE", "")
USERS = int(os.environ.get("LOADTEST_USERS", "0"))  # 0: the default of the shape
RATE_PER_S = 10  # requests/s of a `Steady` user
OUT_OF_DESCRIPTORS = 3  # exit code of Locust when its process can open no more files
SETTLING_S = 3  # at the start of a step, not measured: its users start
SECONDS = int(os.environ.get("LOADTEST_SECONDS", "0"))  # of each step; 0: the default of the shape


@dataclass(frozen=True)
class Step:
    """A constant number of users for some time."""

    users: int
    seconds: int


@dataclass(frozen=True)
class Plan:
    """A load shape.

    Attributes:
        what: the question that it answers.
        users: default maximum.
        seconds: default duration of a step.
        kinds: classes of users in loadtest.locustfile.
        steps: makes the steps from users and seconds.
    """

    what: str
    users: int
    seconds: int
    kinds: Sequence[str]
    steps: Callable[[int, int], Sequence[Step]]


def growing(factor: int) -> Callable[[int, int], Sequence[Step]]:
    """Take `factor` times as many users at each step, from one to `users`."""

    def steps(users: int, seconds: int) -> Sequence[Step]:
        counts = [factor**power for power in range(users.bit_length()) if factor**power < users]
        return [Step(count, seconds) for count in [*counts, users]]

    return steps


def constant(users: int, seconds: int) -> Sequence[Step]:
    """Keep the users."""
    return [Step(users, seconds)]


def crowd(users: int, seconds: int) -> Sequence[Step]:
    """Take a twentieth of the users, all of them, and a twentieth again."""
    few = max(1, users // 20)
    return [Step(few, seconds), Step(users, seconds), Step(few, seconds)]


ALL_KINDS = ("Person", "Uploader", "Client", "Steady")
PLANS: Mapping[str, Plan] = {
    "smoke": Plan("does everything work", 20, 60, ALL_KINDS, constant),
    "ramp": Plan("the knee: from how many users on does throughput stay the same", 128, 12, ("Client",), growing(2)),
    "spike": Plan("what does a sudden crowd do", 200, 20, ALL_KINDS, crowd),
    "compare": Plan("what do batches bring; starts two servers", 64, 9, ("Client",), growing(4)),
    "steady": Plan(f"{RATE_PER_S} requests/s a user in an open loop", 20, 60, ("Steady",), constant),
    "soak": Plan("what grows over time", 40, 1200, ALL_KINDS, constant),
}


def steps_of(shape: str) -> Sequence[Step]:
    """Return the steps of a shape for LOADTEST_USERS and LOADTEST_SECONDS."""
    plan = PLANS[shape]
    return plan.steps(USERS or plan.users, SECONDS or plan.seconds)
