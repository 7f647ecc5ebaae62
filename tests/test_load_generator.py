"""The test load of the Live page."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dashboard.live.load_generator import TOO_LATE, LoadGenerator, LoadPlan, LoadResult, Outcome, listens
from inkserve.metrics import Quantile
from tests.answering import SEVEN, answering, closed_port, error, in_turn


@contextmanager
def generating(answer) -> Iterator[tuple[LoadGenerator, object]]:
    with answering(answer) as server:
        generator = LoadGenerator([b"one", b"two"], server.url)
        yield generator, server
        generator.stop()
        generator.join()


def test_a_load_sends_the_pictures_in_turn_at_its_rate():
    with generating((200, SEVEN)) as (generator, server):
        began = time.monotonic()
        generator.start(LoadPlan("digits", 1, rate=20))
        generator.join()
        took_s = time.monotonic() - began
        plan, result = generator.last()
    assert plan.requests == result.sent == result.answered == len(server.bodies) == 20
    assert took_s > 0.9
    assert server.bodies.count(b"one") == 10
    assert set(server.paths) == {"/predictions/digits"}
    assert (result.is_running, result.was_stopped, result.errors) == (False, False, {})
    assert result.quantile(0.5).count == 20


def test_errors_of_a_load_are_counted_by_their_reason():
    answers = in_turn(error(400, "InvalidImage"), error(503, message="the queue is full"), (200, SEVEN))
    with generating(answers) as (generator, _):
        generator.start(LoadPlan("digits", 1, rate=3))
        generator.join()
        result = generator.last()[1]
    assert result.errors == {"InvalidImage": 1, "it answers 503: the queue is full": 1}
    assert (result.sent, result.answered) == (3, 1)


def test_a_load_on_a_server_that_is_down_ends():
    generator = LoadGenerator([b"one"], closed_port())
    generator.start(LoadPlan("digits", 1, rate=5))
    generator.join()
    assert generator.last()[1].errors == {"the connection is refused": 5}


def test_there_is_one_load_at_a_time_and_it_can_be_stopped():
    with generating((200, SEVEN)) as (generator, server):
        generator.start(LoadPlan("digits", 60, rate=10))
        assert not generator.start(LoadPlan("digits", 1, rate=1))
        assert generator.last()[1].is_running
        generator.stop()
        generator.join()
        result = generator.last()[1]
        assert (result.is_running, result.was_stopped) == (False, True)
        assert len(server.bodies) < 600
        generator.start(LoadPlan("digits", 1, rate=200))  # and another after it
        generator.stop()


def test_what_is_too_late_is_not_sent(monkeypatch):
    monkeypatch.setattr("dashboard.live.load_generator.LATEST_S", -1)
    with generating((200, SEVEN)) as (generator, server):
        generator.start(LoadPlan("digits", 1, rate=5))
        generator.join()
        assert generator.last()[1].errors == {TOO_LATE: 5}
        assert server.bodies == []


@pytest.mark.parametrize(("rate", "seconds"), [(0, 1), (201, 1), (1, 0), (1, 61)])
def test_a_load_is_bounded(rate, seconds):
    with pytest.raises(ValueError, match="wanted 1 to"):
        LoadPlan("digits", seconds, rate=rate)


def test_a_load_wants_pictures():
    with pytest.raises(ValueError, match="no pictures"):
        LoadGenerator([])


def test_measured_quantiles_have_their_count():
    assert LoadResult(outcomes=[Outcome(0, each) for each in (0.1, 0.2, 0.3)]).quantile(0.5) == Quantile(
        pytest.approx(0.2), 3
    )
    assert LoadResult().quantile(0.5) == Quantile(None, 0)


def test_a_port_that_accepts_connections_is_recognised():
    with answering((200, SEVEN)) as server:
        assert listens("127.0.0.1", server.server_port)
    assert not listens("127.0.0.1", int(closed_port().rpartition(":")[2]))


def test_users_come_one_after_the_other_and_send_when_they_are_answered():
    def slow(body: bytes):
        time.sleep(0.05)
        return 200, SEVEN

    with answering(slow) as server:
        generator = LoadGenerator([b"a"], server.url)
        generator.start(LoadPlan("digits", 2, users=4))
        generator.join()
        _, result = generator.last()
    assert result.errors == {}
    assert result.sent == result.answered == len(server.bodies)
    early, late = (sum(a <= each.due_s < b for each in result.outcomes) for a, b in ((0.0, 0.25), (1.25, 1.5)))
    assert 0 < early < late  # one user, and four
    assert max(each.due_s for each in result.outcomes) < 2


def test_the_report_has_a_row_for_each_second_and_all():
    outcomes = [Outcome(0.1, 0.01), Outcome(0.9, 0.03), Outcome(2.5, 0.5, "InvalidImage")]
    assert LoadResult(outcomes=outcomes).report().splitlines() == [
        "second,answered,failed,p50_ms,p95_ms,p99_ms",
        "0,2,0,20.0,29.0,29.8",
        "2,0,1,,,",
        "all,2,1,20.0,29.0,29.8",
    ]
