"""Users of the inference API, for Locust: `make loadtest`, or `locust -f loadtest/locustfile.py` for its page.

Environment variables: LOADTEST_MODEL is the recogniser (default: digits), LOADTEST_PICTURES is what is sent (drawings,
the default, frames, crops or photographs), LOADTEST_SHAPE is a shape of loadtest.load_shapes; without one, Locust's
--users and --run-time apply.
"""

import errno
import os
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import gevent
import locust.stats
from gevent.pool import Pool
from locust import FastHttpUser, LoadTestShape, User, between, constant, task
from locust.contrib.fasthttp import ResponseContextManager
from locust.env import Environment
from locust.exception import CatchResponseError

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # locust adds only the folder of this file

from inkserve.client.tokens import bearer, inference_token, is_refusal
from loadtest.load_shapes import OUT_OF_DESCRIPTORS, RATE_PER_S, SETTLING_S, SHAPE, steps_of
from measuring.common.example_digits import Picture, check_answer, zipped
from measuring.common.load_pictures import KINDS
from measuring.common.raw_http import Connection, post

MODEL = os.environ.get("LOADTEST_MODEL", "digits")
PATH = f"/predictions/{MODEL}"
PICTURES = KINDS[os.environ.get("LOADTEST_PICTURES", "drawings")]()
TOKEN = inference_token()  # shared by all users; empty where the server wants none
CHANCE = random.Random()  # nosec B311 # noqa: S311 - which picture and when, no secret
STROKES = 3  # of a drawing; it is sent after each
UPLOADED = 64  # pictures in a ZIP file
MAX_WAITING = 300  # requests of a `Steady` user without an answer; the next one is not sent and fails
BURST = 20  # requests of a `Client` in one Locust task
TIMEOUT_S = 30.0
RAMP_S = 2  # in which the users of a step start


def end_without_descriptors(environment: Environment, error: BaseException | None) -> None:
    """End the test if a request failed as this process can open no more files: that is no failure of the server."""
    if getattr(error, "errno", None) not in {errno.EMFILE, errno.ENFILE} or environment.process_exit_code:
        return
    environment.process_exit_code = OUT_OF_DESCRIPTORS
    if environment.runner is not None:
        gevent.spawn(environment.runner.quit)  # not by this user, which it would wait for


class Reader(FastHttpUser):
    """A user who sends pictures with Locust's HTTP client and checks the answers."""

    abstract = True
    network_timeout = connection_timeout = TIMEOUT_S

    def send(self, content: bytes, name: str) -> ResponseContextManager:
        """Post a picture or a ZIP file; where the token has expired, post again, and only the second request counts."""
        token = TOKEN.current()
        answer = self.post(content, name, token)
        if is_refusal(answer.status_code, answer.content) and (another := TOKEN.refresh(token)):
            return self.post(content, name, another)
        return answer

    def post(self, content: bytes, name: str, token: str) -> ResponseContextManager:
        """Post once."""
        answer = self.client.post(PATH, data=content, name=name, headers=bearer(token), catch_response=True)
        end_without_descriptors(self.environment, getattr(answer, "error", None))  # only a failed one has it
        return answer


class Person(Reader):
    """Draws a digit: sends a picture after each stroke, and pauses before the next drawing."""

    weight = 6
    wait_time = between(1.0, 3.0)

    @task
    def draw(self) -> None:
        """Draw a digit; the picture shows the complete digit after each stroke, so that each answer can be checked."""
        picture = CHANCE.choice(PICTURES)
        for _ in range(STROKES):
            with self.send(picture.content, "stroke of a drawing") as answer:
                report(answer, check_answer(answer.status_code, answer.content, MODEL, picture.label))
            gevent.sleep(CHANCE.uniform(0.3, 0.8))


class Uploader(Reader):
    """Uploads many pictures at once."""

    wait_time = between(2.0, 6.0)

    @task
    def upload(self) -> None:
        """Send a ZIP file, and check each of its answers."""
        pictures = CHANCE.choices(PICTURES, k=UPLOADED)
        with self.send(zipped(pictures), f"ZIP of {UPLOADED}") as answer:
            if answer.status_code == 200:  # noqa: PLR2004
                report(answer, check_zip(pictures, answer.json().get("predictions", [])))
            else:
                report(answer, check_answer(answer.status_code, answer.content, MODEL, ""))


def report(answer: ResponseContextManager, wrong: str) -> None:
    """Tell Locust what is wrong with an answer, or that nothing is."""
    if wrong:
        answer.failure(wrong)
    else:
        answer.success()


class Program(User):
    """A program that sends one picture a request on raw connections, and checks each answer."""

    abstract = True
    wait_time = constant(0)

    def on_start(self) -> None:
        """Write all requests in advance."""
        self.write_requests(TOKEN.current())

    def write_requests(self, token: str) -> None:
        """Write all requests, with a token."""
        url, self.token = self.host.rstrip("/") + PATH, token
        self.requests = [post(url, each.content, "image/png", bearer(token)) for each in PICTURES]

    def read(self, connection: Connection, name: str, began_s: float) -> None:
        """Send a picture, and report the result; its time counts from `began_s` (of time.perf_counter)."""
        number = CHANCE.randrange(len(PICTURES))
        body = b""
        try:
            status, body = self.exchange(connection, number)
            wrong = check_answer(status, body, MODEL, PICTURES[number].label)
        except OSError as err:
            end_without_descriptors(self.environment, err)
            wrong = f"no answer: {type(err).__name__}"
        self.report(name, began_s, wrong, len(body))

    def exchange(self, connection: Connection, number: int) -> tuple[int, bytes]:
        """Send a picture, again where the token has expired; return the answer's status and body.

        Raises:
            OSError: there is no answer.
        """
        token = self.token
        status, body = connection.ask(self.requests[number])
        if is_refusal(status, body) and (another := TOKEN.refresh(token)):
            if self.token != another:
                self.write_requests(another)
            status, body = connection.ask(self.requests[number])
        return status, body

    def report(self, name: str, began_s: float, wrong: str, length: int) -> None:
        """Report a request to Locust."""
        self.environment.events.request.fire(
            request_type="POST",
            name=name,
            response_time=(time.perf_counter() - began_s) * 1000,
            response_length=length,
            exception=CatchResponseError(wrong) if wrong else None,
            context={},
            response=None,
        )


class Client(Program):
    """Sends the next picture as soon as the last is answered: a closed loop."""

    def on_start(self) -> None:
        """Make a connection, which is kept."""
        super().on_start()
        self.connection = Connection(self.host, TIMEOUT_S)

    def on_stop(self) -> None:
        """Close it."""
        self.connection.close()

    @task
    def ask(self) -> None:
        """Send pictures."""
        for _ in range(BURST):
            self.read(self.connection, "picture of a client", time.perf_counter())


class Steady(Program):
    """Sends RATE_PER_S pictures a second however long the answers take: an open loop.

    The time of a request counts from the moment that it was due. A request that is due while MAX_WAITING others wait
    for an answer is not sent, and fails.
    """

    def on_start(self) -> None:
        """Start the clock."""
        super().on_start()
        self.idle: list[Connection] = []
        self.waiting = Pool()
        self.due_s = time.perf_counter()

    def on_stop(self) -> None:
        """Drop the requests without an answer, and close all connections."""
        self.waiting.kill()
        for connection in self.idle:
            connection.close()

    @task
    def send_when_due(self) -> None:
        """Wait until the next picture is due, and send it without waiting for its answer."""
        name = "picture at a steady rate"
        self.due_s += 1 / RATE_PER_S
        gevent.sleep(max(0.0, self.due_s - time.perf_counter()))
        if len(self.waiting) >= MAX_WAITING:
            self.report(name, self.due_s, f"not sent: {MAX_WAITING} requests have no answer", 0)
        else:
            self.waiting.spawn(self.read_on_any, name, self.due_s)

    def read_on_any(self, name: str, due_s: float) -> None:
        """Send a picture on an idle connection, or a new one."""
        connection = self.idle.pop() if self.idle else Connection(self.host, TIMEOUT_S)
        self.read(connection, name, due_s)
        self.idle.append(connection)


def check_zip(pictures: Sequence[Picture], answers: Sequence[dict]) -> str:
    """Say what is wrong with the answers to a ZIP file, or ""; a busy server refuses pictures beyond its time limit."""
    read = [(picture, answer) for picture, answer in zip(pictures, answers, strict=False) if "label" in answer]
    wrong = sum(answer["label"] != picture.label for picture, answer in read)
    missing = len(pictures) - len(read)
    if wrong:
        return f"wrong labels in a ZIP: {wrong} of {UPLOADED}"
    return f"pictures in a ZIP without a label: {missing} of {UPLOADED}" if missing else ""


if SHAPE:
    STEPS = steps_of(SHAPE)
    # The percentiles at the end of a step are of this step alone
    locust.stats.CURRENT_RESPONSE_TIME_PERCENTILE_WINDOW = max(1, min(step.seconds for step in STEPS) - SETTLING_S)

    class Shape(LoadTestShape):
        """The number of users over time."""

        def tick(self) -> tuple[int, float] | None:
            """Return the number of users now and the spawn rate; None at the end."""
            left = self.get_run_time()
            for step in STEPS:
                if left < step.seconds:
                    return step.users, max(1.0, step.users / RAMP_S)
                left -= step.seconds
            return None
