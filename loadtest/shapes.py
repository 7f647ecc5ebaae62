"""Shapes of load: how many users there are, and when."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

SHAPE = os.environ.get("LOADTEST_SHAPE", "")
USERS = int(os.environ.get("LOADTEST_USERS", "0"))  # 0: as many as the shape has by default
RATE_PER_S = 10  # of a steady program
SETTLING_S = 3  # of a step, while its users start
SECONDS = int(os.environ.get("LOADTEST_SECONDS", "0"))  # of each step; 0: by default


@dataclass(frozen=True)
class Step:
    """A number of users for a time."""

    users: int
    seconds: int


@dataclass(frozen=True)
class Plan:
    """A shape.

    Attributes:
        what: it shows.
        users: by default.
        seconds: of a step, by default.
        kinds: of users, by the names of loadtest.locustfile.
        steps: made of the users and seconds of a step.
    """

    what: str
    users: int
    seconds: int
    kinds: Sequence[str]
    steps: Callable[[int, int], Sequence[Step]]


def doubling(users: int, seconds: int) -> Sequence[Step]:
    """Double the users, from one to `users`."""
    counts = [2**power for power in range(users.bit_length()) if 2**power < users]
    return [Step(count, seconds) for count in [*counts, users]]


def fourfold(users: int, seconds: int) -> Sequence[Step]:
    """Take four times as many users at each step, from one to `users`."""
    counts = [4**power for power in range(users.bit_length()) if 4**power < users]
    return [Step(count, seconds) for count in [*counts, users]]


EVERYBODY = ("Person", "Uploader", "Client", "Steady")
PLANS: Mapping[str, Plan] = {
    "smoke": Plan("whether everything works", 20, 60, EVERYBODY, lambda users, seconds: [Step(users, seconds)]),
    "ramp": Plan("where more users bring no more answers: the knee", 128, 12, ("Client",), doubling),
    "spike": Plan(
        "what a sudden crowd does",
        200,
        20,
        EVERYBODY,
        lambda users, seconds: [
            Step(max(1, users // 20), seconds),
            Step(users, seconds),
            Step(max(1, users // 20), seconds),
        ],
    ),
    "compare": Plan("what batches bring, on servers of its own", 64, 9, ("Client",), fourfold),
    "steady": Plan(
        f"{RATE_PER_S} requests/s a user, whatever comes back",
        20,
        60,
        ("Steady",),
        lambda users, seconds: [Step(users, seconds)],
    ),
    "soak": Plan("what grows over time", 40, 1200, EVERYBODY, lambda users, seconds: [Step(users, seconds)]),
}


def steps_of(shape: str) -> Sequence[Step]:
    """Return the steps of a shape with LOADTEST_USERS and LOADTEST_SECONDS in their places."""
    plan = PLANS[shape]
    return plan.steps(USERS or plan.users, SECONDS or plan.seconds)
