"""The dashboard: its pages with the server up and down, and how long they wait for it."""

import io
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import streamlit as st
from PIL import Image
from streamlit.testing.v1 import AppTest

from dashboard.shared import answer_html, prepared_picture, server_watch
from dashboard.shared.server_watch import Look
from handwriting.preprocess import find_ink
from handwriting.preprocess.decode import opened
from inkserve.client import (
    Candidate,
    Explanation,
    PageReading,
    Prediction,
    Recogniser,
    Rejected,
    ServerDown,
    UnusablePicture,
)
from inkserve.readiness import Readiness
from tests.answering import QUEUE_FULL, SILENCE, answering, readiness

ROOT = Path(__file__).parents[1]
PREDICTED = Prediction("7", 0.98, (Candidate("7", 0.98), Candidate("<1>", 0.015)), "digits", "1.0", 12.3)


def test_a_silent_server_is_given_up_before_the_next_look_but_one():
    with answering(SILENCE) as server:
        server.documents["/ready"] = SILENCE
        found = server_watch.look_at(server.url)
    assert (found.readiness.reason, found.readiness.is_silent, found.misses) == ("it does not answer in time", True, 1)
    assert sum(server_watch.LOOK_TIMEOUT_S) <= 2.5


def test_a_page_leaves_trying_again_to_its_next_look():
    with answering(QUEUE_FULL) as server:
        server.documents["/ready"] = QUEUE_FULL
        assert not server_watch.look_at(server.url).serving
    assert server.paths == ["GET /ready"]


SILENT = Readiness("it does not answer in time", is_silent=True)
REFUSED = Readiness("the connection is refused")
ENDED = Readiness("digits 1.0 has no ready worker of 2", True, readiness(digits=0).versions)


def test_a_busy_server_may_miss_two_looks_but_a_refused_connection_is_believed_at_once():
    serving = [("digits", "1.0")]
    up = Look(readiness()).then(readiness())
    once, twice = up.then(SILENT), up.then(SILENT).then(SILENT)
    assert list(up.serving) == list(once.serving) == list(twice.serving) == serving
    assert not twice.then(SILENT).serving
    assert list(twice.then(readiness()).then(SILENT).serving) == serving  # in a row
    assert not up.then(REFUSED).serving
    assert up.then(REFUSED).versions == up.versions  # a choice of recogniser survives


@pytest.mark.parametrize(
    ("found", "title", "what_to_do"),
    [
        (REFUSED, "does not answer.", "make up"),
        (SILENT, "does not answer in time.", "may be busy"),
        (ENDED, "is not ready yet.", "digits 1.0 has no ready worker of 2"),
        (Readiness("no model is loaded", True), "has no recogniser loaded.", "Models page"),
    ],
    ids=["down", "busy", "starting", "nothing loaded"],
)
def test_the_banner_says_what_is_wrong_and_what_to_do(found, title, what_to_do):
    look = Look(readiness()).then(readiness())
    for _ in range(server_watch.MISSES):
        look = look.then(found)
    assert not look.serving
    words = server_watch.banner(look, "http://<x>")
    assert f"The recognition server {title}</strong>" in words
    assert what_to_do in words
    assert "http://&lt;x&gt;" in words


def test_the_dashboard_needs_no_torch():
    code = "import sys; sys.modules['torch'] = None; from dashboard.shared import answer_panel, loaded_versions"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, timeout=60).returncode == 0


def test_no_probability_is_rounded_to_a_certainty():
    assert [answer_html.percent(p) for p in (1.0, 0.99999, 0.5, 0.00001, 0.0)] == [
        "> 99.9 %", "> 99.9 %", "50.0 %", "< 0.1 %", "< 0.1 %",
    ]  # fmt: skip


class Server:
    """What stands in for the recogniser's HTTP: `fault` says why it is down, `answer` is returned or raised."""

    def __init__(self) -> None:
        self.fault = ""
        self.answer: Prediction | Exception = PREDICTED
        self.asked: list[bytes] = []

    def predict(self, picture: bytes) -> Prediction:
        """Answer as Recogniser.predict does."""
        self.asked.append(picture)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def server(monkeypatch) -> Server:
    """Put a stand-in behind every recogniser of the pages."""
    stand_in = Server()
    monkeypatch.setattr(Recogniser, "predict", lambda _self, picture: stand_in.predict(picture))
    monkeypatch.setattr(server_watch, "read_readiness", lambda *_: readiness(stand_in.fault))
    st.cache_data.clear()
    return stand_in


@pytest.fixture(autouse=True)
def drawn(monkeypatch) -> Callable[[str | None], None]:
    """Put an example, or nothing, on the canvas.

    The whole component is replaced: it registers itself with a running Streamlit server only, and AppTest has none.
    """

    def put(name: str | None) -> None:
        drawing = picture(name) if name else None
        result = SimpleNamespace(image_bytes=drawing, json_data={"objects": ["a stroke"] if drawing else []})

        def st_canvas(key: str, **_: object) -> SimpleNamespace:
            st.session_state[key] = "shown"
            return result

        component = SimpleNamespace(st_canvas=st_canvas, CanvasResult=SimpleNamespace)
        monkeypatch.setitem(sys.modules, "streamlit_drawable_canvas", component)

    put(None)
    return put


def picture(name: str) -> bytes:
    """Return one of the example drawings, PNG."""
    return (ROOT / "examples/digits" / name).read_bytes()


def open_page(path: str = "") -> AppTest:
    """Run the app, and then one of its pages."""
    app = AppTest.from_file(ROOT / "dashboard/app.py", default_timeout=30).run()
    return app.switch_page(path).run() if path else app


def text_of(app: AppTest) -> str:
    """Return the HTML that the page shows beside Streamlit's own elements, without the style sheet."""
    assert not app.exception
    return " ".join(element.proto.body for element in app.get("html") if "<style>" not in element.proto.body)


def test_an_empty_canvas_asks_for_a_digit(server):
    assert "Draw on the canvas" in text_of(open_page())
    assert server.asked == []


@pytest.mark.usefixtures("server")
def test_a_drawing_shows_label_confidence_and_frame(drawn):
    drawn("7-1.png")
    text = text_of(open_page())
    assert '<span class="ink-label">7</span>' in text
    assert "98.0 %" in text
    assert "12 ms" in text
    assert "data:image/png" in text


@pytest.mark.usefixtures("server")
def test_a_drawing_is_decoded_and_prepared_once(drawn, monkeypatch):
    decoded: list[bytes] = []
    cleaned: list[object] = []
    monkeypatch.setattr(prepared_picture, "opened", lambda picture: decoded.append(picture) or opened(picture))
    monkeypatch.setattr(prepared_picture, "find_ink", lambda grey: cleaned.append(grey) or find_ink(grey))
    drawn("7-1.png")
    app = open_page()
    assert "Model input, 28 by 28 pixels" in text_of(app)
    assert "ink-box" in text_of(app)
    app.run()
    assert (len(decoded), len(cleaned)) == (1, 1)
    drawn("3-1.png")
    app.run()
    assert (len(decoded), len(cleaned)) == (2, 2)


@pytest.mark.usefixtures("server")
def test_labels_are_escaped(drawn):
    drawn("7-1.png")
    assert "&lt;1&gt;" in text_of(open_page())


def test_the_same_drawing_is_asked_once(server, drawn):
    drawn("7-1.png")
    open_page().run().run()
    assert len(server.asked) == 1


def test_a_new_drawing_is_asked_anew(server, drawn):
    drawn("7-1.png")
    app = open_page()
    drawn("3-1.png")
    app.run()
    assert server.asked == [picture("7-1.png"), picture("3-1.png")]


@pytest.mark.usefixtures("server")
def test_a_cleared_canvas_is_empty_again(drawn):
    drawn("7-1.png")
    app = open_page()
    drawn(None)
    text = text_of(app.run())
    assert "Draw on the canvas" in text
    assert "ink-label" not in text


@pytest.mark.parametrize("has_reader", [True, False])
def test_a_picture_of_several_characters_is_read_by_reader_after_one_click(server, drawn, monkeypatch, has_reader):
    loaded = {"digits": 1, "reader": 1} if has_reader else {"digits": 1}
    monkeypatch.setattr(server_watch, "read_readiness", lambda *_: readiness(**loaded))
    monkeypatch.setattr(Recogniser, "read_page", lambda *_: PageReading("42", (), "reader", "1.0", 9.0))
    server.answer = replace(PREDICTED, notes=("2 characters side by side; `reader` reads them all",))
    drawn("7-1.png")
    app = open_page()
    assert "2 characters side by side" in text_of(app)
    offered = [each for each in app.button if each.label == "Read it all with reader"]
    assert bool(offered) is has_reader
    if has_reader:
        assert '<pre class="ink-text">42</pre>' in text_of(offered[0].click().run())
        assert app.selectbox(key="draw-recogniser").value == "reader 1.0"


@pytest.mark.parametrize(
    ("loaded", "reason"),
    [
        ({"digits": 1}, "reader is not loaded on this server"),
        ({"digits": 1, "reader": 0}, "reader 1.0 has no worker that takes requests now"),
    ],
    ids=["not loaded", "without workers"],
)
@pytest.mark.usefixtures("server")
def test_a_recogniser_that_cannot_answer_is_named_and_the_others_go_on(drawn, monkeypatch, loaded, reason):
    monkeypatch.setattr(server_watch, "read_readiness", lambda *_: readiness(**loaded))
    drawn("7-1.png")
    app = AppTest.from_file(ROOT / "dashboard/app.py", default_timeout=30)
    app.query_params["model"] = "reader"
    text = text_of(app.run())
    assert reason in text
    assert "ink-banner" not in text
    assert '<span class="ink-label">7</span>' in text_of(
        app.selectbox(key="draw-recogniser").select("digits 1.0").run()
    )


def test_a_rejected_drawing_names_the_reason(server, drawn):
    drawn("7-1.png")
    server.answer = Rejected("InvalidImage", "the picture shows a single speck")
    assert "The picture shows a single speck" in text_of(open_page())


def test_a_drawing_that_cannot_be_sent_names_the_reason(server, drawn):
    drawn("7-1.png")
    server.answer = UnusablePicture("the picture has 20,000,000 bytes")
    assert "The picture has 20,000,000 bytes" in text_of(open_page())


@pytest.mark.parametrize("page", ["", "batch/page.py"])
def test_a_server_that_is_down_shows_one_banner(server, page):
    server.fault = "the connection is refused"
    text = text_of(open_page(page))
    assert text.count("ink-banner") == 1
    assert "make up" in text
    assert "http://127.0.0.1:8080" in text


def test_nothing_is_sent_while_the_server_is_down(server, drawn):
    drawn("7-1.png")
    server.fault = "the connection is refused"
    assert "Waiting for the server" in text_of(open_page())
    assert server.asked == []


def test_the_drawing_is_predicted_when_the_server_is_back(server, drawn):
    drawn("7-1.png")
    server.fault = "the connection is refused"
    app = open_page()
    server.fault = ""
    st.cache_data.clear()
    text = text_of(app.run())
    assert "ink-label" in text
    assert "ink-banner" not in text


def test_a_stale_answer_never_stands_beside_a_newer_drawing(server, drawn):
    drawn("7-1.png")
    app = open_page()
    drawn("3-1.png")
    server.answer = ServerDown("it does not answer in time")
    assert "ink-label" not in text_of(app.run())


def test_a_heatmap_that_did_not_come_is_asked_for_again(server, drawn, monkeypatch):
    failure = ServerDown("it does not answer in time")
    explanation = Explanation("7", np.zeros((28, 28), np.uint8), np.ones((28, 28), np.float32))
    replies = [failure, failure, failure, explanation]

    def explain(*_: object) -> Explanation:
        reply = replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply

    monkeypatch.setattr(Recogniser, "explain", explain)
    drawn("7-1.png")
    app = open_page()
    text = text_of(app.toggle(key="heatmap").set_value(True).run())
    for expected in ("Trying again", "Trying again", "No heatmap, as the server failed on this picture: it does not"):
        assert "ink-label" in text
        assert expected in text
        assert ("retry" in app.session_state) is ("Trying" in expected)
        text = text_of(app.run())
    assert "ink-heat" in text
    assert "No heatmap" not in text
    assert len(server.asked) == 1


def test_a_picture_on_which_the_server_keeps_failing_is_told(server, drawn):
    drawn("7-1.png")
    server.answer = ServerDown("it answers 500: out of memory")
    app = open_page()
    app.run()
    assert "out of memory" in text_of(app.run())


@pytest.mark.usefixtures("server")
def test_the_batch_page_asks_for_pictures():
    assert "Choose pictures" in text_of(open_page("batch/page.py"))


@pytest.mark.usefixtures("server")
def test_an_uploaded_picture_shows_its_label():
    app = open_page("batch/page.py")
    app.file_uploader[0].upload("seven.png", picture("7-1.png"), "image/png")
    assert "ink-label" in text_of(app.run())


def test_a_broken_upload_names_the_reason(server):
    server.answer = Rejected("InvalidImage", "the body is no picture")
    app = open_page("batch/page.py")
    app.file_uploader[0].upload("seven.png", b"no picture", "image/png")
    assert "The body is no picture" in text_of(app.run())


@pytest.mark.usefixtures("server")
def test_a_tiff_is_previewed():
    tiff = io.BytesIO()
    Image.new("L", (40, 40), 255).save(tiff, format="TIFF")
    app = open_page("batch/page.py")
    app.file_uploader[0].upload("blank.tiff", tiff.getvalue(), "image/tiff")
    assert len(app.run().get("image")) == 1


@pytest.mark.usefixtures("server")
def test_a_picture_too_large_to_decode_is_not_previewed():
    large = io.BytesIO()
    Image.new("1", (6000, 6000)).save(large, format="PNG")
    app = open_page("batch/page.py")
    app.file_uploader[0].upload("large.png", large.getvalue(), "image/png")
    assert not app.run().get("image")
    assert not app.exception
