"""Requests as clients write them: canvases, notebooks, forms, and the samples of other servers."""

import base64
import json
import textwrap

import numpy as np
import pytest

from handwriting.errors import InvalidImage, InvalidRequest, RequestError
from handwriting.parsing import ParsedRequest, parse_request
from handwriting.preprocess import find_character, read_array
from handwriting.preprocess.decode import UNIT_VALUES
from tests.pictures import read_part

JSON = "application/json"


def ask(body, kind: str = "", headers=None) -> ParsedRequest:
    inputs = body if isinstance(body, dict) and all(isinstance(each, bytes) for each in body.values()) else None
    content = json.dumps(body).encode() if inputs is None else b""
    parts = {"body": {"content-type": kind}} if kind else {}
    return parse_request(inputs or {"body": content}, parts | (headers or {}), labels=10)


def spellings(picture: bytes) -> dict[str, str]:
    plain = base64.b64encode(picture).decode()
    return {
        "plain": plain,
        "data URL": f"data:image/png;base64,{plain}",
        "data URL with a parameter": f"DATA:image/png;charset=utf-8;base64,{plain}",
        "data URL without a type": f"data:;base64,{plain}",
        "in lines of 76": "\r\n".join(textwrap.wrap(plain, 76)),
        "URL-safe": base64.urlsafe_b64encode(picture).decode(),
        "without =": plain.rstrip("="),
    }


@pytest.mark.parametrize("name", spellings(b""))
def test_base64_is_read_however_it_is_spelled(seven, name):
    text = spellings(seven)[name]
    for document in ({"image": text}, {"data": text}, {"b64": text}, {"instances": [{"b64": text}]}):
        assert ask(document, JSON).parts == [seven]
    assert ask({"photo": text.encode()}).parts == [seven]
    assert ask({"photo": text.encode(), "user": b"me"}).parts == [seven]


FORMS = {
    "TorchServe's and KServe's samples": lambda text: {"instances": [{"data": text, "target": 0}]},
    "KServe": lambda text: {"instances": [{"image": {"b64": text}}]},
    "TensorFlow Serving": lambda text: {"signature_name": "serving_default", "instances": [{"b64": text}]},
    "TensorFlow Serving, named": lambda text: {"instances": [{"image_bytes": {"b64": text}}]},
    "Vertex AI": lambda text: {"instances": [{"image_bytes": {"b64": text}}], "parameters": {"top_k": 2}},
    "a list of base64": lambda text: {"instances": [text]},
}


@pytest.mark.parametrize("name", FORMS)
def test_the_forms_of_other_servers_are_read(seven, name):
    parsed = ask(FORMS[name](base64.b64encode(seven).decode()), JSON)
    assert (parsed.parts, parsed.is_list) == ([seven], True)


def test_rows_of_numbers_are_instances_without_a_key():
    parsed = ask({"instances": [[[0, 255], [255, 0]]]}, JSON)
    assert read_part(parsed.parts[0]).grey.tolist() == [[0, 255], [255, 0]]


def test_keys_without_an_effect_are_named(seven):
    text = base64.b64encode(seven).decode()
    parsed = ask({"signature_name": "x", "instances": [{"data": text, "target": 0}]}, JSON)
    assert parsed.notes == ("keys that have no effect: signature_name, target",)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("%%%", "is not base64"),
        ("data:image/svg+xml,%3Csvg", "a data URL without base64"),
        ("a", "is not base64"),
        ("aé==", "is not base64"),
        ("data:" + "x" * 5000, "is not base64"),
    ],
)
def test_other_texts_are_refused(text, complaint):
    with pytest.raises(InvalidRequest, match=complaint) as caught:
        ask({"image": text}, JSON)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("kind", ["", "text/plain", "application/octet-stream"])
def test_json_without_its_content_type_is_read(kind):
    assert read_part(ask({"data": [[0, 255], [255, 0]]}, kind).parts[0]).grey.tolist() == [[0, 255], [255, 0]]


def test_json_with_a_byte_order_mark_is_read():
    parsed = parse_request({"body": b"\xef\xbb\xbf" + b'{"data": [[0]]}'}, {}, labels=10)
    assert not parsed.is_list


@pytest.mark.parametrize(
    "document",
    [{"top_k": 5}, {"top_k": "5"}, {"parameters": {"top_k": 5}}, {"top_k": 5, "parameters": {"top_k": 2}}],
    ids=str,
)
def test_top_k_of_a_body_is_honoured(document):
    assert ask({"data": [[0]]} | document, JSON).top_k == 5
    assert ask({"instances": [{"data": [[0]]}]} | document, JSON).top_k == 5
    assert ask({"data": [[0]]} | document, JSON, {"x-top-k": "7"}).top_k == 5


@pytest.mark.parametrize("top_k", [0, 11, 1.5, True, [], {}, "x"], ids=str)
def test_another_top_k_of_a_body_is_refused(top_k):
    with pytest.raises(InvalidRequest, match="from 1 to 10"):
        ask({"data": [[0]], "top_k": top_k}, JSON)


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ({"data": [[0]], "threshold": 1}, "the JSON body has the unknown key 'threshold'"),
        ({"instances": [[[0]]], "paramters": {}}, "unknown key 'paramters'"),
        ({"instances": [[[0]]], "parameters": {"topk": 1}}, "\"parameters\" has the unknown key 'topk'"),
        ({"instances": [[[0]]], "parameters": 7}, '"parameters" is int; wanted an object'),
        ({"data": [[0]], "image": "x"}, "keys"),
        ({"data": {"b65": "x"}}, '"data" of the JSON body is keys'),
        ({"data": 7}, '"data" of the JSON body is int; wanted base64, or rows'),
        ({"b64": [[0]]}, '"b64" of the JSON body is list'),
    ],
    ids=str,
)
def test_an_unknown_key_or_value_is_an_error_that_names_it(document, complaint):
    with pytest.raises(InvalidRequest, match=complaint.replace("[", r"\[")):
        ask(document, JSON)


def test_an_unknown_key_of_an_instance_fails_this_instance_alone():
    parsed = ask({"instances": [{"data": [[0]], "colour": 1}, {"data": [[0]]}]}, JSON)
    assert "the instance has the unknown key 'colour'" in str(parsed.parts[0])
    assert not isinstance(parsed.parts[1], RequestError)


def test_fields_of_a_form_that_are_no_pictures_have_no_effect_and_are_named(seven):
    parsed = ask({"file": seven, "user": b"me", "threshold": b"0.5", "top_k": b"2"})
    assert (parsed.parts, parsed.is_list, parsed.top_k) == ([seven], False, 2)
    assert parsed.notes == ("fields that have no effect: user, threshold",)


def test_two_pictures_and_a_field_are_a_list_of_two(seven):
    parsed = ask({"a": seven, "user": "mé".encode(), "b": seven})
    assert (parsed.parts, parsed.is_list) == ([seven, seven], True)


def test_a_form_without_a_picture_is_refused():
    with pytest.raises(InvalidRequest, match="no picture"):
        ask({"user": b"me", "threshold": b"0.5"})


def test_a_file_of_a_form_that_is_a_text_is_an_error_in_its_place(seven):
    kinds = {name: {"content-type": "application/octet-stream"} for name in "ab"}
    parsed = parse_request({"a": seven, "b": b"hello"}, kinds, labels=10)
    assert (parsed.parts, parsed.is_list) == ([seven, b"hello"], True)


def test_floats_from_0_to_1_are_read_as_shares_of_white():
    stroke = np.ones((60, 60))
    stroke[10:50, 28:32] = 0.1
    picture = read_array(stroke.tolist())
    assert (picture.grey.max(), picture.grey.min(), picture.notes) == (255, 26, (UNIT_VALUES,))
    assert find_character(picture, "mnist").notes == (UNIT_VALUES,)


def test_a_normalised_frame_is_a_frame():
    frame = np.zeros((28, 28))
    frame[4:24, 13:15] = 0.9
    assert find_character(read_array(frame.tolist()), "mnist").frames.max() == pytest.approx(0.9, abs=0.01)


@pytest.mark.parametrize("values", [[[0.5, 1.5]], [[1, 1]], [[0.0, 0.0]], [[0.5, 200]]], ids=str)
def test_numbers_over_1_and_integers_are_values_of_255(values):
    assert read_array(values).notes == ()


def test_a_picture_of_0_and_1_alone_says_what_was_wanted():
    with pytest.raises(InvalidImage, match="0 and 1 alone, both nearly black; wanted 0 to 255"):
        read_array([[0, 1], [1, 0]])
