"""Requests with many pictures: what is read out of them, in which order, and what is refused."""

import base64
import io
import json
import zipfile

import numpy as np
import pytest

from handwriting.errors import ImageTooLarge, InvalidImage, InvalidRequest, RequestError, UnsupportedMedia
from handwriting.parsing import containers as files
from handwriting.parsing import parse_request
from measuring.reliability.corpus.zip_npy import honest, npy_header, zip_of
from tests.pictures import read_part, zipped

FRAMES = np.random.default_rng(0).integers(0, 256, (5, 28, 28), np.uint8)


def ask(inputs, kind: str = ""):
    return parse_request(inputs, {name: {"content-type": kind} for name in inputs}, labels=10)


def npy(array: np.ndarray, **options) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


def refusal(part) -> RequestError:
    with pytest.raises(RequestError) as caught:
        read_part(part)
    return caught.value


def test_the_parts_of_a_form_come_in_their_order(seven):
    parsed = ask({"b": seven, "a": b"x", "top_k": b"2"}, "image/png")
    assert (parsed.parts, parsed.is_list, parsed.top_k) == ([seven, b"x"], True, 2)


def test_a_part_that_is_no_picture_fails_alone(seven):
    parsed = parse_request({"a": seven, "b": b"x"}, {"b": {"content-type": "text/plain"}}, labels=10)
    assert parsed.parts[0] == seven
    assert isinstance(refusal(parsed.parts[1]), UnsupportedMedia)


def test_instances_are_pictures_or_errors_each_in_its_place(seven):
    instances = [
        {"b64": base64.b64encode(seven).decode()},
        {"data": [[0, 255], [255, 0]]},
        {"b64": "%%%"},
        {"b64": 7},
        {"b64": "", "data": []},
        [],
        {"data": "x"},
        {"b64": ""},
    ]
    parsed = ask({"body": json.dumps({"instances": instances}).encode()}, "application/json")
    assert parsed.is_list
    assert read_part(parsed.parts[0]).grey.shape == (320, 320)
    assert read_part(parsed.parts[1]).grey.tolist() == [[0, 255], [255, 0]]
    kinds = [type(refusal(part)) for part in parsed.parts[2:]]
    assert kinds == [InvalidRequest] * 5 + [InvalidImage]


@pytest.mark.parametrize("instances", [[], {}, "x", None], ids=str)
def test_no_instances_are_refused(instances):
    with pytest.raises(InvalidRequest, match=r"0 pictures|wanted \{"):
        ask({"body": json.dumps({"instances": instances}).encode()}, "application/json")


@pytest.mark.parametrize("kind", ["application/x-npy", "application/octet-stream", ""])
def test_an_npy_file_holds_frames(kind):
    parsed = ask({"body": npy(FRAMES)}, kind)
    assert parsed.is_list
    assert np.array_equal([read_part(part).grey for part in parsed.parts], FRAMES)


@pytest.mark.parametrize(
    "content",
    [
        npy(FRAMES.astype(float)),
        npy(FRAMES[0]),
        npy(FRAMES[:, :27]),
        npy(FRAMES[:0]),
        npy(np.asfortranarray(FRAMES)),
        npy(np.array([{}, {}], object), allow_pickle=True),
        npy(FRAMES)[:-1],
        npy(FRAMES) + b"x",
        npy(FRAMES)[:20],
        b"\x93NUMPY\x09\x00" + npy(FRAMES)[8:],
        npy(FRAMES).replace(b"(5,", b"(50000000000,"),
        b"not npy",
        b"",
    ],
    ids=[
        "floats", "one frame", "27 rows", "none", "Fortran order", "objects", "a byte less", "a byte more",
        "cut header", "version 9", "a shape that lies", "something else", "nothing",
    ],
)  # fmt: skip
def test_another_npy_file_is_refused(content):
    with pytest.raises(InvalidRequest, match=r"npy|pictures"):
        ask({"body": content}, "application/x-npy")


def test_a_zip_file_gives_names_and_pictures_in_its_order(seven):
    members = {"b/7.png": seven, "a.png": b"x", "__MACOSX/a.png": b"", "b/.hidden": b"", "../é.png": seven}
    parsed = ask({"body": zipped(members)})
    assert parsed.names == ["b/7.png", "a.png", "../é.png"]
    assert parsed.parts == [seven, b"x", seven]


def test_an_error_while_unpacking_affects_one_picture(seven, monkeypatch):
    monkeypatch.setattr("handwriting.zips.MAX_BYTES", 10_000)
    content = zipped({"large.png": bytes(20_000), "7.png": seven})
    parsed = ask({"body": content})
    assert isinstance(parsed.parts[0], ImageTooLarge)
    assert parsed.parts[1] == seven


def test_damaged_members_fail_alone(seven):
    content = bytearray(zipped({"7.png": seven, "8.png": seven}, zipfile.ZIP_STORED))
    content[content.index(b"IHDR")] ^= 1
    first, second = ask({"body": bytes(content)}).parts
    assert "cannot be unpacked" in str(refusal(first))
    assert second == seven


def test_a_zip_bomb_is_refused_by_its_declared_size(monkeypatch):
    monkeypatch.setattr(files, "MAX_UNPACKED_BYTES", 1000)
    with pytest.raises(ImageTooLarge, match="unpacks to 2,000 bytes"):
        ask({"body": zipped({"a": bytes(1000), "b": bytes(1000)})})


@pytest.mark.parametrize("content", [b"PK\x03\x04", b"", b"x" * 100, zipped({}), zipped({"a/": b""})])
def test_a_zip_file_without_pictures_is_refused(content):
    with pytest.raises(InvalidRequest, match=r"ZIP file|0 pictures"):
        ask({"body": content}, "application/zip")


def test_too_many_pictures_are_refused(monkeypatch):
    monkeypatch.setattr(files, "MAX_PICTURES", 4)
    with pytest.raises(InvalidRequest, match="5 pictures; wanted 1 to 4"):
        ask({"body": npy(FRAMES)})
    with pytest.raises(InvalidRequest, match="5 pictures; wanted 1 to 4"):
        ask({str(i): b"\x00" for i in range(5)})


def test_a_zip_file_with_very_many_entries_is_refused_before_they_are_read(monkeypatch):
    monkeypatch.setattr(files, "MAX_ENTRIES", 3)
    assert len(ask({"body": zipped(dict.fromkeys("ab", b""))}).parts) == 2
    with pytest.raises(InvalidRequest, match="over 3 entries"):
        ask({"body": zipped(dict.fromkeys("abcd", b""))})


def test_a_zip_file_with_a_very_long_name_is_refused():
    with pytest.raises(InvalidRequest, match="a name of 1,001 characters; at most 1,000"):
        ask({"body": zipped({"a" * 1001: b""})})


@pytest.mark.parametrize("flags", [0, 1], ids=["plain", "encrypted"])
def test_a_zip_file_with_an_empty_name_is_read_or_refused(flags):
    parsed = ask({"body": zip_of(honest(b"", b"x", flags=flags))})
    assert parsed.names == [""]
    assert parsed.parts == [b"x"] if not flags else isinstance(refusal(parsed.parts[0]), InvalidRequest)


def test_an_npy_header_that_does_not_end_is_refused():
    with pytest.raises(InvalidRequest, match="not an npy file"):
        ask({"body": npy_header("(" * 900)})


def test_an_error_repeats_little_of_a_long_key():
    [part] = ask({"body": json.dumps({"instances": [{"k" * 10**6: 1}]}).encode()}, "application/json").parts
    assert len(str(refusal(part))) < 300


def test_a_picture_of_very_many_rows_is_refused_before_they_are_read():
    [part] = ask({"body": json.dumps({"data": [[]] * 65_536}).encode()}, "application/json").parts
    assert "65,536 rows; at most 65,535" in str(refusal(part))


def test_files_beside_the_pictures_of_a_zip_file_are_left_out_and_counted(seven):
    names = ["Thumbs.db", "desktop.ini", "labels.csv", "__MACOSX/._a.png", ".DS_Store", "sub/THUMBS.DB", "README.md"]
    parsed = ask({"body": zipped({"a.png": seven, **dict.fromkeys(names, b"x"), "broken.png": b"x"})})
    assert (parsed.names, parsed.left_out) == (["a.png", "broken.png"], len(names))


def idx(frames: np.ndarray) -> bytes:
    return b"\x00\x00\x08\x03" + np.array(frames.shape, ">u4").tobytes() + frames.tobytes()


def test_mnists_own_file_is_read():
    parsed = ask({"body": idx(FRAMES)})
    assert np.array_equal([read_part(part).grey for part in parsed.parts], FRAMES)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (idx(np.zeros((2, 20, 20), np.uint8)), r"shape \(2, 20, 20\); wanted \(N, 28, 28\)"),
        (idx(FRAMES)[:-1], "bytes after its header"),
        (idx(FRAMES)[:9], r"shape \(5,\)"),
        (b"\x00\x00\x08\x03\xff\xff\xff\xff\x00\x00\x00\x1c\x00\x00\x00\x1c", "4,294,967,295 pictures"),
    ],
    ids=["another size", "truncated", "half a header", "too many"],
)
def test_an_idx_file_of_another_form_is_refused(content, complaint):
    with pytest.raises(InvalidRequest, match=complaint):
        ask({"body": content})
