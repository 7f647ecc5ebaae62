"""The Live page's sampler, against a small server of made pages, and the events between two looks."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from dashboard.live.events import Event, changes, without_processes
from dashboard.live.sampler import Sample, Sampler
from tests.answering import AnsweringServer, closed_port, described
from tests.metrics_pages import Clock, environment, page, serving_pages, version, worker


@pytest.fixture
def server() -> Iterator[AnsweringServer]:
    with serving_pages() as made:
        yield made


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sampler(server, clock) -> Iterator[Sampler]:
    made = Sampler(environment(server), clock)
    yield made
    made.stop()


@pytest.fixture
def look(sampler, clock) -> Callable[[], Sample]:
    """Let a second pass, and look."""

    def once() -> Sample:
        clock.time_s += 1
        sampler.tick()
        return sampler.samples()[-1]

    return once


def texts(sampler: Sampler) -> list[str]:
    return [event.text for event in sampler.events()]


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ([version(worker())], [version(worker())], []),
        ([version(worker())], [version(worker(pid=12))], ["digits 1.0: 1 worker restarted"]),
        ([version(worker(pid=0))], [version(worker())], []),  # it was starting
        ([version(worker())], [version(worker(), worker("9001", 12))], ["digits 1.0: 1 to 2 workers"]),
        ([version(worker(), worker("9001", 12))], [version(worker())], ["digits 1.0: 2 to 1 worker"]),
        ([version(worker())], [version(worker()), version(worker("9001"), name="1.1")], ["digits 1.1 appeared"]),
        ([version(worker()), version(worker("9001"), name="1.1")], [version(worker())], ["digits 1.1 disappeared"]),
    ],
    ids=["nothing", "restart", "start", "more", "fewer", "new version", "version gone"],
)
def test_changes_are_described(before, after, found):
    assert changes(tuple(before), tuple(after)) == found


def test_new_processes_after_a_restart_of_the_server_are_not_events():
    assert changes(without_processes((version(worker()),)), (version(worker(pid=99)),)) == []


def test_a_sample_has_the_time_and_what_was_counted_since_the_first(server, look):
    server.documents["/metrics"] = page(50).encode()
    look()
    server.documents["/metrics"] = page(53).encode()
    found = look()
    assert (found.time_s, found.is_up) == (1002, True)
    assert sum(value for series, value in found.totals.items() if series.name == "handwriting_requests_total") == 6


def test_the_management_api_is_read_at_every_fifth_look(server, sampler, look):
    for _ in range(10):
        look()
    assert server.paths.count("GET /metrics") == 10
    assert server.paths.count("GET /models?limit=1000") == 2
    [found] = sampler.versions()
    assert (found.name, found.workers) == ("digits 1.0", (worker(),))


def test_a_server_that_goes_and_comes_back_is_noted(server, sampler, look):
    look()
    server.documents["/metrics"] = page(5, up=False).encode()
    server.documents.pop("/models")
    assert not look().is_up
    assert sampler.versions() is None
    assert [each.name for each in sampler.known_versions()] == ["digits 1.0"]
    look()
    server.documents["/metrics"] = page(1).encode()  # it counts anew
    server.models(
        digits=[described() | {"workers": [{"id": "9000", "status": "READY", "memoryUsage": 2**20, "pid": 77}]}]
    )
    assert look().is_up
    assert texts(sampler) == ["server down", "server up"]
    assert [event.time_s for event in sampler.events()] == [1002, 1004]
    assert sampler.versions()[0].workers == (worker(pid=77),)


def test_without_a_metrics_page_sampling_goes_on(server, sampler, look):
    server.documents["/metrics"] = page(7).encode()
    counted = [look(), look()][-1]
    server.documents.pop("/metrics")
    missing = look()
    assert (missing.is_up, missing.totals) == (False, counted.totals)
    server.documents["/metrics"] = b"<html>{"
    look()
    assert texts(sampler) == ["no metrics page"]
    server.documents["/metrics"] = page(8).encode()
    assert look().is_up
    assert texts(sampler) == ["no metrics page", "server up"]


def test_a_server_that_is_not_there_from_the_beginning(clock):
    url = closed_port()
    sampler = Sampler({"INKSERVE_METRICS_URL": url, "INKSERVE_MANAGEMENT_URL": url}, clock)
    sampler.tick()
    assert [sample.is_up for sample in sampler.samples()] == [False]
    assert sampler.versions() is None


def test_a_scaled_recogniser_is_noted(server, sampler, look):
    look()
    server.models(digits=[described(workers=2)])
    for _ in range(5):
        look()
    assert texts(sampler) == ["digits 1.0: 1 to 2 workers"]


def test_the_history_is_bounded(sampler, clock):
    for _ in range(2000):
        sampler._samples.append(Sample(clock(), True, {}))
        sampler._log.events.append(Event(clock(), "something"))
    assert len(sampler.samples()) == 901
    assert len(sampler.events()) == 200


def test_the_thread_samples_by_itself_and_ends(server):
    others = set(threading.enumerate())  # pages of other tests may have left theirs
    sampler = Sampler(environment(server)).start()
    assert sampler.start() is sampler
    give_up = time.monotonic() + 60
    while len(sampler.samples()) < 2 and time.monotonic() < give_up:
        time.sleep(0.05)
    sampler.stop()
    found = sampler.samples()
    assert found[1].time_s > found[0].time_s
    assert "live-sampler" not in [thread.name for thread in set(threading.enumerate()) - others]


def test_a_look_that_fails_does_not_end_the_thread(server, monkeypatch, caplog):
    sampler = Sampler(environment(server))
    monkeypatch.setattr("dashboard.live.sampler.PERIOD_S", 0.01)
    looked = []

    def look() -> None:
        looked.append(1)
        raise RuntimeError("whatever")

    monkeypatch.setattr(sampler, "tick", look)
    sampler.start()
    give_up = time.monotonic() + 60
    while len(looked) < 3 and time.monotonic() < give_up:
        time.sleep(0.01)
    sampler.stop()
    assert len(looked) >= 3
    assert "a look at the server failed" in caplog.text
