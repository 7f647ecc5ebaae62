"""The Live page, on samples of made pages."""

import time
from collections.abc import Callable, Iterator

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard.live.sampler import Sampler
from dashboard.shared import server_watch
from tests.answering import SEVEN, AnsweringServer, answering, closed_port, described, readiness
from tests.metrics_pages import Clock, environment, page, serving_pages
from tests.test_dashboard import ROOT, text_of
from tests.test_prometheus_history import query_answer


@pytest.fixture
def server() -> Iterator[AnsweringServer]:
    with serving_pages() as made:
        yield made


@pytest.fixture
def live(server, monkeypatch) -> Iterator[Callable[..., AppTest]]:
    """Open the page on samples of the made pages, two seconds apart."""
    for name, value in environment(server).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(server_watch, "read_readiness", lambda *_: readiness(server.documents.get("fault", "")))
    found: list[Sampler] = []

    def start(sampler: Sampler) -> Sampler:
        found.append(sampler)
        sampler._clock = Clock()
        for batches in counts:
            server.documents["/metrics"] = page(batches).encode()
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


def test_the_page_shows_figures_with_their_counts(live):
    app = live(0, 400)
    text = text_of(app)
    assert "<b>400.0</b> <span>800 in 2 s</span>" in text
    assert "<b>5.65 ms</b> <span>of 800 requests</span>" in text
    assert "<b>1 of 1</b>" in text
    assert "The server is up" in text
    assert app.selectbox(key="live-choice").options == ["All recognisers", "digits"]


def test_the_page_says_what_to_do_without_requests(live):
    text = text_of(live(0, 0))
    assert "No requests in this window. Draw a digit, or start the test load below." in text
    assert "No batches in this window." in text
    assert "No latency: it needs" in text


def test_the_page_waits_for_its_first_samples(live):
    assert "Waiting for the first two samples" in text_of(live())


def test_without_prometheus_the_page_says_that_it_samples_itself(live, server):
    text = text_of(live(0, 400))
    assert f"Source: {server.url}/metrics, read by the dashboard every second." in text


def test_the_page_shows_what_prometheus_remembers(live, server, monkeypatch):
    monkeypatch.setenv("PROMETHEUS_URL", server.url)
    server.documents["/api/v1/query_range"] = query_answer(*(page(100 * each) for each in range(13)))
    app = live(0, 400)
    text = text_of(app)
    assert f"Source: Prometheus at {server.url}." in text
    assert "<b>40.0</b> <span>2400 in 1 min 0 s</span>" in text
    app.segmented_control(key="live-window").set_value("24 h").run()
    assert not app.exception


def test_without_an_answer_of_prometheus_the_page_shows_its_own_samples(live, monkeypatch):
    monkeypatch.setenv("PROMETHEUS_URL", closed_port())
    text = text_of(live(0, 400))
    assert "PROMETHEUS_URL cannot be used: http://127.0.0.1:" in text
    assert "<b>400.0</b> <span>800 in 2 s</span>" in text


def test_a_window_without_samples_in_prometheus(live, server, monkeypatch):
    monkeypatch.setenv("PROMETHEUS_URL", server.url)
    server.documents["/api/v1/query_range"] = query_answer()
    assert "Prometheus has fewer than two samples in this window" in text_of(live(0, 400))


def test_one_recogniser_can_be_selected(live, server):
    server.models(digits=[described()], reader=[described("reader")])
    app = live(0, 400)
    app.selectbox(key="live-choice").select("reader").run()
    assert "No requests in this window" in text_of(app)


def test_a_server_that_is_down_leaves_its_history_and_one_banner(live, server):
    server.documents["fault"] = "the connection is refused"
    app = live(0, 400)
    assert text_of(app).count("ink-banner") == 1
    assert "800 in 2 s" in text_of(app)
    assert app.button[0].disabled  # nothing to send to


@pytest.mark.parametrize("there", [True, False])
def test_locusts_page_is_linked_only_where_it_is(live, monkeypatch, there):
    monkeypatch.setattr("dashboard.live.load_generator.listens", lambda *_: there)
    shown = [each.value for each in live(0, 400).markdown]
    assert any("make loadtest UI=1" in each and "http://127.0.0.1:8089" in each for each in shown) is there


def test_a_load_is_sent_from_the_page(live, monkeypatch):
    with answering((200, SEVEN)) as answers:
        monkeypatch.setenv("INKSERVE_URL", answers.url)
        app = live(0, 400)
        app.number_input(key="live-load-Requests/s").set_value(50)
        app.number_input(key="live-load-seconds").set_value(1)
        app.button[0].click().run()
        give_up = time.monotonic() + 60
        while "for 1 s: done." not in text_of(app) and time.monotonic() < give_up:
            time.sleep(0.1)
            app.run()
        assert "50 requests/s to digits for 1 s: done." in text_of(app)
        assert "<dt>Answered</dt><dd><b>50</b>" in text_of(app)
    assert len(answers.bodies) == 50


def test_what_was_chosen_for_a_load_stays_while_it_runs(live, monkeypatch):
    """On a busy machine, numbers and the click that sends them reach the server at once."""
    with answering((200, SEVEN)) as recogniser:
        monkeypatch.setenv("INKSERVE_URL", recogniser.url)
        app = live(0, 400)
        app.button_group(key="live-load-kind").set_value("Ramping users").run()
        app.number_input(key="live-load-Users").set_value(3)
        app.number_input(key="live-load-seconds").set_value(2)
        app.button(key="load-send").click()
        app.run()
        assert "3 users to digits for 2 s: running." in text_of(app)
        assert app.button_group(key="live-load-kind").value == "Ramping users"
        assert app.number_input(key="live-load-Users").value == 3
        assert app.number_input(key="live-load-seconds").value == 2
        app.button(key="load-stop").click().run()


def test_numbers_stay_where_they_are_when_a_hint_comes(live):
    def before_numbers(app: AppTest) -> int:
        return [element.type for element in app.main].index("expander")

    assert before_numbers(live(0, 1)) == before_numbers(live(0, 400))
