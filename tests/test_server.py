import concurrent.futures
import io
import json

import numpy as np
import pytest
import requests
from PIL import Image

from deploy.local.settings import ROOT
from deploy.local.stack import SERVICES
from handwriting.checkpoint import load_checkpoint
from tests.alike import assert_alike
from tests.conftest import drawings
from tests.pictures import encode, enlarged, inverted, on_ruled_paper, small_on_page, tightly_cropped
from training.data import load_characters
from training.fit import score_frames, to_tensors

pytestmark = pytest.mark.server

TIMEOUT_S = 90
COUNT = 1000


def post(stack, body, **options) -> requests.Response:
    return requests.post(stack.predictions_url, data=body, timeout=TIMEOUT_S, **options)


def read_labels(stack, pictures) -> list[int]:
    """The labels of pictures, which are sent 16 at a time; -1 for an error."""
    return [int(answer.json().get("label", -1)) for answer in read_at_once(stack, pictures)]


def read_at_once(stack, pictures, clients: int = 16) -> list[requests.Response]:
    with requests.Session() as session, concurrent.futures.ThreadPoolExecutor(clients) as pool:
        session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=clients))
        return list(pool.map(lambda body: session.post(stack.predictions_url, data=body, timeout=TIMEOUT_S), pictures))


def accuracy(predicted, labels) -> float:
    return float(np.mean(np.asarray(predicted) == labels))


def test_mnist_scores_over_http_what_the_network_scores_in_process(stack, mnist_test):
    digits = mnist_test.take(slice(COUNT))
    frames, labels = to_tensors(digits)
    in_process = score_frames(load_checkpoint(ROOT / "weights" / "digits-1.0.safetensors"), frames).argmax(dim=1)
    over_http = read_labels(stack, [encode(image) for image in digits.images])
    assert accuracy(over_http, digits.labels) == pytest.approx((in_process == labels).float().mean().item(), abs=0.001)


def test_all_of_mnist_scores_over_http_what_the_card_says(stack, official_data):
    digits = load_characters("mnist", "test")
    card = json.loads((ROOT / "weights" / "digits-1.0.json").read_text())
    answers = read_at_once(stack, [encode(image) for image in digits.images])
    predicted = [int(answer.json()["label"]) for answer in answers]
    assert accuracy(predicted, digits.labels) == pytest.approx(card["metrics"][0]["accuracy"], abs=0.0005)


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (inverted, 0.985),
        (enlarged, 0.985),
        (small_on_page, 0.985),
        (on_ruled_paper, 0.975),
        (tightly_cropped, 0.98),  # some 1s are nothing but ink
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_mnist_in_dark_ink_on_white_paper_is_read(stack, mnist_test, change, wanted):
    digits = mnist_test.take(slice(COUNT))
    predicted = read_labels(stack, [encode(change(image)) for image in digits.images])
    assert accuracy(predicted, digits.labels) >= wanted


@pytest.mark.parametrize("path", drawings(), ids=lambda path: path.stem)
def test_our_own_drawings_are_read(stack, path):
    assert post(stack, path.read_bytes()).json()["label"] == path.stem[0]


def test_bad_requests_at_the_same_time_change_no_answer(stack, seven):
    bodies = [seven, b"not a picture", seven, b"", seven[:200]] * 40
    answers = read_at_once(stack, bodies, clients=32)
    assert [answer.status_code for answer in answers] == [200, 400, 200, 400, 400] * 40
    assert_alike([answer.json() for answer in answers[::5]], [post(stack, seven).json()] * 40)


def test_requests_at_the_same_time_travel_in_batches(stack, seven):
    def batches() -> float:
        before = stack.metric("handwriting_batch_requests_count", model="digits")
        read_at_once(stack, [seven] * 320, clients=32)
        return stack.metric("handwriting_batch_requests_count", model="digits") - before

    fewest = min(batches() for _ in range(4))  # clients on a busy machine send some of them one after another
    assert 0 < fewest < 160  # more than two requests in each, where 32 wait at once


def test_a_multipart_file_is_read(stack, seven):
    answer = requests.post(stack.predictions_url, files={"file": ("7.png", seven)}, timeout=TIMEOUT_S)
    assert answer.json()["label"] == "7"


def test_an_array_is_read(stack, seven):
    pixels = np.asarray(Image.open(io.BytesIO(seven)).convert("L")).tolist()
    assert requests.post(stack.predictions_url, json={"data": pixels}, timeout=TIMEOUT_S).json()["label"] == "7"


def test_the_version_can_be_named(stack, seven):
    answer = requests.post(f"{stack.predictions_url}/1.0", data=seven, timeout=TIMEOUT_S)
    assert answer.json()["version"] == "1.0"


def test_top_k_is_taken_from_the_header(stack, seven):
    assert len(post(stack, seven, headers={"X-Top-K": "5"}).json()["top"]) == 5


def test_top_k_is_taken_from_the_query_of_invocations(stack, seven):
    url = f"{stack.inference_url}/invocations?model_name=digits&top_k=2"
    assert len(requests.post(url, data=seven, timeout=TIMEOUT_S).json()["top"]) == 2


@pytest.mark.parametrize(
    ("body", "headers", "status", "kind"),
    [
        (b"not a picture", {}, 400, "InvalidImage"),
        (b"", {"Content-Type": "image/png"}, 400, "InvalidImage"),
        (encode(np.full((50, 50), 255, np.uint8)), {}, 400, "InvalidImage"),
        (encode(Image.new("1", (6000, 5000))), {}, 413, "ImageTooLarge"),
        (b"hello", {"Content-Type": "text/plain"}, 415, "UnsupportedMedia"),
        (b'{"data": [[1, 2], [3]]}', {"Content-Type": "application/json"}, 400, "InvalidRequest"),
        (b'{"data": ', {"Content-Type": "application/json"}, 400, "InvalidRequest"),
        (drawings()[0].read_bytes(), {"X-Top-K": "99"}, 400, "InvalidRequest"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_request_is_answered_with_its_status_and_type(stack, body, headers, status, kind):
    answer = post(stack, body, headers=headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"code": status, "type": kind, "message": answer.json()["message"]}


def test_a_body_over_the_byte_limit_is_refused(stack):
    assert post(stack, bytes(17 * 2**20)).status_code == 413


def test_128_clients_at_once_are_all_answered(stack, seven):
    answers = read_at_once(stack, [seven] * 512, clients=128)
    assert {answer.status_code for answer in answers} == {200}


def test_the_metrics_page_counts_the_predictions_in_torchserve_and_in_its_workers(stack, seven):
    names = ["ts_inference_requests_total", "handwriting_requests_total", "handwriting_handler_seconds_count"]
    before = [stack.metric(name) for name in names]
    post(stack, seven)
    assert all(stack.metric(name) >= count + 1 for name, count in zip(names, before, strict=True))
    assert stack.metric("torchserve_up") == 1


def test_the_metrics_page_tells_what_was_wrong_with_requests(stack):
    labels = {"model": "digits", "version": "1.0", "outcome": "InvalidImage"}
    before = stack.metric("handwriting_requests_total", **labels)
    post(stack, b"no picture")
    assert stack.metric("handwriting_requests_total", **labels) == before + 1


def test_nothing_is_written_to_the_root_of_the_repository(stack):
    assert not {"logs", "snapshots", "key_file.json"} & {path.name for path in ROOT.iterdir()}


def test_the_server_listens_on_loopback_only(stack):
    server = stack.stack.record.find("torchserve")
    others = [stack.stack.record.find(name) for name in SERVICES if name != "torchserve"]
    family = [server, *server.children(recursive=True), *others]
    listening = [each.laddr for process in family for each in process.net_connections() if each.status == "LISTEN"]
    assert {address.ip.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}
    names = set().union(*(service.ports for service in SERVICES.values()))
    assert {address.port for address in listening} == {stack.settings.ports[name] for name in names}
