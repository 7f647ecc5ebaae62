"""A real Prometheus that watches the real server: our rules, alerts, queries and arithmetic against it."""

import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import psutil
import pytest
import requests
from playwright.sync_api import expect

from dashboard.live.prometheus_history import History
from dashboard.live.window_figures import Selection, figures, points
from deploy.local import process, services, torchserve
from deploy.local.services import DASHBOARD
from deploy.local.settings import ROOT, free_ports
from deploy.local.stack import Stack
from inkserve.metrics import histogram, increase, rate, read_page
from tests.browsing import DESKTOP, PATIENCE_MS, PHONE, SCREENSHOTS, scrolls_sideways
from tests.prometheus import Prometheus, hurried, needs_prometheus, rules
from tests.waiting import eventually

pytestmark = [needs_prometheus, pytest.mark.server]

GRAFANA = json.loads((ROOT / "deploy/grafana/inkserve.json").read_text())
HISTOGRAMS = ("inkserve_request_seconds", "handwriting_inference_seconds", "handwriting_batch_requests")
GOOD, BAD = 150, 5  # requests of the traffic
MODEL = "digits"
KILLED, EMPTIED = "digits-tiny", "lenet5"  # others of the tests' stack ask these the least


def queries() -> list[tuple[str, str]]:
    """The dashboard's queries, each with its panel's title, with its variables filled in."""
    found = [(panel["title"], target["expr"]) for panel in GRAFANA["panels"] for target in panel["targets"]]
    values = {"$model": ".*", "$version": ".*", "$__rate_interval": "1m"}
    filled = [(title, re.sub(r"\$\w+", lambda name: values[name[0]], expression)) for title, expression in found]
    return [*filled, *((each["name"], each["expr"]) for each in GRAFANA["annotations"]["list"])]


@pytest.fixture(scope="module")
def prometheus(stack, tmp_path_factory) -> Iterator[Prometheus]:
    """Start it with what `make monitoring` calls, and wait until it has seen the stack."""
    folder = tmp_path_factory.mktemp("prometheus")
    own = Stack(replace(stack.settings, prometheus_data=folder / "data"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(services, "PROMETHEUS_SOURCE", hurried(folder / "source"))
        own.monitor()
    try:
        found = Prometheus(stack.settings.url("PROMETHEUS_PORT"))
        eventually(lambda: found.query("torchserve_up == 1"), "the first scrape")
        eventually(lambda: History(found.url).window(60.0).samples, "the sample of the history that counts begin at")
        yield found
    finally:
        own.stop("prometheus")


@pytest.fixture(scope="module")
def traffic(stack, prometheus) -> float:
    """Requests, good and bad, that Prometheus has seen; the time of a scrape after them, s since the epoch."""
    counted = f'sum(handwriting_requests_total{{model="{MODEL}"}})'
    before = sum(prometheus.query(counted).values())
    picture = torchserve.EXAMPLE.read_bytes()
    with requests.Session() as session:
        for body in [picture] * GOOD + [b"no picture"] * BAD:
            session.post(stack.predictions_url, data=body, timeout=60)
    eventually(lambda: sum(prometheus.query(counted).values()) >= before + GOOD + BAD, "the requests to be scraped")
    scraped_s = wait_for_sample(prometheus, "torchserve_up", time.time())
    return wait_for_sample(prometheus, "version:handwriting_requests:rate1m", scraped_s)  # of a rule, after that scrape


def wait_for_sample(prometheus, metric: str, after_s: float) -> float:
    """Wait until all series of a metric have a sample that is newer than a time, and return the time then."""
    query = f"timestamp({metric})"
    eventually(lambda: min(prometheus.query(query).values(), default=0) > after_s, f"a new sample of {metric}")
    return time.time()


def test_prometheus_scrapes_the_server(prometheus, traffic, stack):
    [target] = prometheus.get("targets")["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")
    assert target["scrapeUrl"] == f"{stack.metrics_url}/metrics"
    counts = prometheus.query(f'increase(handwriting_requests_total{{model="{MODEL}"}}[5m])')
    by_outcome = Counter({dict(each.labels)["outcome"]: value for each, value in counts.items()})
    assert by_outcome["ok"] >= GOOD
    assert by_outcome["InvalidImage"] >= BAD


def test_each_rule_can_be_computed_and_records_something(prometheus, traffic):
    found = [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]
    assert len(found) == len(rules("recording.yml")) + len(rules("alerts.yml"))
    assert {rule["name"]: rule["lastError"] for rule in found if rule["health"] != "ok"} == {}
    for rule in rules("recording.yml"):
        assert prometheus.query(rule["record"]), rule["record"]


def test_each_query_of_the_grafana_dashboard_has_an_answer(prometheus, traffic):
    empty = []
    for title, expression in queries():
        assert "$" not in expression
        if not prometheus.query(expression):
            empty.append(title)
    assert set(empty) <= {"Alerts", "Firing alerts", "Memory"}  # nothing fires; memory is known after a minute
    variables = [each["query"]["query"] for each in GRAFANA["templating"]["list"]]
    for query in variables:
        selector, label = re.fullmatch(r"label_values\((.*), (\w+)\)", query).groups()
        found = prometheus.get(f"label/{label}/values", **{"match[]": selector.replace("$model", ".*")})
        assert found


@pytest.mark.parametrize("name", HISTOGRAMS)
def test_our_quantiles_are_those_of_prometheus(prometheus, traffic, name):
    seen = prometheus.query(f"{name}_bucket", traffic)
    ours = histogram(seen, name, model=MODEL)
    assert ours.count >= GOOD
    for q in (0.01, 0.5, 0.9, 0.95, 0.99, 1):
        [theirs] = prometheus.query(
            f'histogram_quantile({q}, sum by (le) ({name}_bucket{{model="{MODEL}"}}))', traffic
        ).values()
        assert ours.quantile(q).value == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize("name", HISTOGRAMS)
def test_our_quantiles_between_two_scrapes_are_those_of_prometheus(prometheus, traffic, name):
    selector = f'{name}_bucket{{model="{MODEL}"}}'
    [(first_s, _), *_, (last_s, _)] = prometheus.spans(f"{selector}[60s]", traffic)[0][1]
    before, after = (prometheus.query(selector, at_s) for at_s in (first_s, last_s))
    ours = histogram(increase(before, after), name)
    past = f"{selector} offset {round(1000 * (last_s - first_s))}ms"
    for q in (0.5, 0.95, 0.99):
        # Sums first: a difference of series would drop those that began in between
        difference = f"sum by (le) ({selector}) - sum by (le) ({past})"
        [theirs] = prometheus.query(f"histogram_quantile({q}, {difference})", last_s).values()
        assert ours.quantile(q).value == pytest.approx(theirs, rel=1e-9)


def test_our_increases_and_rates_are_those_of_prometheus_before_it_extrapolates(prometheus, traffic):
    """It stretches what it saw between the first and the last scrape to the whole range, which lies around both."""
    range_s = 60
    selector = f'handwriting_requests_total{{model="{MODEL}"}}[{range_s}s]'
    theirs, their_rate = (prometheus.query(f"{function}({selector})", traffic) for function in ("increase", "rate"))
    checked = 0
    for series, scraped in prometheus.spans(selector, traffic):
        (first_s, first), *_, (last_s, last) = scraped
        elapsed_s = last_s - first_s
        ours = increase({series: first}, {series: last})
        stretch = range_s / elapsed_s
        unnamed = series._replace(name="")
        assert ours[series] * 0.999 <= theirs[unnamed] <= ours[series] * stretch * 1.001
        assert rate(ours, elapsed_s)[series] / stretch * 0.999 <= their_rate[unnamed]
        assert their_rate[unnamed] <= rate(ours, elapsed_s)[series] * 1.001
        checked += bool(ours[series])
    assert checked >= 2  # ok, and InvalidImage


def test_the_page_holds_what_prometheus_has(prometheus, traffic, stack):
    page = read_page(requests.get(f"{stack.metrics_url}/metrics", timeout=60).text).values
    seen = prometheus.query('{__name__=~"handwriting_(handler|inference|preprocessing)_seconds_bucket"}')
    assert seen
    assert all(page[series] >= value for series, value in seen.items())


def test_the_live_pages_history_counts_what_was_sent(prometheus, traffic):
    history = History(prometheus.url)
    eventually(  # its samples are 5 s apart, so the last requests are in the next one
        lambda: (now := figures(history.window(300.0).samples, 300.0, Selection(MODEL))) and now.requests >= GOOD,
        "all requests in the history",
    )
    found = history.window(300.0)
    now = figures(found.samples, 300.0, Selection(MODEL))
    assert now.errors["InvalidImage"] >= BAD
    assert now.queued >= GOOD
    assert now.mean_queue_ms > 0
    assert sum(sample.is_up for sample in found.samples) > len(found.samples) / 2  # a busy machine misses a scrape
    assert {5.0} == {after.time_s - before.time_s for before, after in pairwise(found.samples)}

    def drawn() -> int:
        made = points(history.window(300.0).samples, 300.0, Selection(MODEL))
        return sum(point.answered or 0 for point in made)

    eventually(lambda: drawn() >= GOOD, "the requests in the charts, whose points need some seconds of samples")
    p50, p95, p99 = (now.latency.quantile(q).value for q in (0.5, 0.95, 0.99))
    assert 0 < p50 <= p95 <= p99


@pytest.fixture
def dashboard_url(prometheus, stack, tmp_path, monkeypatch) -> Iterator[str]:
    """A dashboard as PROMETHEUS_URL=... `make up` starts it, for the tests' stack."""
    monkeypatch.setenv("PROMETHEUS_URL", prometheus.url)
    [port] = free_ports(1)
    settings = replace(stack.settings, ports={**stack.settings.ports, "DASHBOARD_PORT": port}, run_dir=tmp_path)
    running = DASHBOARD.start(settings)
    try:
        eventually(lambda: DASHBOARD.is_ready(settings), "the dashboard")
        yield settings.url("DASHBOARD_PORT")
    finally:
        process.stop(running)


@pytest.mark.browser
@pytest.mark.usefixtures("traffic")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_live_page_shows_the_data_of_prometheus(pages, dashboard_url, prometheus, scheme):
    page = pages(f"{dashboard_url}/live", DESKTOP if scheme == "light" else PHONE, color_scheme=scheme)
    expect(page.get_by_text(f"Source: Prometheus at {prometheus.url}.")).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_role("radio", name="15 min").click()
    card = page.locator(".live-card").filter(has=page.get_by_text("Requests/s", exact=True))
    expect(card).to_contain_text(re.compile(r"(1[5-9]\d|[2-9]\d\d|\d{4,}) in "), timeout=PATIENCE_MS)  # GOOD or more
    expect(page.locator("[data-testid=stVegaLiteChart] svg .mark-line path").first).to_be_visible()
    page.get_by_role("radio", name="24 h").click()  # of which this Prometheus remembers minutes
    expect(page.get_by_text("Fewer than two samples")).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_role("radio", name="15 min").click()
    expect(card).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator(".stException")).to_have_count(0)
    assert not scrolls_sideways(page)
    page.wait_for_timeout(1500)
    page.screenshot(path=SCREENSHOTS / f"live-prometheus-{scheme}.png")


def test_an_alert_fires_when_a_worker_is_killed(prometheus, traffic, stack):
    [described] = requests.get(f"{stack.management_url}/models/{KILLED}", timeout=60).json()
    [worker] = described["workers"]
    killed = psutil.Process(worker["pid"])
    eventually(lambda: prometheus.query(f'torchserve_worker_process_id{{model="{KILLED}"}}'), "the worker to be seen")
    assert not prometheus.firing("WorkerDied", model=KILLED)
    killed.kill()
    eventually(lambda: prometheus.firing("WorkerDied", model=KILLED), "WorkerDied")
    assert not prometheus.firing("WorkerDied", model=MODEL)
    eventually(lambda: torchserve.ask(stack.settings, f"{KILLED}/1.0"), "TorchServe to start it again")
    history = History(prometheus.url)
    eventually(lambda: KILLED in " ".join(event.text for event in history.window(60.0).events), "the history to tell")


def test_an_alert_fires_while_a_recogniser_has_no_workers(prometheus, traffic, stack):
    def scale(count: int) -> None:
        query = {"min_worker": count, "max_worker": count, "synchronous": "true"}
        requests.put(f"{stack.management_url}/models/{EMPTIED}", params=query, timeout=60).raise_for_status()

    assert not prometheus.firing("ModelWithoutWorkers", model=EMPTIED)
    try:
        scale(0)
        eventually(lambda: prometheus.firing("ModelWithoutWorkers", model=EMPTIED), "ModelWithoutWorkers")
    finally:
        scale(1)
    eventually(lambda: not prometheus.firing("ModelWithoutWorkers", model=EMPTIED), "the alert to end")
    assert torchserve.ask(stack.settings, f"{EMPTIED}/1.0")
    eventually(lambda: prometheus.query(f'torchserve_workers_ready{{model="{EMPTIED}"}} == 1'), "the worker to be seen")
