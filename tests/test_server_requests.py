"""Requests as clients write them, sent to the real server."""

import base64
import json

import pytest
import requests
from PIL import Image

from tests.conftest import drawings
from tests.test_requests import FORMS, spellings

pytestmark = pytest.mark.server

TIMEOUT_S = 30


def post(stack, **options) -> requests.Response:
    return requests.post(stack.predictions_url, timeout=TIMEOUT_S, **options)


@pytest.mark.parametrize("name", spellings(b""))
def test_what_a_canvas_gives_is_read_as_json_as_a_field_and_as_a_body(stack, seven, name):
    text = spellings(seven)[name]
    assert post(stack, json={"image": text}).json()["label"] == "7"
    assert post(stack, files={"photo": (None, text)}).json()["label"] == "7"
    assert post(stack, data=text, headers={"Content-Type": "text/plain;charset=UTF-8"}).json()["label"] == "7"


@pytest.mark.parametrize("name", FORMS)
def test_the_samples_of_other_servers_are_read(stack, seven, name):
    answer = post(stack, json=FORMS[name](base64.b64encode(seven).decode())).json()
    assert [each["label"] for each in answer["predictions"]] == ["7"]


def test_json_without_a_content_type_is_read(stack, seven):
    document = {"instances": [{"b64": base64.b64encode(seven).decode()}], "top_k": 1}
    [answer] = post(stack, data=json.dumps(document)).json()["predictions"]
    assert (answer["label"], len(answer["top"])) == ("7", 1)


def test_an_unknown_key_is_an_error_that_names_it(stack):
    answer = post(stack, json={"data": [[0]], "treshold": 0.5})
    assert (answer.status_code, answer.json()["type"]) == (400, "InvalidRequest")
    assert "'treshold'" in answer.json()["message"]


def test_a_form_of_a_picture_and_other_fields_gets_one_answer(stack, seven):
    fields = {"user": "me", "threshold": "0.5", "top_k": "2"}
    answer = post(stack, files={"file": ("7.png", seven, "image/png")}, data=fields).json()
    assert (answer["label"], len(answer["top"])) == ("7", 2)
    [note] = answer["notes"]
    assert note.startswith("fields that have no effect: ")
    assert {"user", "threshold"} == set(note.partition(": ")[2].split(", "))


def test_a_form_with_a_text_file_is_a_list_with_an_error(stack, seven):
    files = {"a": ("7.png", seven), "b": ("notes.txt", b"hello")}
    rows = post(stack, files=files).json()["predictions"]
    assert ["error" in each for each in rows] == [False, True]


def test_normalised_floats_are_read_with_a_note(stack):
    with Image.open(drawings()[0]) as drawing:
        grey = drawing.convert("L").resize((80, 80))
    label = drawings()[0].name[0]
    rows = [[grey.getpixel((x, y)) / 255 for x in range(80)] for y in range(80)]
    answer = post(stack, json={"data": rows}).json()
    assert answer["label"] == label
    assert "0 for black to 1 for white" in answer["notes"][0]
