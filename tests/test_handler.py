import io
import json
import shutil
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from ts.context import Context, RequestProcessor

from deploy.graph import write_graph
from deploy.local.settings import ROOT
from handwriting.checkpoint import load_checkpoint, save_checkpoint
from handwriting.errors import InvalidRequest
from handwriting.labels import DIGITS
from handwriting.networks import ModelConfig, build_network
from handwriting.preprocess import find_character
from handwriting.serving import handler as serving
from handwriting.serving.responses import error_body
from tests.alike import assert_alike
from tests.pictures import encode

sys.path.insert(0, str(ROOT / "handlers"))

from digits_handler import DigitsHandler

WEIGHTS = ROOT / "weights" / "digits-1.0.safetensors"


def make_context(weights=WEIGHTS, requests: int = 0) -> Context:
    manifest = {"model": {"modelVersion": "1.0", "serializedFile": weights.name}}
    context = Context("digits", str(weights.parent), manifest, 8, None, "0.12.0")
    context.request_processor = [RequestProcessor({}) for _ in range(requests)]
    return context


def packed(weights: Path, folder: Path) -> Path:
    """Put weights, card and graph into a folder, as an archive holds them, and return the path of the weights."""
    for path in (weights, weights.with_suffix(".json")):
        shutil.copy(path, folder)
    write_graph(load_checkpoint(weights), folder / f"{weights.stem}.onnx")
    return folder / weights.name


@pytest.fixture(scope="module")
def handler(tmp_path_factory) -> DigitsHandler:
    handler = DigitsHandler()
    handler.initialize(make_context(packed(WEIGHTS, tmp_path_factory.mktemp("digits"))))
    return handler


def test_a_worker_uses_one_thread(tmp_path):
    cv2.setNumThreads(2)
    DigitsHandler().initialize(make_context(packed(WEIGHTS, tmp_path)))
    assert cv2.getNumThreads() == torch.get_num_threads() == 1


def serve(handler, bodies) -> list[tuple[int, dict]]:
    context = make_context(requests=len(bodies))
    answers = handler.handle([{"body": bytearray(body)} for body in bodies], context)
    return [(context.get_response_status(i)[0], json.loads(answer)) for i, answer in enumerate(answers)]


def test_an_answer_has_the_documented_form(handler, seven):
    [(status, answer)] = serve(handler, [seven])
    assert status == 200
    assert set(answer) == {"label", "confidence", "top", "model", "version"}
    assert (answer["label"], answer["model"], answer["version"]) == ("7", "digits", "1.0")
    assert answer["top"][0] == {"label": "7", "probability": answer["confidence"]}


def test_the_top_labels_are_in_order_of_their_probability(handler, seven):
    context = make_context(requests=1)
    top = json.loads(handler.handle([{"body": seven, "top_k": b"10"}], context)[0])["top"]
    probabilities = [row["probability"] for row in top]
    assert sorted(probabilities, reverse=True) == probabilities
    assert sorted(row["label"] for row in top) == list(DIGITS)
    assert sum(probabilities) == pytest.approx(1, abs=1e-4)


def test_one_broken_picture_does_not_affect_the_rest_of_its_batch(handler, seven):
    alone = serve(handler, [seven])[0]
    good, broken, last = serve(handler, [seven, b"not a picture", seven])
    assert_alike([good, last], [alone, alone])
    assert broken[0] == 400
    assert broken[1] == {"code": 400, "type": "InvalidImage", "message": broken[1]["message"]}


def test_answers_come_in_the_order_of_the_requests(handler, mnist_test):
    digits = mnist_test.take(slice(20))
    answers = serve(handler, [encode(image) for image in digits.images])
    with torch.inference_mode():
        network = load_checkpoint(WEIGHTS)
        expected = network(torch.from_numpy(digits.images[:, None] / 255).float()).argmax(dim=1).tolist()
    assert [answer["label"] for _, answer in answers] == [str(label) for label in expected]


def test_a_batch_of_bad_requests_only_is_answered(handler):
    assert [status for status, _ in serve(handler, [b"", b"x"])] == [400, 400]


def test_a_bug_fails_one_request_and_is_logged(handler, seven, monkeypatch, caplog):
    def fail_once(picture, form, calls=iter([True])):  # noqa: B008
        if next(calls, False):
            raise ZeroDivisionError
        return find_character(picture, form)

    monkeypatch.setattr(serving, "find_character", fail_once)
    failed, good = serve(handler, [seven, seven])
    assert (failed[0], failed[1]["type"]) == (500, "InternalError")
    assert good[1]["label"] == "7"
    assert "ZeroDivisionError" in caplog.text


def test_another_recognisers_weights_are_refused_at_the_start(tmp_path):
    save_checkpoint(build_network(ModelConfig("lenet5", "LeNet5", DIGITS)), tmp_path / "digits-1.0.safetensors")
    with pytest.raises(RuntimeError, match="the archive of digits holds the weights of lenet5"):
        DigitsHandler().initialize(make_context(tmp_path / "digits-1.0.safetensors"))


def test_many_pictures_get_many_answers_in_a_batch_with_others(handler, seven):
    context = make_context(requests=3)
    one, many, refused = handler.handle([{"body": seven}, {"a": seven, "b": b"\x00", "c": seven}, {}], context)
    first, broken, last = json.loads(many)["predictions"]
    assert_alike([first, last], [json.loads(one)] * 2)
    assert broken["error"]["type"] == "InvalidImage"
    assert [context.get_response_status(i)[0] for i in range(3)] == [200, 200, 400]
    assert json.loads(refused)["type"] == "InvalidRequest"


def test_pictures_of_a_zip_file_keep_their_names(handler, seven):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a/7.png", seven)
        archive.writestr("x.png", b"")
    [(_, answer)] = serve(handler, [buffer.getvalue()])
    assert [(each["name"], "error" in each) for each in answer["predictions"]] == [("a/7.png", False), ("x.png", True)]


def test_more_frames_than_one_pass_takes_are_answered_in_order(handler, monkeypatch, mnist_test):
    frames = mnist_test.images[:50]
    buffer = io.BytesIO()
    np.save(buffer, frames)
    whole = serve(handler, [buffer.getvalue()])[0][1]["predictions"]
    monkeypatch.setattr(serving, "MAX_FRAMES", 7)
    assert_alike(serve(handler, [buffer.getvalue()])[0][1]["predictions"], whole)
    assert np.mean([int(each["label"]) for each in whole] == mnist_test.labels[:50]) > 0.9


def test_only_requests_to_explanations_are_explained(handler, seven):
    context = make_context(requests=3)
    context.request_processor = [RequestProcessor({}), RequestProcessor({"explain": "True"}), RequestProcessor({})]
    plain, explained, last = map(json.loads, handler.handle([{"body": seven}] * 3, context))
    assert_alike(plain, last)
    assert set(explained) == {"label", "confidence", "model", "version", "frame", "heatmap"}
    assert np.shape(explained["frame"]) == np.shape(explained["heatmap"]) == (28, 28)
    assert max(map(max, explained["frame"])) > 200


def test_a_list_of_pictures_is_not_explained(handler, seven):
    context = make_context()
    context.request_processor = [RequestProcessor({"explain": "True"})]
    assert json.loads(handler.handle([{"a": seven, "b": seven}], context)[0])["type"] == "InvalidRequest"


def test_the_card_describes_the_recogniser(handler):
    context = make_context()
    context.request_processor = [RequestProcessor({"describe": "True"})]
    [answer] = handler.handle([{}], context)
    assert json.loads(answer) == json.loads(WEIGHTS.with_suffix(".json").read_text())


def test_a_header_that_asks_for_the_card_with_a_picture_changes_no_answer(handler, seven):
    context = make_context(requests=3)
    context.request_processor[0] = RequestProcessor({"describe": "True"})
    answers = handler.handle([{"body": seven}] * 3, context)
    assert [json.loads(answer)["label"] for answer in answers] == ["7"] * 3
    context.request_processor = [RequestProcessor({"describe": "True"})]
    [alone] = handler.handle([{"body": seven}], context)
    assert json.loads(alone)["label"] == "7"


def test_after_a_while_only_the_first_picture_of_each_request_is_read(handler, seven, monkeypatch):
    monkeypatch.setattr(serving, "MAX_BATCH_S", 0.0)
    context = make_context(requests=2)
    many, one = map(json.loads, handler.handle([dict.fromkeys("abc", seven), {"a": seven}], context))
    first, *others = many["predictions"]
    assert (first["label"], one["label"]) == ("7", "7")
    assert [each["error"]["type"] for each in others] == ["NotRead"] * 2
    assert others[0]["error"]["message"].startswith("not read: the 1 pictures before it took all the time")


def test_the_time_limit_of_a_request_grows_with_its_pictures(handler, seven, monkeypatch):
    monkeypatch.setattr(serving, "REQUEST_S", 0.0)
    monkeypatch.setattr(handler, "picture_s", 0.0)
    [answer] = map(json.loads, handler.handle([dict.fromkeys("abc", seven)], make_context(requests=1)))
    assert ["error" in each for each in answer["predictions"]] == [False, True, True]
    monkeypatch.setattr(handler, "picture_s", 60.0)
    [answer] = map(json.loads, handler.handle([dict.fromkeys("abc", seven)], make_context(requests=1)))
    assert [each["label"] for each in answer["predictions"]] == ["7"] * 3


def test_late_requests_of_a_slow_batch_get_503(handler, seven, monkeypatch):
    monkeypatch.setattr(serving, "FULL_BATCH_S", 0.0)
    [(status, answer)] = serve(handler, [seven])
    assert (status, answer["type"]) == (503, "ServiceUnavailableException")
    assert "try again later" in answer["message"]


def test_an_answer_over_the_servers_limit_is_refused(handler, seven, monkeypatch):
    monkeypatch.setattr(serving, "MAX_ANSWER_BYTES", 1000)
    context = make_context(requests=2)
    long, short = map(json.loads, handler.handle([dict.fromkeys("abcdefgh", seven), {"a": seven}], context))
    assert (long["code"], long["type"]) == (400, "InvalidRequest")
    assert "at most 1,000" in long["message"]
    assert (context.get_response_status(0)[0], short["label"]) == (400, "7")


def test_a_long_message_is_cut():
    assert error_body(InvalidRequest("a" * 500))["message"] == "a" * 500
    assert error_body(InvalidRequest("a" * 501))["message"] == "a" * 497 + "..."
