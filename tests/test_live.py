"""The Live page's parts: the sampler against a small server of made pages, figures, load, and the page itself."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard.live import charts, view
from dashboard.live.figures import Choice, choices, chosen, figures, points
from dashboard.live.history import History, HistoryError, read_history, step
from dashboard.live.load import TOO_LATE, Busy, LoadGenerator, Plan, Result, listens
from dashboard.live.sampler import Event, Sample, Sampler
from dashboard.shared.fleet import Version, Worker, changes, read_fleet, without_processes
from inkserve.client import Recogniser
from inkserve.metrics import Quantile, Series, read_page
from tests.answering import SEVEN, answering, closed_port, error, in_turn
from tests.test_dashboard import ROOT


class Pages(ThreadingHTTPServer):
    """Answers GET with the text that is set for a path, or 404; `hits` counts what was asked."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), PagesHandler)
        self.pages: dict[str, str] = {}
        self.hits: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}"

    def models(self, **versions: list[dict]) -> None:
        """Set the management API's answers: for each model what it says of its versions, the default first."""
        self.pages["/models"] = json.dumps({"models": [{"modelName": name} for name in versions]})
        for name, told in versions.items():
            self.pages[f"/models/{name}/all"] = json.dumps(told[::-1])
            self.pages[f"/models/{name}"] = json.dumps(told[:1])


class PagesHandler(BaseHTTPRequestHandler):
    server: Pages

    def do_GET(self):
        path = self.path.partition("?")[0]
        self.server.hits.append(path)
        content = self.server.pages.get(path)
        self.send_response(404 if content is None else 200)
        self.end_headers()
        self.wfile.write((content or "").encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def server() -> Iterator[Pages]:
    made = Pages()
    thread = threading.Thread(target=made.serve_forever, args=(0.02,))
    thread.start()
    made.pages["/metrics"] = page(0)
    made.models(digits=[described()])
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def described(version: str = "1.0", workers: dict[str, int] | None = None, status: str = "READY") -> dict:
    """What the management API says of a version of digits."""
    told = [
        {"id": name, "status": status, "memoryUsage": 2**20, "pid": pid}
        for name, pid in (workers or {"9000": 11}).items()
    ]
    return {"modelName": "digits", "modelVersion": version, "minWorkers": 1, "workers": told}


def page(batches: int, up: bool = True, refused: int = 0, version: str = "1.0") -> str:
    """A metrics page after batches of two requests, each of which took 1 to 2.5 ms, and waited 3 ms."""
    labels = f'model="digits",version="{version}"'
    lines = [f"torchserve_up {float(up)}"]
    lines.append(f'handwriting_requests_total{{{labels},outcome="ok"}} {2 * batches - refused}')
    if refused:
        lines.append(f'handwriting_requests_total{{{labels},outcome="InvalidImage"}} {refused}')
    for bound, count in {"0.001": 0, "0.0025": batches, "+Inf": batches}.items():
        lines.append(f'handwriting_handler_seconds_bucket{{{labels},le="{bound}"}} {count}')
    for bound, count in {"1.0": 0, "2.0": batches, "4.0": batches, "+Inf": batches}.items():
        lines.append(f'handwriting_batch_requests_bucket{{{labels},le="{bound}"}} {count}')
    lines += [f"handwriting_batch_requests_{name}{{{labels}}} {n * batches}" for name, n in (("count", 1), ("sum", 2))]
    if up:
        theirs = 'model_name="digits",model_version="default"'
        lines.append(f"ts_inference_requests_total{{{theirs}}} {2 * batches}")
        lines.append(f"ts_queue_latency_microseconds_total{{{theirs}}} {6000 * batches}")
    return "\n".join(lines) + "\n"


class Clock:
    """Tells the time that a test sets."""

    def __init__(self) -> None:
        self.time_s = 1000.0

    def __call__(self) -> float:
        return self.time_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sampler(server, clock) -> Iterator[Sampler]:
    made = Sampler(environment(server), clock)
    yield made
    made.stop()


def environment(server: Pages) -> dict[str, str]:
    return {"INKSERVE_METRICS_URL": f"{server.url}/metrics", "INKSERVE_MANAGEMENT_URL": f"{server.url}/"}


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


def samples(counts: list[int], **labels) -> list[Sample]:
    """One sample a second with totals as if this many batches had been counted."""
    return [Sample(1000.0 + i, True, read_page(page(count, **labels), 0).values) for i, count in enumerate(counts)]


# The management API


def worker(name: str = "9000", pid: int = 11) -> Worker:
    return Worker(name, pid, True, 2**20)


def version(*workers: Worker, name: str = "1.0") -> Version:
    return Version("digits", name, True, workers, len(workers))


def test_versions_and_workers_are_read(server):
    server.models(digits=[described("1.1", {"9001": 12, "9002": 0}, "LOADING"), described("1.0")])
    with requests.Session() as session:
        old, new = read_fleet(session, server.url)
    assert (old.name, old.is_default, old.workers) == ("digits 1.0", False, (worker(),))
    assert (new.name, new.is_default, new.wanted) == ("digits 1.1", True, 2)
    assert [each.is_ready for each in new.workers] == [False, False]


def test_a_version_without_the_workers_it_wants_says_so(server):
    server.models(digits=[described() | {"minWorkers": 3}])
    with requests.Session() as session:
        [found] = read_fleet(session, server.url)
    assert (len(found.workers), found.wanted) == (1, 3)


@pytest.mark.parametrize("answer", ["no JSON", "[]", '{"models": [{}]}'])
def test_what_no_management_api_says_is_an_error(server, answer):
    server.pages["/models"] = answer
    with requests.Session() as session, pytest.raises(ValueError):
        read_fleet(session, server.url)


@pytest.mark.parametrize(
    ("before", "after", "told"),
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
def test_changes_are_told(before, after, told):
    assert changes(tuple(before), tuple(after)) == told


def test_new_processes_after_a_restart_of_the_server_are_no_news():
    assert changes(without_processes((version(worker()),)), (version(worker(pid=99)),)) == []


# The sampler


def test_a_sample_has_the_time_and_what_was_counted_since_the_first(server, look):
    server.pages["/metrics"] = page(50)
    look()
    server.pages["/metrics"] = page(53)
    found = look()
    assert (found.time_s, found.is_up) == (1002, True)
    assert sum(value for series, value in found.totals.items() if series.name == "handwriting_requests_total") == 6


def test_the_management_api_is_asked_at_every_fifth_look(server, sampler, look):
    for _ in range(10):
        look()
    assert server.hits.count("/metrics") == 10
    assert server.hits.count("/models") == 2
    assert sampler.fleet() == (version(worker()),)


def test_a_server_that_goes_and_comes_back_is_noted(server, sampler, look):
    look()
    server.pages["/metrics"] = page(5, up=False)
    server.pages.pop("/models")
    assert not look().is_up
    assert sampler.fleet() is None
    assert [each.name for each in sampler.known_fleet()] == ["digits 1.0"]
    look()
    server.pages["/metrics"] = page(1)  # it counts anew
    server.models(digits=[described(workers={"9000": 77})])
    assert look().is_up
    assert texts(sampler) == ["server down", "server up"]
    assert [event.time_s for event in sampler.events()] == [1002, 1004]
    assert sampler.fleet() == (version(worker(pid=77)),)


def test_without_a_metrics_page_sampling_goes_on(server, sampler, look):
    server.pages["/metrics"] = page(7)
    counted = [look(), look()][-1]
    server.pages.pop("/metrics")
    missing = look()
    assert (missing.is_up, missing.totals) == (False, counted.totals)
    server.pages["/metrics"] = "<html>{"
    look()
    assert texts(sampler) == ["no metrics page"]
    server.pages["/metrics"] = page(8)
    assert look().is_up
    assert texts(sampler) == ["no metrics page", "server up"]


def test_a_server_that_is_not_there_from_the_beginning(clock):
    url = closed_port()
    sampler = Sampler({"INKSERVE_METRICS_URL": url, "INKSERVE_MANAGEMENT_URL": url}, clock)
    sampler.tick()
    assert [sample.is_up for sample in sampler.samples()] == [False]
    assert sampler.fleet() is None


def test_a_scaled_recogniser_is_noted(server, sampler, look):
    look()
    server.models(digits=[described(workers={"9000": 11, "9001": 12})])
    for _ in range(5):
        look()
    assert texts(sampler) == ["digits 1.0: 1 to 2 workers"]


def test_the_history_is_bounded(sampler, clock):
    for _ in range(2000):
        sampler._samples.append(Sample(clock(), True, {}))
        sampler._note("something")
    assert len(sampler.samples()) == 901
    assert len(sampler.events()) == 200


def test_the_thread_samples_by_itself_and_ends(server):
    sampler = Sampler(environment(server)).start()
    assert sampler.start() is sampler
    give_up = time.monotonic() + 10
    while len(sampler.samples()) < 2 and time.monotonic() < give_up:
        time.sleep(0.05)
    sampler.stop()
    found = sampler.samples()
    assert 0.5 < found[1].time_s - found[0].time_s < 3
    assert [thread.name for thread in threading.enumerate()].count("live-sampler") == 0


def test_a_look_that_fails_does_not_end_the_thread(server, monkeypatch, caplog):
    sampler = Sampler(environment(server))
    monkeypatch.setattr("dashboard.live.sampler.PERIOD_S", 0.01)
    looked = []

    def look() -> None:
        looked.append(1)
        raise RuntimeError("whatever")

    monkeypatch.setattr(sampler, "tick", look)
    sampler.start()
    give_up = time.monotonic() + 10
    while len(looked) < 3 and time.monotonic() < give_up:
        time.sleep(0.01)
    sampler.stop()
    assert len(looked) >= 3
    assert "a look at the server failed" in caplog.text


# The figures


def test_the_figures_of_a_window():
    now = figures(samples([0, 100, 200, 300]), 60, Choice())
    assert (now.elapsed_s, now.requests, now.requests_per_s) == (3, 600, 200)
    assert now.handler.quantile(0.5) == Quantile(pytest.approx(0.00175), 300)  # the middle of 1 to 2.5 ms
    assert (now.mean_batch, now.batches.count) == (2, 300)
    assert (now.mean_queue_ms, now.queued) == (3, 600)
    assert now.errors == {}


def test_a_window_is_of_its_last_seconds():
    now = figures(samples([0, 100, 200, 300]), 2, Choice())
    assert (now.elapsed_s, now.requests) == (2, 400)


@pytest.mark.parametrize("count", [0, 1])
def test_without_two_samples_there_are_no_figures(count):
    assert figures(samples([5] * count), 60, Choice()) is None


def test_errors_are_counted_by_type_the_most_frequent_first():
    first, last = samples([0, 10])
    more = read_page('handwriting_requests_total{model="digits",version="1.0",outcome="InternalError"} 9', 0).values
    last = Sample(last.time_s, True, read_page(page(10, refused=3), 0).values | more)
    assert list(figures([first, last], 60, Choice()).errors.items()) == [("InternalError", 9), ("InvalidImage", 3)]


@pytest.mark.parametrize(
    ("choice", "requests", "queued"),
    [
        (Choice("digits"), 20, 20),
        (Choice("reader"), 0, 0),
        (Choice("digits", "1.0", is_default=True), 20, 20),
        (Choice("digits", "1.0"), 20, 0),  # TorchServe counts requests without a version for the default
        (Choice("digits", "1.1"), 0, 0),
    ],
)
def test_figures_are_of_what_was_chosen(choice, requests, queued):
    now = figures(samples([0, 10]), 60, choice)
    assert (now.requests, now.queued) == (requests, queued)


def test_choices_have_versions_only_where_there_are_several():
    fleet = (version(worker()), version(worker(), name="1.1"), Version("reader", "1.0", True, (), 0))
    assert [each.name for each in choices(fleet)] == ["All recognisers", "digits", "digits 1.0", "digits 1.1", "reader"]
    assert [each.name for each in chosen(fleet, Choice("digits", "1.1"))] == ["digits 1.1"]
    assert chosen(fleet, Choice()) == fleet


def test_points_slide_over_15_s():
    found = points(samples([10 * i for i in range(31)]), 60, Choice())
    last = found[-1]
    assert (last.time_s, last.requests_per_s, last.batches) == (1030, 20, 150)
    assert last.p50 == pytest.approx(1.75)
    assert last.p99 == pytest.approx(1 + 0.99 * 1.5)


def test_a_point_of_too_few_batches_has_a_rate_and_no_quantile():
    last = points(samples([2 * i for i in range(31)]), 60, Choice())[-1]
    assert (last.requests_per_s, last.p95, last.batches) == (4, None, 30)


def test_points_have_gaps_where_the_server_was_down():
    found = samples([10 * i for i in range(40)])
    found[30:] = [Sample(each.time_s, False, each.totals) for each in found[30:]]
    rates = {point.time_s: point.requests_per_s for point in points(found, 60, Choice())}
    assert rates[1029] == 20
    assert rates[1030] is rates[1039] is None


def test_points_stay_in_their_places():
    one = {point.time_s for point in points(samples([0] * 400), 900, Choice())}
    other = {point.time_s for point in points(samples([0] * 403), 900, Choice())}
    assert one <= other
    assert {time_s % 10 for time_s in one} == {0}


def test_the_charts_data_are_points_events_and_the_windows_edges():
    found = points(samples([10 * i for i in range(31)]), 60, Choice())
    frame = charts.frame(found, [Event(1020.0, "server down")], 970.0, 1030.0)
    assert frame["kind"].value_counts().to_dict() == {"point": 4 * len(found), "event": 1, "edge": 2}
    assert frame[frame["kind"] == "edge"]["time"].tolist() == [970_000, 1_030_000]
    assert frame[frame["kind"] == "event"]["event"].tolist() == ["server down"]


def test_the_charts_data_have_the_same_form_with_nothing_in_them():
    full = charts.frame(points(samples([0] * 30), 60, Choice()), [Event(1020.0, "x")], 970.0, 1030.0)
    assert charts.frame([], [], 970.0, 1030.0).dtypes.to_dict() == full.dtypes.to_dict()


# The views


def test_too_few_batches_have_no_quantile_but_their_count():
    html = view.cards(figures(samples([0, 99]), 60, Choice()), None)
    assert html.count("<b>too few</b>") == 3
    assert "of 99 batches; wanted 100" in html


def test_enough_batches_have_quantiles_with_their_count():
    html = view.cards(figures(samples([0, 100]), 60, Choice()), (version(worker()),))
    assert "<dt>Handler p50</dt><dd><b>1.75 ms</b> <span>of 100 batches</span>" in html
    assert "<b>1 of 1</b>" in html
    assert "too few" not in html


def test_batch_sizes_are_bars_up_to_the_largest():
    html = view.batches(figures(samples([0, 5]), 60, Choice()))
    assert "<b>1</b>" in html
    assert "<b>2</b>" in html
    assert "3 to 4" not in html


def test_what_servers_say_is_escaped():
    fleet = (Version("<b>", "1.0", True, (worker(),), 1),)
    shown = view.workers_table(fleet) + view.events_list([Event(0, "<i>")], UTC)
    shown += view.load_result(Plan("<u>", 1, 1), Result(errors=Counter(["<s>"])))
    assert not {"<b>1.0", "<i>", "<u>", "<s>"} & set(shown.split())
    assert "&lt;i&gt;" in shown
    assert "&lt;s&gt;" in shown


def test_5xx_that_torchserve_counts_are_told():
    first, last = samples([0, 5])
    last = Sample(last.time_s, True, {**last.totals, **read_page('Requests5XX_total{Level="Host"} 4', 0).values})
    assert "4 requests with 5xx" in view.errors(figures([first, last], 60, Choice()))


# The history that Prometheus remembers


def remembered(*pages: str | None, server: str = "one", every_s: int = 5) -> list[dict]:
    """What Prometheus answers after scraping these pages, none of them where the server did not answer."""
    found: dict[Series, list] = {}
    for index, text in enumerate(pages):
        scraped = {Series("up"): float(text is not None)} | read_page(text or "", 0).values
        for series, value in scraped.items():
            found.setdefault(series, []).append([1000 + every_s * index, str(value)])
    return [
        {"metric": {"__name__": series.name, **dict(series.labels), "instance": server}, "values": values}
        for series, values in found.items()
    ]


def answered(*pages: str | None) -> dict:
    return {"status": "success", "data": {"result": remembered(*pages)}}


def with_worker(text: str, process: int, name: str = "1.0") -> str:
    labels = f'model="digits",version="{name}"'
    worker = f'torchserve_worker_process_id{{{labels},worker="9000"}} {process}\n' if process else ""
    return text + worker + f"torchserve_workers_wanted{{{labels}}} 1\n"


def test_the_history_has_the_figures_that_the_sampler_has():
    found = read_history(answered(page(50), page(150), page(250, refused=3))).samples
    assert [sample.time_s for sample in found] == [1000, 1005, 1010]
    now = figures(found, 60, Choice("digits"))
    assert (now.elapsed_s, now.requests, now.errors) == (10, 400, {"InvalidImage": 3})
    assert now.handler.quantile(0.5) == Quantile(pytest.approx(0.00175), 200)
    assert (now.mean_batch, now.mean_queue_ms, now.queued) == (2, 3, 400)


def test_a_restart_in_the_history_counts_from_zero():
    assert figures(read_history(answered(page(50), page(3), page(4))).samples, 60, Choice()).requests == 8


def test_what_a_server_had_counted_before_prometheus_saw_it_is_not_of_the_window():
    document = {"status": "success", "data": {"result": remembered(page(5), page(6), page(7))}}
    document["data"]["result"] += remembered(None, page(900), page(901), server="another")
    found = read_history(document).samples
    assert figures(found, 60, Choice()).requests == 2 * (2 + 1)


def test_a_server_that_was_away_is_in_the_history():
    found = read_history(answered(page(5), page(6, up=False), None, page(9), page(9)))
    assert [sample.is_up for sample in found.samples] == [True, False, False, True, True]
    told = [(event.time_s, event.text) for event in found.events]
    assert told == [(1005, "server down"), (1010, "no metrics page"), (1015, "server up")]
    assert figures(found.samples, 60, Choice()).requests == 8


def test_what_changed_is_in_the_history():
    pages = [with_worker(page(1), 11), with_worker(page(1), 12), with_worker(with_worker(page(1), 12), 21, "1.1")]
    told = [event.text for event in read_history(answered(*pages)).events]
    assert told == ["digits 1.0: 1 worker restarted", "digits 1.1 appeared"]


def test_new_processes_after_a_restart_in_the_history_are_no_news():
    pages = [with_worker(page(1), 11), page(1, up=False), with_worker(page(0), 31)]
    assert [event.text for event in read_history(answered(*pages)).events] == ["server down", "server up"]


def test_nothing_remembered_is_no_error():
    assert read_history(answered()).samples == []


@pytest.mark.parametrize(
    "document", [{}, [], {"status": "success", "data": {}}, {"status": "error", "error": "too long"}], ids=str
)
def test_what_is_no_history_is_refused(document):
    with pytest.raises(HistoryError, match=r"no answer of Prometheus|too long"):
        read_history(document)


def test_the_history_is_asked_for_once_in_two_seconds(server, clock):
    server.pages["/api/v1/query_range"] = json.dumps(answered(page(0), page(4)))
    history = History(server.url, clock)
    assert history.window(60.0) is history.window(60.0)
    history.window(300.0)
    clock.time_s += 3
    history.window(60.0)
    assert server.hits == ["/api/v1/query_range"] * 3


def test_a_prometheus_that_does_not_answer_is_named(server):
    with pytest.raises(HistoryError, match="does not answer"):
        History(closed_port()).window(60.0)
    with pytest.raises(HistoryError, match="answers 404, and no JSON"):
        History(server.url).window(60.0)


def test_samples_of_the_history_lie_under_the_points_of_the_charts():
    assert [step(window_s) for window_s in (60, 900, 3600, 86400)] == [5, 5, 40, 960]
    found = read_history({"status": "success", "data": {"result": remembered(*map(page, range(91)), every_s=40)}})
    found = found.samples
    told = points(found, 3600, Choice())
    assert {point.requests_per_s for point in told[1:]} == {2 / 40}
    assert len(told) == 90


# The load


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
        generator.start(Plan("digits", 20, 1))
        generator.join()
        took_s = time.monotonic() - began
        plan, result = generator.last()
    assert plan.requests == result.sent == result.answered == len(server.bodies) == 20
    assert 0.9 < took_s < 3
    assert server.bodies.count(b"one") == 10
    assert set(server.paths) == {"/predictions/digits"}
    assert (result.is_running, result.was_stopped, result.errors) == (False, False, {})
    assert result.quantile(0.5).count == 20


def test_errors_of_a_load_are_counted_by_their_reason():
    answers = in_turn(error(400, "InvalidImage"), error(503, message="the queue is full"), (200, SEVEN))
    with generating(answers) as (generator, _):
        generator.start(Plan("digits", 3, 1))
        generator.join()
        result = generator.last()[1]
    assert result.errors == {"InvalidImage": 1, "it answers 503: the queue is full": 1}
    assert (result.sent, result.answered) == (3, 1)


def test_a_load_on_a_server_that_is_down_ends():
    generator = LoadGenerator([b"one"], closed_port())
    generator.start(Plan("digits", 5, 1))
    generator.join()
    assert generator.last()[1].errors == {"the connection is refused": 5}


def test_there_is_one_load_at_a_time_and_it_can_be_stopped():
    with generating((200, SEVEN)) as (generator, server):
        generator.start(Plan("digits", 10, 60))
        with pytest.raises(Busy):
            generator.start(Plan("digits", 1, 1))
        assert generator.last()[1].is_running
        generator.stop()
        generator.join()
        result = generator.last()[1]
        assert (result.is_running, result.was_stopped) == (False, True)
        assert len(server.bodies) < 60
        generator.start(Plan("digits", 200, 1))  # and another after it
        generator.stop()


def test_what_is_too_late_is_not_sent(monkeypatch):
    monkeypatch.setattr("dashboard.live.load.LATEST_S", -1)
    with generating((200, SEVEN)) as (generator, server):
        generator.start(Plan("digits", 5, 1))
        generator.join()
        assert generator.last()[1].errors == {TOO_LATE: 5}
        assert server.bodies == []


@pytest.mark.parametrize(("rate", "seconds"), [(0, 1), (201, 1), (1, 0), (1, 61)])
def test_a_load_is_bounded(rate, seconds):
    with pytest.raises(ValueError, match="wanted 1 to"):
        Plan("digits", rate, seconds)


def test_a_load_wants_pictures():
    with pytest.raises(ValueError, match="no pictures"):
        LoadGenerator([])


def test_measured_quantiles_have_their_count():
    assert Result(latencies_s=[0.1, 0.2, 0.3]).quantile(0.5) == Quantile(pytest.approx(0.2), 3)
    assert Result().quantile(0.5) == Quantile(None, 0)


def test_a_port_where_somebody_listens_is_told_from_others(server):
    assert listens("127.0.0.1", server.server_port)
    assert not listens("127.0.0.1", int(closed_port().rpartition(":")[2]))


# The page


@pytest.fixture
def live(server, monkeypatch) -> Iterator[Callable[..., AppTest]]:
    """Open the page on samples of the made pages, two seconds apart."""
    for name, value in environment(server).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(Recogniser, "fault", lambda _: server.pages.get("fault", ""))
    found: list[Sampler] = []

    def start(sampler: Sampler) -> Sampler:
        found.append(sampler)
        sampler._clock = Clock()
        for batches in counts:
            server.pages["/metrics"] = page(batches)
            sampler.tick()
            sampler._clock.time_s += 2
        return sampler

    monkeypatch.setattr(Sampler, "start", start)
    counts: list[int] = []

    def open_page(*batches: int) -> AppTest:
        counts[:] = batches
        st.cache_resource.clear()
        st.cache_data.clear()
        app = AppTest.from_file(ROOT / "dashboard/app.py", default_timeout=30).run()
        return app.switch_page("live/page.py").run()

    yield open_page
    for sampler in found:
        sampler.stop()
    st.cache_resource.clear()
    st.cache_data.clear()


def text_of(app: AppTest) -> str:
    assert not app.exception
    return " ".join(element.proto.body for element in app.get("html") if "<style>" not in element.proto.body)


def test_the_page_shows_figures_with_their_counts(live):
    app = live(0, 400)
    text = text_of(app)
    assert "<b>400.0</b> <span>800 in 2 s</span>" in text
    assert "<b>1.75 ms</b> <span>of 400 batches</span>" in text
    assert "<b>1 of 1</b>" in text
    assert "The server is up" in text
    assert app.selectbox(key="live-choice").options == ["All recognisers", "digits"]


def test_the_page_says_what_to_do_without_requests(live):
    text = text_of(live(0, 0))
    assert "No requests in this window. Draw one, or use the load below." in text
    assert "No batch in this window." in text
    assert "No handler times yet" in text


def test_the_page_says_where_the_few_requests_come_from(live):
    assert "each second the dashboard itself asks digits" in text_of(live(0, 1))


def test_the_page_waits_for_its_first_samples(live):
    assert "The first samples come in" in text_of(live())


def test_without_prometheus_the_page_says_that_it_samples_itself(live, server):
    text = text_of(live(0, 400))
    assert f"Source: {server.url}/metrics, which the dashboard reads each second." in text


def test_the_page_shows_what_prometheus_remembers(live, server, monkeypatch):
    monkeypatch.setenv("PROMETHEUS_URL", server.url)
    server.pages["/api/v1/query_range"] = json.dumps(answered(*(page(100 * each) for each in range(13))))
    app = live(0, 400)
    text = text_of(app)
    assert f"Source: Prometheus at {server.url}." in text
    assert "<b>40.0</b> <span>2400 in 1 min 0 s</span>" in text
    app.segmented_control(key="live-window").set_value("24 h").run()
    assert not app.exception


def test_without_an_answer_of_prometheus_the_page_shows_its_own_samples(live, monkeypatch):
    monkeypatch.setenv("PROMETHEUS_URL", closed_port())
    text = text_of(live(0, 400))
    assert "PROMETHEUS_URL is of no use: http://127.0.0.1:" in text
    assert "<b>400.0</b> <span>800 in 2 s</span>" in text


def test_a_window_of_which_prometheus_remembers_nothing(live, server, monkeypatch):
    monkeypatch.setenv("PROMETHEUS_URL", server.url)
    server.pages["/api/v1/query_range"] = json.dumps(answered())
    assert "Fewer than two samples are remembered of this window yet" in text_of(live(0, 400))


def test_a_choice_is_of_one_recogniser(live, server):
    server.models(digits=[described()], reader=[described() | {"modelName": "reader"}])
    app = live(0, 400)
    app.selectbox(key="live-choice").select("reader").run()
    assert "No requests in this window" in text_of(app)


def test_a_server_that_is_down_leaves_its_history_and_one_banner(live, server):
    server.pages["fault"] = "the connection is refused"
    app = live(0, 400)
    assert text_of(app).count("ink-banner") == 1
    assert "800 in 2 s" in text_of(app)
    assert app.button[0].disabled  # nothing to send to


@pytest.mark.parametrize("there", [True, False])
def test_locusts_page_is_linked_only_where_it_is(live, monkeypatch, there):
    monkeypatch.setattr("dashboard.live.load.listens", lambda *_: there)
    shown = [each.value for each in live(0, 400).markdown]
    assert any("make loadtest UI=1" in each and "http://127.0.0.1:8089" in each for each in shown) is there


def test_a_load_is_sent_from_the_page(live, monkeypatch):
    with answering((200, SEVEN)) as answers:
        monkeypatch.setenv("INKSERVE_URL", answers.url)
        app = live(0, 400)
        app.number_input(key="live-load-rate").set_value(50)
        app.number_input(key="live-load-seconds").set_value(1)
        app.button[0].click().run()
        give_up = time.monotonic() + 10
        while "the load is done" not in text_of(app) and time.monotonic() < give_up:
            time.sleep(0.1)
            app.run()
        assert "50 requests/s of digits for 1 s: the load is done." in text_of(app)
        assert "<dt>Answered</dt><dd><b>50</b>" in text_of(app)
    assert len(answers.bodies) == 50
