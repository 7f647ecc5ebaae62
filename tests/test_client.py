"""The Python client: against the real server, and against a small one for what goes wrong."""

import io
import pickle
import zipfile

import numpy as np
import pytest
from PIL import Image

from deploy.local.settings import ROOT
from handwriting.preprocess import MAX_BYTES, picture_frame
from inkserve import Candidate, Prediction, Recogniser, RecogniserError, Rejected, ServerDown, UnusablePicture
from inkserve.client import connection
from inkserve.client.pictures import to_bytes
from tests.answering import BREAK, QUEUE_FULL, SEVEN, SILENCE, WORKER_DIED, answering, closed_port, error, in_turn
from tests.conftest import drawings
from tests.pictures import encode, mnist_frame

SHORT_S = (0.5, 0.2)  # connect, read
DRAWING = drawings()[0]


@pytest.fixture
def digits(stack):
    with Recogniser("digits", stack.inference_url) as recogniser:
        yield recogniser


@pytest.fixture
def no_pauses(monkeypatch):
    monkeypatch.setattr(connection, "FIRST_PAUSE_S", 0)


def ask(server, picture=b"picture", **options) -> Prediction:
    with Recogniser("digits", server.url, **options) as recogniser:
        return recogniser.predict(picture)


# The real server


@pytest.mark.server
def test_with_timing_the_worker_reports_its_times(stack):
    with Recogniser("digits", stack.inference_url, timing=True) as recogniser:
        answer = recogniser.predict(DRAWING)
    assert set(answer.stages_ms) == {"preprocessing", "inference", "handler"}
    assert 0 < answer.stages_ms["preprocessing"] + answer.stages_ms["inference"] <= answer.stages_ms["handler"]
    assert answer.stages_ms["handler"] < answer.round_trip_ms


@pytest.mark.server
def test_without_timing_the_worker_reports_no_times(digits):
    assert digits.predict(DRAWING).stages_ms == {}


@pytest.mark.server
def test_an_explanation_has_the_frame_and_a_heatmap(digits):
    found = digits.explain(DRAWING)
    assert found.label == DRAWING.name[0]
    assert (found.frame.shape, found.frame.dtype) == ((28, 28), np.uint8)
    assert (found.heatmap.shape, found.heatmap.max()) == ((28, 28), 1.0)
    assert (found.frame == (picture_frame(DRAWING.read_bytes(), "mnist") * 255).round()).all()


@pytest.mark.server
def test_a_page_is_read_with_its_boxes(stack):
    with Recogniser("reader", stack.inference_url) as recogniser:
        found = recogniser.read_page(ROOT / "examples" / "pages" / "pi.png")
    assert found.text == "314 159\n26 535\n897 93"
    assert [each.label for each in found.characters] == list(found.text.replace(" ", "").replace("\n", ""))
    assert all(width > 0 and height > 0 for _, _, width, height in (each.box for each in found.characters))


@pytest.mark.server
def test_reader_refuses_explanations(stack):
    with Recogniser("reader", stack.inference_url) as recogniser, pytest.raises(Rejected, match="no explanations"):
        recogniser.explain(DRAWING)


@pytest.mark.server
def test_a_path_is_read(digits):
    assert digits.predict(DRAWING).label == DRAWING.stem[0]


@pytest.mark.server
def test_a_prediction_has_model_version_and_round_trip(digits, seven):
    answer = digits.predict(seven)
    assert (answer.model, answer.version, len(answer.top)) == ("digits", "1.0", 3)
    assert answer.top[0] == Candidate(answer.label, answer.confidence)
    assert answer.round_trip_ms > 0


@pytest.mark.server
def test_top_k_and_version_can_be_chosen(stack, seven):
    with Recogniser("digits", stack.inference_url, version="1.0", top_k=5) as recogniser:
        assert len(recogniser.predict(seven).top) == 5


@pytest.mark.server
def test_a_version_that_is_not_served_is_rejected(stack, seven):
    with Recogniser("digits", stack.inference_url, "9.9") as recogniser, pytest.raises(Rejected, match=r"9\.9"):
        recogniser.predict(seven)


@pytest.mark.server
def test_a_running_server_is_ready(digits):
    assert digits.fault() == ""


@pytest.mark.server
def test_a_model_that_is_not_served_is_not_ready(stack):
    with Recogniser("runes", stack.inference_url) as recogniser:
        assert "runes" in recogniser.fault()


# What can be sent


@pytest.mark.parametrize(
    "form",
    [
        str,
        lambda path: path.read_bytes(),
        lambda path: memoryview(path.read_bytes()),
        Image.open,
        lambda path: Image.open(path).convert("CMYK"),
        lambda path: np.asarray(Image.open(path).convert("L")),
        lambda path: np.asarray(Image.open(path).convert("L"))[..., None].astype(np.int64),
        lambda path: np.asarray(Image.open(path).convert("RGB")),
        lambda path: np.asarray(Image.open(path).convert("RGBA")),
        lambda path: np.asarray(Image.open(path).convert("L"), np.float32) / 255,
    ],
    ids=["str", "bytes", "memoryview", "image", "CMYK", "grey", "int64", "RGB", "RGBA", "float32"],
)
def test_every_form_of_a_picture_gives_the_same_frame(form):
    assert np.abs(mnist_frame(to_bytes(form(DRAWING))) - mnist_frame(DRAWING.read_bytes())).max() < 0.05


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "I;16B", "I", "F", "YCbCr", "PA", "RGBa"])
def test_every_mode_of_an_image_gives_the_same_frame(mode):
    grey = Image.open(DRAWING).convert("L")
    image = in_mode(grey, mode)
    assert image.mode == mode
    assert np.abs(mnist_frame(to_bytes(image)) - mnist_frame(encode(grey))).mean() < 0.02


def in_mode(grey: Image.Image, mode: str) -> Image.Image:
    if mode.startswith("I;16"):
        return Image.fromarray((np.asarray(grey).astype(np.uint16) * 257).astype(">u2" if mode == "I;16B" else "<u2"))
    alpha_first = {"RGBa": "RGBA", "PA": "LA"}.get(mode, "L")  # Pillow has no shorter way
    return grey.convert(alpha_first).convert(mode)


@pytest.mark.parametrize("frame", [np.uint8(255), np.float32(1)], ids=["uint8", "float32"])
def test_a_mnist_frame_passes_unchanged(frame):
    pixels = np.zeros((28, 28), frame.dtype)
    pixels[4:24, 13:15] = frame
    assert np.array_equal(mnist_frame(to_bytes(pixels)), pixels / frame)


def test_an_image_is_turned_upright_as_its_file_would_be():
    exif = Image.Exif()
    exif[0x0112] = 6  # turn 90 degrees clockwise to view
    file = encode(Image.open(DRAWING).convert("L").rotate(90, expand=True), "JPEG", exif=exif, quality=95)
    assert np.abs(mnist_frame(to_bytes(Image.open(io.BytesIO(file)))) - mnist_frame(file)).max() < 0.05


def test_a_zip_path_is_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "scans.zip", "w") as archive:
        archive.write(DRAWING, "0.png")
    with zipfile.ZipFile(tmp_path / "scans.zip") as archive:
        assert to_bytes(zipfile.Path(archive, "0.png")) == DRAWING.read_bytes()


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (np.zeros(28), r"shape \(28,\); wanted H x W"),
        (np.zeros((2, 28, 28, 1)), r"shape \(2, 28, 28, 1\)"),
        (np.zeros((28, 28, 2)), r"shape \(28, 28, 2\)"),
        (np.zeros((0, 28)), r"shape \(0, 28\)"),
        (np.zeros((28, 28), bool), "holds bool; wanted integers"),
        (np.full((28, 28), "7"), "holds <U1"),
        (np.full((28, 28), 256), "int64 from 256 to 256"),
        (np.full((28, 28), -1), "int64 from -1 to -1"),
        (np.full((28, 28), 255.0), "float64 from 255 to 255; wanted integers from 0 to 255 or floats from 0 to 1"),
        (np.full((28, 28), np.nan), "float64 from nan"),
        (np.zeros((6000, 5000), np.uint8), "5000 x 6000 px; at most 25 megapixels"),
        (Image.new("1", (6000, 5000)), "6000 x 5000 px; at most 25 megapixels"),
        (Image.new("L", (0, 5)), "0 x 5 px"),
        (bytes(MAX_BYTES + 1), "16,777,217 bytes; at most 16,777,216"),
        (DRAWING.parent, "is no file"),
        (DRAWING.with_name("missing.png"), "missing.png cannot be read: No such file"),
        ("\0.png", "cannot be read: embedded null"),
        (7, "int is no picture; wanted a path"),
        (None, "NoneType is no picture"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_unusable_picture_is_described(picture, message):
    with pytest.raises(UnusablePicture, match=message):
        to_bytes(picture)


def test_a_file_over_the_byte_limit_is_not_read(tmp_path, monkeypatch):
    large = tmp_path / "large.png"
    with large.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    monkeypatch.setattr("pathlib.Path.read_bytes", lambda _: pytest.fail("it was read"))
    with pytest.raises(UnusablePicture, match="at most"):
        to_bytes(large)


def test_a_damaged_image_is_unusable():
    image = Image.open(io.BytesIO(DRAWING.read_bytes()[:200]))
    with pytest.raises(UnusablePicture, match="cannot be encoded"):
        to_bytes(image)


def test_an_object_whose_read_bytes_fails_is_unusable():
    class Broken:
        def read_bytes(self):
            raise KeyError("gone")

    with pytest.raises(UnusablePicture, match="gone"):
        to_bytes(Broken())


# One request


def test_a_prediction_carries_labels_version_and_round_trip():
    with answering((200, SEVEN)) as server:
        answer = ask(server)
    assert (answer.label, answer.version, answer.top[1]) == ("7", "1.0", Candidate("1", 0.015))
    assert answer.round_trip_ms > 0


def test_the_model_the_version_and_top_k_are_asked_for():
    with answering((200, SEVEN)) as server:
        ask(server, version="1.0", top_k=7)
    assert server.paths == ["/predictions/digits/1.0"]
    assert server.headers[0]["X-Top-K"] == "7"


def test_a_model_cannot_lead_to_another_address():
    with answering((200, SEVEN)) as server, Recogniser("../models?x", server.url) as recogniser:
        recogniser.predict(b"picture")
    assert server.paths == ["/predictions/..%2Fmodels%3Fx"]


def test_a_4xx_is_rejected_with_the_servers_message():
    with answering(error(400, "InvalidImage", "the picture is blank")) as server:
        with pytest.raises(Rejected, match="the picture is blank") as caught:
            ask(server)
        assert caught.value.type == "InvalidImage"


def test_a_4xx_without_a_message_is_rejected_with_its_status():
    with answering((413, b"")) as server, pytest.raises(Rejected) as caught:
        ask(server)
    assert caught.value.type == "413"


@pytest.mark.parametrize("status", [302, 500, 503, 507])
def test_any_other_status_counts_as_down(status):
    with (
        answering(error(status, message="no worker")) as server,
        pytest.raises(ServerDown, match=f"it answers {status}: no worker"),
    ):
        ask(server, tries=1)


@pytest.mark.parametrize("body", [{"status": "Healthy"}, [], b"<html>", b"", {**SEVEN, "top": [7]}, b'{"label": "7'])
def test_an_answer_of_another_shape_counts_as_down(body):
    with answering((200, body)) as server, pytest.raises(ServerDown, match="not a prediction"):
        ask(server)


def test_a_server_that_hangs_times_out():
    with answering(SILENCE) as server, pytest.raises(ServerDown, match="in time"):
        ask(server, timeout_s=SHORT_S)


def test_a_closed_port_is_refused():
    with Recogniser("digits", closed_port()) as recogniser, pytest.raises(ServerDown, match="refused"):
        recogniser.predict(b"picture")


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "localhost", "http://", "http://[::1"])
def test_an_invalid_address_is_named(url):
    with Recogniser("digits", url) as recogniser, pytest.raises(ServerDown, match="is no address of a server"):
        recogniser.predict(b"picture")


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize("full", [QUEUE_FULL, error(429)])
def test_a_full_queue_or_a_token_in_use_is_tried_again(full):
    with answering(in_turn(full, full, (200, SEVEN))) as server:
        assert ask(server).label == "7"
    assert len(server.bodies) == 3


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize(("fault", "reason"), [(QUEUE_FULL, "503"), (BREAK, "the request failed")])
def test_a_lasting_fault_is_raised_after_all_tries(fault, reason):
    with answering(fault) as server, pytest.raises(ServerDown, match=reason):
        ask(server, tries=3)
    assert len(server.bodies) == 3


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize("fault", [WORKER_DIED, error(507, message="Worker died."), BREAK])
def test_a_worker_or_a_connection_that_dies_loses_no_prediction(fault):
    with answering(in_turn(fault, QUEUE_FULL, fault, (200, SEVEN))) as server:
        assert ask(server).label == "7"
    assert len(server.bodies) == 4


@pytest.mark.usefixtures("no_pauses")
def test_a_picture_that_kills_workers_is_sent_three_times_only():
    with answering(WORKER_DIED) as server, pytest.raises(ServerDown, match="500: Worker died"):
        ask(server, tries=9)
    assert len(server.bodies) == 3


@pytest.mark.parametrize("answer", [error(400), error(404), error(500), error(507), (200, {})])
def test_no_other_answer_is_tried_again(answer):
    with answering(answer) as server, pytest.raises(RecogniserError):
        ask(server)
    assert len(server.bodies) == 1


def test_pauses_grow_up_to_a_limit():
    assert connection.pause_s(10_000) <= connection.LONGEST_PAUSE_S
    assert [connection.pause_s(3) > connection.pause_s(1) for _ in range(100)] == [True] * 100


@pytest.mark.parametrize(
    ("answer", "ready"),
    [
        ((200, SEVEN), True),
        (error(400, "InvalidImage"), True),
        (error(404, "ModelNotFoundException"), False),
        (QUEUE_FULL, False),
    ],
    ids=["prediction", "InvalidImage", "404", "503"],
)
def test_only_an_answer_from_the_handler_counts_as_ready(answer, ready):
    with answering(answer) as server, Recogniser("digits", server.url, tries=1) as recogniser:
        assert recogniser.is_ready() == ready


# Addresses


def test_the_address_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("INKSERVE_URL", "http://10.0.0.1:9080/")
    assert Recogniser("digits").url == "http://10.0.0.1:9080"


def test_a_given_address_comes_before_the_environment(monkeypatch):
    monkeypatch.setenv("INKSERVE_URL", "http://10.0.0.1:9080")
    assert Recogniser("digits", "http://10.0.0.2:9080").url == "http://10.0.0.2:9080"


def test_the_default_address_is_that_of_make_up(monkeypatch):
    monkeypatch.delenv("INKSERVE_URL", raising=False)
    assert Recogniser("digits").url == "http://127.0.0.1:8080"


def test_a_proxy_of_the_environment_is_not_used_for_this_machine(monkeypatch):
    monkeypatch.setenv("http_proxy", closed_port())
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with answering((200, SEVEN)) as server:
        assert ask(server).label == "7"


def test_a_proxy_of_the_environment_is_used_for_other_machines(monkeypatch):
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with answering((200, SEVEN)) as proxy, Recogniser("digits", "http://inkserve.invalid") as recogniser:
        monkeypatch.setenv("http_proxy", proxy.url)
        recogniser.predict(b"picture")
    assert proxy.paths == ["http://inkserve.invalid/predictions/digits"]


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://localhost:8080", True),
        ("http://127.0.0.1", True),
        ("http://127.1.2.3:80", True),
        ("http://[::1]:8080", True),
        ("http://10.0.0.1:8080", False),
        ("http://127.0.0.1.example.com", False),
    ],
)
def test_loopback_addresses_are_recognised(url, loopback):
    assert connection.is_loopback(url) == loopback


# Errors and other answers


def test_errors_can_be_sent_between_processes():
    copy = pickle.loads(pickle.dumps(Rejected("InvalidImage", "blank")))  # noqa: S301 - our own, just made
    assert (copy.type, copy.message, str(copy)) == ("InvalidImage", "blank", "InvalidImage: blank")


@pytest.mark.parametrize("document", [{}, {"label": "7", "frame": [[0]], "heatmap": [[0, 0]]}, [], {"text": "7"}])
def test_another_answer_for_an_explanation_or_page_counts_as_down(document):
    with answering(lambda _: (200, document)) as server, Recogniser("digits", server.url) as recogniser:
        with pytest.raises(ServerDown, match="not an explanation"):
            recogniser.explain(b"picture")
        with pytest.raises(ServerDown, match="not a page"):
            recogniser.read_page(b"picture")
