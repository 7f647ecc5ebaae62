"""The front end's histograms against what a client measured with the real server."""

import random
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from statistics import quantiles

import pytest
import requests
from playwright.sync_api import expect

from deploy.local.settings import ROOT, read_settings
from inkserve.metrics import Values, histogram, increase, mean, read_page, total
from measuring.common.altered_archives import WAITING, alter_archive
from tests.browsing import PATIENCE_MS
from tests.conftest import RunningStack, port_variables
from tests.test_browser_live import card
from tests.waiting import eventually

pytestmark = pytest.mark.server

TIMEOUT_S = 60
REQUESTS, THREADS = 200, 4
LABELS = {"model": "digits", "version": "1.0"}


class Timed(RunningStack):
    """A stack whose recogniser waits as long as a request says, one request at a time."""

    def page(self) -> Values:
        url = f"{self.settings.url('TORCHSERVE_METRICS_PORT')}/metrics"
        return read_page(requests.get(url, timeout=TIMEOUT_S).text).values


@pytest.fixture(scope="module")
def timed(tmp_path_factory) -> Iterator[Timed]:
    folder = tmp_path_factory.mktemp("timed")
    store = folder / "store"
    store.mkdir()
    workers = {"minWorkers": THREADS, "maxWorkers": THREADS, "batchSize": 1}
    alter_archive(ROOT / "model_store" / "digits-1.0.mar", store, "digits", "1.0", WAITING, **workers)
    variables = port_variables() | {"RUN_DIR": str(folder / "stack"), "MODEL_STORE": str(store)}
    running = Timed(read_settings(variables))
    try:
        running.stack.start("torchserve")
        yield running
    finally:
        running.stack.down()


def settled(timed: Timed, before: Values, count: int) -> Values:
    """The increase once all answers are counted: a client has an answer a moment before it is."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        grown = increase(before, timed.page())
        if total(grown, "inkserve_request_seconds_count", **LABELS) >= count:
            return grown
        assert time.monotonic() < deadline
        time.sleep(0.05)


def ask_for_some_time(timed: Timed, seven: bytes) -> list[float]:
    """Send REQUESTS that take 0.3 to 1.5 s, so that the client's own time is small; return how long each took, in s."""
    waits = random.Random(0)  # noqa: S311 - no secret

    def ask(session: requests.Session, wait_s: float) -> float:
        began = time.perf_counter()
        answer = session.post(timed.predictions_url, data=seven, headers={"X-Wait-S": str(wait_s)}, timeout=TIMEOUT_S)
        assert answer.ok
        return time.perf_counter() - began

    def ask_many(count: int) -> list[float]:
        with requests.Session() as session:
            ask(session, 0)  # the connection
            return [ask(session, 0.3 + 1.2 * waits.random() ** 3) for _ in range(count)]

    with ThreadPoolExecutor() as pool:
        measured = [each for times in pool.map(ask_many, [REQUESTS // THREADS] * THREADS) for each in times]
    return [*measured, *[0.0] * THREADS]  # the first of each connection are the fastest


@pytest.mark.browser
def test_the_live_page_shows_what_the_client_measured(timed, seven, pages):
    """Requests and latency within 10 %. The first test, so that there are no other requests in the window."""
    for service in ("metrics", "dashboard"):
        timed.stack.start(service)
    live = pages(f"{timed.dashboard_url}/live")
    expect(card(live, "Requests/s")).to_be_visible(timeout=PATIENCE_MS)
    live.get_by_text("15 min", exact=True).click()
    cuts = quantiles(ask_for_some_time(timed, seven), n=100)
    for q in (50, 95):  # of 204 requests, the slowest two are chance
        shown = card(live, f"Latency p{q}")
        expect(shown).to_contain_text(f"of {REQUESTS + THREADS} requests", timeout=PATIENCE_MS)
        assert number(shown.inner_text(), r"([\d.,]+) ms") == pytest.approx(1000 * cuts[q - 1], rel=0.1)
    assert number(card(live, "Requests/s").inner_text(), r"([\d,]+) in ") == REQUESTS + THREADS


def number(text: str, pattern: str) -> float:
    found = re.search(pattern, text)
    assert found, text
    return float(found[1].replace(",", ""))


def test_the_servers_quantiles_are_those_of_its_client(timed, seven):
    """In one of three runs: on a machine that does much else, the client may wait for the processor."""
    differences = []
    for _ in range(3):
        before = timed.page()
        cuts = quantiles(ask_for_some_time(timed, seven), n=100)
        found = histogram(settled(timed, before, REQUESTS + THREADS), "inkserve_request_seconds", **LABELS)
        assert found.quantile(0.5).count == REQUESTS + THREADS
        differences.append([abs(found.quantile(q / 100).value / cuts[q - 1] - 1) for q in (50, 99)])
        if max(differences[-1]) < 0.1:
            return
    raise AssertionError(differences)


def test_the_time_in_the_queue_is_apart(timed, seven):
    before = timed.page()
    ask = partial(requests.post, timed.predictions_url, seven, headers={"X-Wait-S": "1"}, timeout=TIMEOUT_S)
    with ThreadPoolExecutor(3 * THREADS) as pool:
        assert all(each.result().ok for each in [pool.submit(ask) for _ in range(3 * THREADS)])
    grown = settled(timed, before, 3 * THREADS)
    assert total(grown, "inkserve_queue_seconds_count", **LABELS) == 3 * THREADS
    queue_s, request_s = (mean(grown, f"inkserve_{name}_seconds", **LABELS) for name in ("queue", "request"))
    assert request_s - queue_s >= 1  # the wait itself is no time in the queue
    assert queue_s > 0.5  # a third does not wait, a third waits for a second, and a third for two


def test_requests_in_flight_are_counted(timed, seven):
    def in_flight() -> float:
        return total(timed.page(), "inkserve_requests_in_flight")

    ask = partial(requests.post, timed.predictions_url, seven, headers={"X-Wait-S": "2"}, timeout=TIMEOUT_S)
    with ThreadPoolExecutor(2 * THREADS) as pool:
        answers = [pool.submit(ask) for _ in range(2 * THREADS)]
        eventually(lambda: in_flight() == 2 * THREADS, "all requests to be in flight")
        assert all(each.result().ok for each in answers)
    eventually(lambda: in_flight() == 0, "no request to be in flight")


def test_requests_are_counted_by_status_and_size(timed, seven):
    before = timed.page()
    bodies = {"4KiB": b"no picture", "64KiB": bytes(5000), "1MiB": bytes(2**17), "16MiB": bytes(2**21)}
    for body in bodies.values():
        assert requests.post(timed.predictions_url, data=body, timeout=TIMEOUT_S).status_code == 400
    assert requests.post(f"{timed.predictions_url}/1.0", data=seven, timeout=TIMEOUT_S).ok
    grown = settled(timed, before, 5)
    for size in bodies:
        assert total(grown, "inkserve_request_seconds_count", **LABELS, status="400", size=size) == 1
    assert total(grown, "inkserve_request_seconds_count", **LABELS, status="200", size="4KiB") == 1


def test_names_that_clients_make_up_make_no_series(timed, seven):
    before = timed.page()
    for path in (
        "predictions/a",
        "predictions/b/1.0",
        "predictions/digits/9.9",
        "v1/models/c:predict",
        "predictions/%zz",
    ):
        assert requests.post(f"{timed.inference_url}/{path}", data=seven, timeout=TIMEOUT_S).status_code in {400, 404}
    grown = increase(before, timed.page())
    named = {
        dict(each.labels).get("model") for each, value in grown.items() if each.name.startswith("inkserve_request_")
    }
    assert named <= {"digits", "unknown"}
    assert total(grown, "inkserve_request_seconds_count", model="unknown", version="unknown") >= 3


def test_what_is_no_prediction_is_not_counted(timed):
    before = timed.page()
    for path in ("ready", "ping", "api-description"):
        requests.get(f"{timed.inference_url}/{path}", timeout=TIMEOUT_S)
    requests.get(f"{timed.management_url}/models/digits?customized=true", timeout=TIMEOUT_S)
    grown = increase(before, timed.page())
    assert total(grown, "inkserve_request_seconds_count") == total(grown, "inkserve_queue_seconds_count") == 0
