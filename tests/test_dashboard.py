"""The dashboard: its client against a real HTTP server, and its pages with the server up and down."""

import io
import json
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
import streamlit as st
from PIL import Image
from streamlit.testing.v1 import AppTest

from dashboard import view
from dashboard.client import Candidate, Client, Prediction, Rejected, ServerDown

ROOT = Path(__file__).parents[1]
SEVEN = {
    "label": "7",
    "confidence": 0.98,
    "top": [{"label": "7", "probability": 0.98}, {"label": "1", "probability": 0.015}],
    "model": "digits",
    "version": "1.0",
}
PREDICTED = Prediction("7", 0.98, (Candidate("7", 0.98), Candidate("<1>", 0.015)), "digits", "1.0", 12.3)
SHORT_S = (0.5, 0.2)  # connect, read
Answer = Callable[[int, object], Client]


@pytest.fixture
def answering() -> Iterator[Answer]:
    """Start a server that gives every request one status and body; a status of 0 is silence until the test ends."""
    ended = threading.Event()
    servers = []

    def start(status: int, body: object) -> Client:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                if not status:
                    ended.wait(10)
                    return
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return Client(f"http://127.0.0.1:{server.server_port}")

    yield start
    ended.set()
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_prediction_carries_labels_version_and_round_trip(answering):
    answer = answering(200, SEVEN).predict("digits", b"picture")
    assert (answer.label, answer.version, answer.top[1]) == ("7", "1.0", Candidate("1", 0.015))
    assert answer.round_trip_ms > 0


def test_a_4xx_is_rejected_with_the_servers_words(answering):
    client = answering(400, {"code": 400, "type": "InvalidImage", "message": "the picture is blank"})
    with pytest.raises(Rejected, match="the picture is blank") as caught:
        client.predict("digits", b"picture")
    assert caught.value.type == "InvalidImage"


@pytest.mark.parametrize("status", [500, 503])
def test_a_5xx_counts_as_down(answering, status):
    with pytest.raises(ServerDown, match="no worker"):
        answering(status, {"code": status, "type": "X", "message": "no worker"}).predict("digits", b"picture")


def test_an_answer_that_is_no_prediction_counts_as_down(answering):
    with pytest.raises(ServerDown, match="not a prediction"):
        answering(200, {"status": "Healthy"}).predict("digits", b"picture")


def test_a_server_that_hangs_is_given_up(answering):
    with pytest.raises(ServerDown, match="in time"):
        answering(0, None).predict("digits", b"picture", SHORT_S)


def test_a_closed_port_is_refused():
    with pytest.raises(ServerDown, match="refused"):
        Client("http://127.0.0.1:1").predict("digits", b"picture")


@pytest.mark.parametrize(
    ("status", "kind", "ready"),
    [(400, "InvalidImage", True), (404, "ModelNotFoundException", False), (503, "ServiceUnavailableException", False)],
)
def test_only_an_answer_of_the_handler_proves_readiness(answering, status, kind, ready):
    assert answering(status, {"code": status, "type": kind, "message": "why"}).is_ready("digits") == ready


def test_a_prediction_proves_readiness(answering):
    assert answering(200, SEVEN).is_ready("digits")


def test_no_probability_is_rounded_to_a_certainty():
    assert [view.percent(p) for p in (1.0, 0.99999, 0.5, 0.00001, 0.0)] == [
        "> 99.9 %", "> 99.9 %", "50.0 %", "< 0.1 %", "< 0.1 %",
    ]  # fmt: skip


class Server:
    """What stands in for the client's HTTP: `fault` says why it is down, `answer` is returned or raised."""

    def __init__(self) -> None:
        self.fault = ""
        self.answer: Prediction | Exception = PREDICTED
        self.asked: list[bytes] = []

    def predict(self, _model: str, picture: bytes) -> Prediction:
        """Answer as Client.predict does."""
        self.asked.append(picture)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def server(monkeypatch) -> Server:
    """Put a stand-in behind every client of the pages."""
    stand_in = Server()
    monkeypatch.setattr(Client, "predict", lambda _self, model, picture: stand_in.predict(model, picture))
    monkeypatch.setattr(Client, "fault", lambda _self, _model: stand_in.fault)
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
        component = SimpleNamespace(st_canvas=lambda **_: result, CanvasResult=SimpleNamespace)
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
    assert "Draw a digit" in text_of(open_page())
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
    assert "Draw a digit" in text
    assert "ink-label" not in text


def test_a_rejected_drawing_names_the_reason(server, drawn):
    drawn("7-1.png")
    server.answer = Rejected("InvalidImage", "the picture shows a single speck")
    assert "The picture shows a single speck" in text_of(open_page())


@pytest.mark.parametrize("page", ["", "screens/upload.py"])
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


def test_a_picture_on_which_the_server_keeps_failing_is_told(server, drawn):
    drawn("7-1.png")
    server.answer = ServerDown("it answers 500: out of memory")
    app = open_page()
    app.run()
    assert "out of memory" in text_of(app.run())


@pytest.mark.usefixtures("server")
def test_the_upload_page_asks_for_a_picture():
    assert "Choose a picture" in text_of(open_page("screens/upload.py"))


@pytest.mark.usefixtures("server")
def test_an_uploaded_picture_shows_its_label():
    app = open_page("screens/upload.py")
    app.file_uploader[0].upload("seven.png", picture("7-1.png"), "image/png")
    assert "ink-label" in text_of(app.run())


def test_a_broken_upload_names_the_reason(server):
    server.answer = Rejected("InvalidImage", "the body is no picture")
    app = open_page("screens/upload.py")
    app.file_uploader[0].upload("seven.png", b"no picture", "image/png")
    assert "The body is no picture" in text_of(app.run())


@pytest.mark.usefixtures("server")
def test_a_tiff_is_previewed():
    tiff = io.BytesIO()
    Image.new("L", (40, 40), 255).save(tiff, format="TIFF")
    app = open_page("screens/upload.py")
    app.file_uploader[0].upload("blank.tiff", tiff.getvalue(), "image/tiff")
    assert len(app.run().get("image")) == 1


@pytest.mark.usefixtures("server")
def test_a_picture_too_large_to_decode_is_not_previewed():
    large = io.BytesIO()
    Image.new("1", (6000, 6000)).save(large, format="PNG")
    app = open_page("screens/upload.py")
    app.file_uploader[0].upload("large.png", large.getvalue(), "image/png")
    assert not app.run().get("image")
    assert not app.exception
