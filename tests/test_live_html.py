"""HTML of the Live page's figures, tables and loads."""

from datetime import UTC

from dashboard.live import live_html
from dashboard.live.events import Event
from dashboard.live.load_generator import LoadPlan, LoadResult, Outcome
from dashboard.live.sampler import Sample
from dashboard.live.window_figures import Selection, figures
from inkserve.management import ModelVersion
from inkserve.metrics import read_page
from tests.metrics_pages import samples, version, worker


def test_few_requests_have_a_count_and_no_quantile():
    html = live_html.cards(figures(samples([0, 49]), 60, Selection()), None)
    assert html.count("<b>too few</b>") == 3
    assert "of 98 requests; needs 100" in html


def test_enough_requests_have_quantiles_with_their_count():
    html = live_html.cards(figures(samples([0, 50]), 60, Selection()), (version(worker()),))
    assert "<dt>Latency p50</dt><dd><b>5.65 ms</b> <span>of 100 requests</span>" in html
    assert "<b>1 of 1</b>" in html
    assert "too few" not in html


def test_batch_sizes_are_bars_up_to_the_largest():
    html = live_html.batches(figures(samples([0, 5]), 60, Selection()))
    assert "<b>1</b>" in html
    assert "<b>2</b>" in html
    assert "3 to 4" not in html


def test_names_from_servers_are_escaped():
    versions = (ModelVersion("<b>", "1.0", True, (worker(),), 1),)
    shown = live_html.workers_table(versions) + live_html.events_list([Event(0, "<i>")], UTC)
    shown += live_html.load_result(LoadPlan("<u>", 1, rate=1), LoadResult(outcomes=[Outcome(0, 0, "<s>")]))
    assert not {"<b>1.0", "<i>", "<u>", "<s>"} & set(shown.split())
    assert "&lt;i&gt;" in shown
    assert "&lt;s&gt;" in shown


def test_failures_that_no_worker_saw_are_counted_with_the_others():
    first, last = samples([0, 5])
    more = read_page('inkserve_request_seconds_count{model="digits",version="1.0",status="503",size="4KiB"} 4', 0)
    now = figures([first, Sample(last.time_s, True, {**last.totals, **more.values})], 60, Selection())
    assert "<dt>Failed</dt><dd><b>4</b> <span>of 14 requests</span>" in live_html.cards(now, None)
    assert "<b>503 queue full</b>" in live_html.errors(now)
