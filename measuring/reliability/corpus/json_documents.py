"""JSON documents of the right shape and of every wrong one."""

import base64
import json
from collections.abc import Iterator

import numpy as np

from measuring.reliability.corpus.case import Case, cases
from measuring.reliability.corpus.picture_files import LABEL, SEVEN, drawing, white_png
from measuring.reliability.expected import READ, read_as, refused

JSON = "application/json"
BAD = refused(400, "InvalidRequest")
MANY = 4_000_000


def b64(content: bytes) -> str:
    """Encode a picture as JSON carries it."""
    return base64.b64encode(content).decode()


def good_documents() -> Iterator[Case]:
    """Yield JSON documents that are read, or read in part."""
    grey = np.asarray(drawing())[::4, ::4]
    rows = grey.tolist()
    read: dict[str, object] = {
        "rows": {"data": rows},
        "rows of floats": {"data": (grey + 0.25).clip(0, 255).tolist()},
        "rows of colours": {"data": np.dstack([grey] * 3).tolist()},
        "rows and top_k": {"data": rows, "top_k": 2, "parameters": {}},
        "floats from 0 to 1": {"data": (grey / 255).tolist()},
        "a data URL": {"image": f"data:image/png;base64,{b64(SEVEN)}"},
    }
    twice = b'{"data": 1, "data": ' + json.dumps(rows).encode() + b"}"
    mixed: list[object] = [{"b64": b64(SEVEN)}, {"data": rows}, {"b64": "%"}, {"a": 1}, [], None, {"data": "x"}]
    return cases(
        "JSON ",
        JSON,
        (read_as(LABEL), {name: json.dumps(each).encode() for name, each in read.items()}),
        (read_as(LABEL), {"with a key twice, the last one good": twice}),
        (
            read_as(LABEL, LABEL, *["InvalidRequest"] * 5),
            {"instances, good and bad": json.dumps({"instances": mixed}).encode()},
        ),
    )


def bad_documents() -> Iterator[Case]:
    """Yield JSON documents that are refused."""
    texts = {
        "nothing": "",
        "a space": " ",
        "a word": "data",
        "null": "null",
        "true": "true",
        "a number": "7",
        "a text": '"data"',
        "a list": "[]",
        "an object": "{}",
        "a list of rows": "[[1, 2], [3, 4]]",
        "cut": '{"data": [[1, 2]',
        "with single quotes": "{'data': [[1]]}",
        "with a trailing comma": '{"data": [[1,]]}',
        "with a comment": '{"data": [[1]] /* */}',
        "twice": '{"data": [[1]]}{"data": [[1]]}',
        "NaN": '{"data": [[NaN]]}',
        "Infinity": '{"data": [[Infinity]]}',
        "-Infinity": '{"data": [[-Infinity]]}',
        "1e999": '{"data": [[1e999]]}',
        "-1e999": '{"data": [[-1e999]]}',
        "2^64": '{"data": [[18446744073709551616]]}',
        "10^400": '{"data": [[1' + "0" * 400 + "]]}",
        "0x10": '{"data": [[0x10]]}',
        "010": '{"data": [[010]]}',
        "a negative number": '{"data": [[-1, 2]]}',
        "256": '{"data": [[256, 2]]}',
        "numbers as text": '{"data": [["1", "2"]]}',
        "true in rows": '{"data": [[true]]}',
        "true among numbers": '{"data": [[true, "a"]]}',
        "null in rows": '{"data": [[null, 1]]}',
        "ragged rows": '{"data": [[1, 2], [3]]}',
        "ragged deeper": '{"data": [[[1], [2]], [[3, 4], [5]]]}',
        "no rows": '{"data": []}',
        "empty rows": '{"data": [[], []]}',
        "a row": '{"data": [1, 2, 3]}',
        "data null": '{"data": null}',
        "another key": '{"data": [[1]], "a": {"b": null}}',
        "data a text": '{"data": "abcde"}',
        "data an object": '{"data": {"a": [[1]]}}',
        "two channels": '{"data": [[[1, 2]]]}',
        "five channels": '{"data": [[[1, 2, 3, 4, 5]]]}',
        "four dimensions": '{"data": [[[[1]]]]}',
        "data and instances": '{"data": [[1]], "instances": []}',
        "instances null": '{"instances": null}',
        "no instances": '{"instances": []}',
        "instances an object": '{"instances": {"0": {"b64": ""}}}',
        "instances a text": '{"instances": "abc"}',
        "deep lists": '{"data": ' + "[" * 100_000 + "]" * 100_000 + "}",
        "lists 500 deep": '{"data": ' + "[" * 500 + "]" * 500 + "}",
        "lists 100 deep around a number": '{"data": ' + "[" * 100 + "1" + "]" * 100 + "}",
        "deep objects": '{"a":' * 100_000 + "1" + "}" * 100_000,
        "a lone surrogate": '{"\\ud800": "\\udfff"}',
        "a lone surrogate in data": '{"data": "\\ud800"}',
        "NUL in a text": '{"data": "\\u0000"}',
        "NUL": "\x00",
        "a raw NUL in a text": '{"a\x00": 1}',
        "a BOM": "\ufeff{}",
        "a key with ends of lines": '{"a\\nb\\u2028": 1}',
        "__proto__": '{"__proto__": {"data": [[1]]}}',
    }
    contents = {
        "UTF-16": '{"data": [[1]]}'.encode("utf-16"),
        "not UTF-8": b'{"data": "\xff\xfe"}',
        "overlong UTF-8": b'{"\xc0\xaf": 1}',
        "gzip": b"\x1f\x8b\x08\x00",
    }
    return cases("JSON: ", JSON, (BAD, {name: text.encode() for name, text in texts.items()}), (BAD, contents))


def large_documents() -> Iterator[Case]:
    """Yield JSON documents of up to 16 MB."""
    contents = {
        "a number of a million digits": lambda: b'{"data": [[' + b"9" * 10**6 + b"]]}",
        "1,025 instances": lambda: json.dumps({"instances": [{"b64": ""}] * 1025}).encode(),
        "a key of a megabyte": lambda: b'{"' + b"k" * 10**6 + b'": 1}',
        "a key of 15 MB of quotes": lambda: b'{"' + b'\\"' * 7_500_000 + b'": 1}',
        "a key of control characters": lambda: b'{"' + b"\\u0001" * 2_000_000 + b'": 1}',
        "100,000 keys": lambda: json.dumps(dict.fromkeys(map(str, range(100_000)), 1)).encode(),
        "4 million empty objects": lambda: b'{"data": [' + b",".join([b"{}"] * MANY) + b"]}",
        "5 million empty lists": lambda: b'{"data": [' + b",".join([b"[]"] * (MANY + 10**6)) + b"]}",
        "8 million numbers in a row": lambda: b'{"data": [' + b",".join([b"1"] * 2 * MANY) + b"]}",
        "a row of 4 million texts": lambda: b'{"data": [["' + b'","'.join([b"1"] * MANY) + b'"]]}',
    }
    rows = (b"[" + b",".join([b"255"] * 2000) + b"]",) * 2000
    unreadable = {
        "a fraction of a million digits": lambda: b'{"data": [[0.' + b"9" * 10**6 + b"]]}",
        "rows of 2,000 x 2,000": lambda: b'{"data": [' + b",".join(rows) + b"]}",
    }
    pictures = {"instances": [{"b64": b64(white_png(2000, 2000))}] * 200}
    keys = {"instances": [{"\x01" * 2500: 1}] * 1000}
    return cases(
        "JSON: ",
        JSON,
        (BAD, contents),
        (refused(400, "InvalidImage"), unreadable),
        (READ, {"200 pictures of 4 megapixels": lambda: json.dumps(pictures).encode()}),
        (
            read_as(*["InvalidRequest"] * 1000),
            {"1,000 instances with long keys": lambda: json.dumps(keys).encode()},
        ),
    )
