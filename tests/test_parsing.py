import json
import tracemalloc

import pytest

from handwriting.errors import InvalidRequest, UnsupportedMedia
from handwriting.parsing import parse_request
from measuring.reliability.corpus.zip_npy import honest, zip_of
from tests.pictures import read_part


def ask(inputs, headers=None):
    return parse_request(inputs, headers or {}, labels=10)


def json_body(document) -> tuple[dict, dict]:
    return {"body": json.dumps(document).encode()}, {"body": {"content-type": "application/json; charset=utf-8"}}


def test_three_labels_are_listed_unless_more_or_fewer_are_asked_for(seven):
    assert ask({"body": seven}).top_k == 3


@pytest.mark.parametrize("parsed", [({"top_k": b"5"}, {}), ({"top_k": "5"}, {}), ({}, {"x-top-k": "5"})])
def test_top_k_comes_as_an_input_or_a_header(seven, parsed):
    inputs, headers = parsed
    assert ask({"body": bytearray(seven)} | inputs, headers).top_k == 5


def test_the_times_of_a_batch_are_returned_on_request(seven):
    assert ask({"body": seven}, {"x-timing": "1"}).timing
    assert ask({"a": seven, "b": seven}, {"x-timing": "1"}).timing
    assert not ask({"body": seven}).timing


@pytest.mark.parametrize("top_k", ["0", "11", "-1", "x", "1.5", "", "9" * 5000, "0" * 9 + "3", "١"])
def test_another_top_k_is_rejected(seven, top_k):
    with pytest.raises(InvalidRequest, match="from 1 to 10"):
        ask({"body": seven, "top_k": top_k.encode()})


def test_json_is_read_whether_the_server_parsed_it_or_not():
    document = {"data": [[0, 255], [255, 0]]}
    raw, decoded = ask(*json_body(document)), ask({"body": document})
    for parsed in (raw, decoded):
        assert [read_part(part).grey.tolist() for part in parsed.parts] == [[[0, 255], [255, 0]]]
        assert not parsed.is_list


@pytest.mark.parametrize("document", [{}, [], 7, "text", None, {"data": [], "instances": []}], ids=str)
def test_json_without_data_is_rejected(document):
    with pytest.raises(InvalidRequest, match=r'wanted \{"data"'):
        ask(*json_body(document))


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[" * 100_000])
def test_broken_json_is_rejected(body):
    with pytest.raises(InvalidRequest, match="not JSON"):
        ask({"body": body}, {"body": {"content-type": "application/json"}})


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b'{"data": [' + b",".join([b"[]"] * 1_000_000) + b"]}", "over 1,000,000 lists and objects"),
        (b'{"data": [["' + b'","'.join([b"1"] * 50_000) + b'"]]}', "over 50,000 texts"),
    ],
    ids=["lists", "texts"],
)
def test_json_with_too_many_lists_or_strings_is_not_parsed(body, complaint, monkeypatch):
    monkeypatch.setattr("orjson.loads", None)
    with pytest.raises(InvalidRequest, match=complaint):
        ask({"body": body}, {"body": {"content-type": "application/json"}})


def test_a_zip_file_is_unpacked_up_to_its_declared_size():
    content = zip_of(honest(b"zeros.png", bytes(50 * 2**20))._replace(size=1000))
    tracemalloc.start()
    try:
        [part] = ask({"body": content}).parts
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(part, InvalidRequest)
    assert peak < 2**20


def test_text_is_unsupported(seven):
    with pytest.raises(UnsupportedMedia, match="text/plain"):
        ask({"body": seven}, {"body": {"content-type": "text/plain"}})


def test_the_error_for_a_url_encoded_form_says_how_to_send_a_picture():
    with pytest.raises(UnsupportedMedia, match="as curl -T does"):
        ask({"a": b"b"}, {"content-type": "application/x-www-form-urlencoded"})


def test_a_request_without_a_body_is_rejected():
    with pytest.raises(InvalidRequest, match="no body"):
        ask({"top_k": b"3"})
