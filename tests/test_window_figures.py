"""The figures of a window of samples, and the data of the charts over time."""

from dataclasses import replace

import pytest

from dashboard.live import time_charts
from dashboard.live.events import Event
from dashboard.live.sampler import Sample
from dashboard.live.window_figures import Selection, figures, points, selected, selections
from inkserve.management import ModelVersion
from inkserve.metrics import Quantile, read_page
from tests.metrics_pages import page, samples, version, worker


def test_the_figures_of_a_window():
    now = figures(samples([0, 100, 200, 300]), 60, Selection())
    assert (now.elapsed_s, now.requests, now.requests_per_s) == (3, 600, 200)
    assert now.latency.quantile(0.5) == Quantile(pytest.approx(0.00565), 600)  # the middle of 5 to 6.3 ms
    assert now.mean_handler_ms == pytest.approx(2)
    assert (now.mean_batch, now.batches.count) == (2, 300)
    assert (now.mean_queue_ms, now.queued) == (pytest.approx(3), 600)
    assert now.errors == now.statuses == {}
    assert now.now_per_s == 200


def test_the_rate_now_is_that_of_the_last_seconds():
    now = figures(samples([0] * 30 + [10 * i for i in range(6)]), 60, Selection())
    assert now.now_per_s == 20
    assert now.requests_per_s < 3


def test_samples_that_are_far_apart_say_nothing_of_now():
    first, last = samples([0, 100])
    now = figures([first, replace(last, time_s=first.time_s + 960)], 86_400, Selection())
    assert (now.now_per_s, now.requests) == (None, 200)


def test_a_short_load_is_as_high_in_the_chart_as_it_was():
    found = points(samples([0] * 30 + [10 * i for i in range(11)] + [100] * 20), 60, Selection())
    rates = {point.time_s: point.requests_per_s for point in found}
    assert max(rate or 0 for rate in rates.values()) == 20
    assert sum((rate or 0) > 0 for rate in rates.values()) <= 10 + 3  # s


def test_failures_have_their_statuses_and_their_rate():
    first, second, third = samples([0, 5, 10])
    last = Sample(third.time_s, True, read_page(page(10, refused=4), 0).values)
    now = figures([first, second, last], 60, Selection())
    assert (now.statuses, now.failed, now.requests) == ({"400": 4}, 4, 20)
    assert points([first, second, last], 60, Selection())[-1].failed_per_s == 2


def test_points_have_the_requests_in_flight_and_waiting_and_the_memory():
    lines = [f'torchserve_queue_requests{{model="{name}",version="1.0"}} 2' for name in "ab"]
    lines.append("inkserve_requests_in_flight 5")
    lines.append(f'torchserve_worker_memory_bytes{{model="a",version="1.0",worker="9"}} {3 * 2**20}')
    gauges = read_page("\n".join(lines) + "\n", 0).values
    found = [replace(each, gauges=gauges) for each in samples([0, 1, 2, 3])]
    last, of_a, of_b = (points(found, 60, Selection(name))[-1] for name in ("", "a", "b"))
    assert (last.in_flight, last.waiting, last.memory_mib) == (5, 4, 3)
    assert (of_a.in_flight, of_a.waiting, of_a.memory_mib) == (5, 2, 3)
    assert (of_b.waiting, of_b.memory_mib) == (2, None)


def test_a_window_has_the_last_seconds():
    now = figures(samples([0, 100, 200, 300]), 2, Selection())
    assert (now.elapsed_s, now.requests) == (2, 400)


@pytest.mark.parametrize("count", [0, 1])
def test_without_two_samples_there_are_no_figures(count):
    assert figures(samples([5] * count), 60, Selection()) is None


def test_errors_are_counted_by_type_the_most_frequent_first():
    first, last = samples([0, 10])
    more = read_page('handwriting_requests_total{model="digits",version="1.0",outcome="InternalError"} 9', 0).values
    last = Sample(last.time_s, True, read_page(page(10, refused=3), 0).values | more)
    assert list(figures([first, last], 60, Selection()).errors.items()) == [("InternalError", 9), ("InvalidImage", 3)]


@pytest.mark.parametrize(
    ("selection", "requests", "queued"),
    [
        (Selection("digits"), 20, 20),
        (Selection("reader"), 0, 0),
        (Selection("digits", "1.0"), 20, 20),
        (Selection("digits", "1.1"), 0, 0),
    ],
)
def test_figures_are_of_the_selection(selection, requests, queued):
    now = figures(samples([0, 10]), 60, selection)
    assert (now.requests, now.queued) == (requests, queued)


def test_versions_can_be_selected_where_there_are_several():
    versions = (version(worker()), version(worker(), name="1.1"), ModelVersion("reader", "1.0", True, (), 0))
    assert [each.name for each in selections(versions)] == [
        "All recognisers",
        "digits",
        "digits 1.0",
        "digits 1.1",
        "reader",
    ]
    assert [each.name for each in selected(versions, Selection("digits", "1.1"))] == ["digits 1.1"]
    assert selected(versions, Selection()) == versions


def test_the_latency_of_a_point_slides_over_15_s():
    found = points(samples([10 * i for i in range(31)]), 60, Selection())
    last = found[-1]
    assert (last.time_s, last.requests_per_s, last.answered) == (1030, 20, 300)
    assert last.p50 == pytest.approx(5.65)
    assert last.p99 == pytest.approx(5 + 0.99 * 1.3)


def test_a_point_of_too_few_requests_has_a_rate_and_no_quantile():
    last = points(samples([2 * i for i in range(31)]), 60, Selection())[-1]
    assert (last.requests_per_s, last.p95, last.answered) == (4, None, 60)


def test_points_have_gaps_where_the_server_was_down():
    found = samples([10 * i for i in range(40)])
    found[30:] = [Sample(each.time_s, False, found[29].totals) for each in found[30:]]
    rates = {point.time_s: point.requests_per_s for point in points(found, 60, Selection())}
    assert rates[1029] == 20
    assert rates[1030] is rates[1039] is None


def test_points_have_the_requests_that_a_server_answered_while_it_missed_a_check():
    found = samples([10 * i for i in range(40)])
    found[30:] = [replace(each, is_up=False) for each in found[30:]]
    assert points(found, 60, Selection())[-1].requests_per_s == 20


def test_points_stay_in_their_places():
    one = {point.time_s for point in points(samples([0] * 400), 900, Selection())}
    other = {point.time_s for point in points(samples([0] * 403), 900, Selection())}
    assert one <= other
    assert {time_s % 10 for time_s in one} == {0}


def test_the_charts_data_are_points_events_and_the_windows_edges():
    found = points(samples([10 * i for i in range(31)]), 60, Selection())
    frame = time_charts.frame(found, [Event(1020.0, "server down")], 970.0, 1030.0)
    assert frame["kind"].value_counts().to_dict() == {"point": 8 * len(found), "event": 1, "edge": 2}
    assert frame[frame["kind"] == "edge"]["time"].tolist() == [970_000, 1_030_000]
    assert frame[frame["kind"] == "event"]["event"].tolist() == ["server down"]


def test_the_charts_data_have_the_same_form_with_nothing_in_them():
    full = time_charts.frame(points(samples([0] * 30), 60, Selection()), [Event(1020.0, "x")], 970.0, 1030.0)
    assert time_charts.frame([], [], 970.0, 1030.0).dtypes.to_dict() == full.dtypes.to_dict()
