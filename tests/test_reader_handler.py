"""The handler of pages: whose characters are whose in a batch."""

import json
import sys

import numpy as np
import pytest
from ts.context import RequestProcessor

from deploy.local.settings import ROOT
from tests.test_handler import make_context, packed
from tests.test_reading import PAGE, TEXT

sys.path.insert(0, str(ROOT / "handlers"))

from reader_handler import ReaderHandler


@pytest.fixture(scope="module")
def handler(tmp_path_factory) -> ReaderHandler:
    handler = ReaderHandler()
    handler.initialize(
        make_context(packed(ROOT / "weights" / "characters-1.0.safetensors", tmp_path_factory.mktemp("reader")))
    )
    return handler


def test_all_characters_of_a_batch_are_scored_at_once(handler, seven, monkeypatch):
    scored = []
    score = handler.inference
    monkeypatch.setattr(handler, "inference", lambda frames: scored.append(len(frames)) or score(frames))
    context = make_context(requests=3)
    several = {"a": seven, "b": PAGE.read_bytes()}
    page, bad, both = handler.handle([{"body": PAGE.read_bytes()}, {"body": b""}, several], context)
    assert len(scored) == 1
    assert json.loads(page)["text"] == TEXT
    assert json.loads(bad)["type"] == "InvalidImage"
    assert [each["text"] for each in json.loads(both)["predictions"]] == ["7", TEXT]


def test_boxes_are_in_pixels_of_the_picture_that_was_sent(handler, monkeypatch):
    def boxes() -> list[list[int]]:
        [answer] = handler.handle([{"body": PAGE.read_bytes()}], make_context(requests=1))
        return [each["box"] for line in json.loads(answer)["lines"] for each in line["characters"]]

    whole = boxes()
    monkeypatch.setattr(ReaderHandler, "max_side_px", 320)
    assert np.abs(np.subtract(whole, boxes())).max() <= 6
    assert whole[0] == pytest.approx([50, 50, whole[0][2], 64], abs=4)


def test_a_character_lists_as_many_labels_as_asked_for(handler):
    [answer] = handler.handle([{"body": PAGE.read_bytes(), "top_k": b"2"}], make_context(requests=1))
    character = json.loads(answer)["lines"][0]["characters"][0]
    assert set(character) == {"label", "confidence", "top", "box"}
    assert character["top"][0]["label"] == character["label"] == "3"
    assert len(character["top"]) == 2


def test_a_page_is_not_explained(handler, seven):
    context = make_context()
    context.request_processor = [RequestProcessor({"explain": "True"})]
    assert b"no explanations" in handler.handle([{"body": seven}], context)[0]
