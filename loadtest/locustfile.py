"""Users of the inference API, for Locust: `make loadtest`, or `locust -f loadtest/locustfile.py` for its page.

LOADTEST_MODEL names the recogniser (default: digits), LOADTEST_SHAPE the shape of the load, of loadtest.shapes; without
one, Locust's own --users and --run-time hold.
"""

import os
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import gevent
from locust import FastHttpUser, LoadTestShape, between, constant, constant_throughput, task

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # locust adds only the folder of this file

from loadtest.pictures import Picture, drawings, zipped
from loadtest.shapes import SHAPE, steps_of

MODEL = os.environ.get("LOADTEST_MODEL", "digits")
PATH = f"/predictions/{MODEL}"
DRAWINGS = drawings()
STROKES = 3  # a drawing is read after each
MANY = 64  # pictures in an upload
TIMEOUT_S = 30.0
RAMP_S = 2  # until all users of a step are there


class Reader(FastHttpUser):
    """Somebody who has pictures read, and looks at the answers."""

    abstract = True
    network_timeout = connection_timeout = TIMEOUT_S

    def read(self, picture: Picture, name: str) -> None:
        """Send a picture; a wrong label is a failure with a name of its own."""
        with self.client.post(PATH, data=picture.content, name=name, catch_response=True) as answer:
            if answer.status_code != 200:  # noqa: PLR2004
                answer.failure(f"status {answer.status_code}: {answer.text[:80] if answer.text else 'no answer'}")
                return
            found = answer.json()
            if (found.get("model"), found.get("label")) == (MODEL, picture.label):
                answer.success()
            else:
                answer.failure(f"wrong label: {found.get('label')} for a {picture.label}")


class Person(Reader):
    """Draws: a picture after each stroke, and a pause before the next drawing."""

    weight = 6
    wait_time = between(1.0, 3.0)

    @task
    def draw(self) -> None:
        """Draw a digit; here the whole digit is there from the first stroke on, so that each answer can be checked."""
        picture = random.choice(DRAWINGS)  # noqa: S311
        for _ in range(STROKES):
            self.read(picture, "stroke of a drawing")
            gevent.sleep(random.uniform(0.3, 0.8))  # noqa: S311


class Uploader(Reader):
    """Uploads many pictures at once."""

    weight = 1
    wait_time = between(2.0, 6.0)

    @task
    def upload(self) -> None:
        """Send a ZIP file, and check each of its answers."""
        pictures = random.choices(DRAWINGS, k=MANY)  # noqa: S311
        with self.client.post(PATH, data=zipped(pictures), name=f"ZIP of {MANY}", catch_response=True) as answer:
            if answer.status_code != 200:  # noqa: PLR2004
                answer.failure(f"status {answer.status_code}")
                return
            wrong = count_wrong(pictures, answer.json().get("predictions", []))
            if wrong:
                answer.failure(f"wrong labels in a ZIP: {wrong} of {MANY}")
            else:
                answer.success()


class Client(Reader):
    """A program that sends the next picture as soon as the last is answered: a closed loop."""

    weight = 1
    wait_time = constant(0)

    @task
    def ask(self) -> None:
        """Send a picture."""
        self.read(random.choice(DRAWINGS), "picture of a client")  # noqa: S311


class Steady(Reader):
    """A program that sends ten pictures a second: an open loop, as long as answers come within 0.1 s."""

    weight = 1
    wait_time = constant_throughput(10)

    @task
    def ask(self) -> None:
        """Send a picture."""
        self.read(random.choice(DRAWINGS), "picture at a steady rate")  # noqa: S311


def count_wrong(pictures: Sequence[Picture], answers: Sequence[dict]) -> int:
    """Count the pictures that have no answer with their label."""
    right = sum(answer.get("label") == picture.label for picture, answer in zip(pictures, answers, strict=False))
    return len(pictures) - right


if SHAPE:

    class Shape(LoadTestShape):
        """Users by the clock."""

        steps = steps_of(SHAPE)

        def tick(self) -> tuple[int, float] | None:
            """Return the number of users now and how many may be added a second; None at the end."""
            left = self.get_run_time()
            for step in self.steps:
                if left < step.seconds:
                    return step.users, max(1.0, step.users / RAMP_S)
                left -= step.seconds
            return None
