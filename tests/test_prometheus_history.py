"""The Live page's history from Prometheus."""

import pytest

from dashboard.live.prometheus_history import History, HistoryError, read_history, step
from dashboard.live.window_figures import Selection, figures, points
from inkserve.metrics import Quantile, Series, read_page
from tests.answering import answering, closed_port
from tests.metrics_pages import Clock, page


def query_result(*pages: str | None, server: str = "one", every_s: int = 5) -> list[dict]:
    """The result of a query_range after scraping these pages; None for a page that was not there."""
    found: dict[Series, list] = {}
    for index, text in enumerate(pages):
        scraped = {Series("up"): float(text is not None)} | read_page(text or "", 0).values
        for series, value in scraped.items():
            found.setdefault(series, []).append([1000 + every_s * index, str(value)])
    return [
        {"metric": {"__name__": series.name, **dict(series.labels), "instance": server}, "values": values}
        for series, values in found.items()
    ]


def query_answer(*pages: str | None) -> dict:
    return {"status": "success", "data": {"result": query_result(*pages)}}


def with_worker(text: str, process: int, name: str = "1.0") -> str:
    labels = f'model="digits",version="{name}"'
    worker = f'torchserve_worker_process_id{{{labels},worker="9000"}} {process}\n' if process else ""
    return text + worker + f"torchserve_workers_wanted{{{labels}}} 1\n"


def test_the_history_has_the_figures_that_the_sampler_has():
    found = read_history(query_answer(page(50), page(150), page(250, refused=3))).samples
    assert [sample.time_s for sample in found] == [1000, 1005, 1010]
    now = figures(found, 60, Selection("digits"))
    assert (now.elapsed_s, now.requests, now.errors) == (10, 400, {"InvalidImage": 3})
    assert now.latency.quantile(0.5) == Quantile(pytest.approx(0.00565), 400)
    assert (now.mean_batch, now.mean_queue_ms, now.queued) == (2, pytest.approx(3), 400)


def test_a_restart_in_the_history_counts_from_zero():
    assert figures(read_history(query_answer(page(50), page(3), page(4))).samples, 60, Selection()).requests == 8


def test_what_a_server_had_counted_before_prometheus_saw_it_is_not_of_the_window():
    document = {
        "status": "success",
        "data": {"result": query_result(page(5), page(6), page(7))},
    }
    document["data"]["result"] += query_result(None, page(900), page(901), server="another")
    found = read_history(document).samples
    assert figures(found, 60, Selection()).requests == 2 * (2 + 1)


def test_a_server_that_was_away_is_in_the_history():
    found = read_history(query_answer(page(5), page(6, up=False), None, page(9), page(9)))
    assert [sample.is_up for sample in found.samples] == [True, False, False, True, True]
    found_events = [(event.time_s, event.text) for event in found.events]
    assert found_events == [(1005, "server down"), (1010, "no metrics page"), (1015, "server up")]
    assert figures(found.samples, 60, Selection()).requests == 8


def test_what_changed_is_in_the_history():
    pages = [
        with_worker(page(1), 11),
        with_worker(page(1), 12),
        with_worker(with_worker(page(1), 12), 21, "1.1"),
    ]
    found_events = [event.text for event in read_history(query_answer(*pages)).events]
    assert found_events == ["digits 1.0: 1 worker restarted", "digits 1.1 appeared"]


def test_new_processes_after_a_restart_in_the_history_are_not_events():
    pages = [with_worker(page(1), 11), page(1, up=False), with_worker(page(0), 31)]
    assert [event.text for event in read_history(query_answer(*pages)).events] == ["server down", "server up"]


def test_nothing_remembered_is_no_error():
    assert read_history(query_answer()).samples == []


@pytest.mark.parametrize(
    "document", [{}, [], {"status": "success", "data": {}}, {"status": "error", "error": "too long"}], ids=str
)
def test_another_document_is_an_error(document):
    with pytest.raises(HistoryError, match=r"not an answer of Prometheus|too long"):
        read_history(document)


def test_an_answer_is_reused_for_two_seconds():
    clock = Clock()
    with answering((200, {})) as server:
        server.documents["/api/v1/query_range"] = query_answer(page(0), page(4))
        history = History(server.url, clock)
        assert history.window(60.0) is history.window(60.0)
        history.window(300.0)
        clock.time_s += 3
        history.window(60.0)
        assert len(server.paths) == 3


def test_a_prometheus_that_does_not_answer_is_named():
    with pytest.raises(HistoryError, match="does not answer"):
        History(closed_port()).window(60.0)
    with answering((200, {})) as server:
        server.documents["/api/v1/query_range"] = (404, b"nothing here")
        with pytest.raises(HistoryError, match="answers 404 without JSON"):
            History(server.url).window(60.0)


def test_samples_of_the_history_lie_under_the_points_of_the_charts():
    assert [step(window_s) for window_s in (60, 900, 3600, 86400)] == [5, 5, 40, 960]
    found = read_history({"status": "success", "data": {"result": query_result(*map(page, range(91)), every_s=40)}})
    found = found.samples
    drawn = points(found, 3600, Selection())
    assert {point.requests_per_s for point in drawn[1:]} == {2 / 40}
    assert len(drawn) == 90
