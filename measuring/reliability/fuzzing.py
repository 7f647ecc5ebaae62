"""Fuzzing: random mutations of valid requests, made by Hypothesis, which shrinks a failing request to a small one.

It mutates bytes, JSON trees, forms, npy headers, ZIP entries, paths, queries and headers.
"""

import base64
import json
import string
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from handwriting.preprocess import FORMATS
from measuring.reliability.corpus.multipart_forms import BOUNDARY, END, FORM
from measuring.reliability.corpus.pictures import SEVEN, drawing, encode
from measuring.reliability.corpus.zip_npy import Member, header_of, honest, npy, npy_header, ordinary, zip_of
from measuring.reliability.http_wire import Request

PATHS = ("/predictions/digits", "/predictions/digits", "/explanations/digits", "/predictions/reader")
SMALL_PX = 96
NUMBERS = (b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x00\x01", b"\xff\xff", b"\x80")
MAX_EDITS = 5
PICTURES = [encode(drawing().resize((SMALL_PX, SMALL_PX)), form) for form in FORMATS]
PICTURES += [encode(np.asarray(drawing().resize((28, 28))) ^ 255), encode(drawing().convert("RGBA").resize((40, 40)))]
FRAMES = npy(np.zeros((2, 28, 28), np.uint8))
ARCHIVE = ordinary({"7.png": PICTURES[0], "a/7.jpg": PICTURES[1]})
DOCUMENTS = [
    json.dumps({"data": np.asarray(drawing().resize((20, 20))).tolist()}).encode(),
    json.dumps({"instances": [{"b64": base64.b64encode(PICTURES[0]).decode()}, {"data": [[0, 255]]}]}).encode(),
]
KINDS = (
    "image/png",
    "application/json",
    "application/zip",
    "application/x-npy",
    "application/octet-stream",
    "text/plain",
    "",
)
HEADERS = (
    "X-Top-K", "X-Request-Id", "X-Timing", "describe", "explain", "url_path", "body", "data", "Accept", "Authorization",
    "Content-Encoding", "Cookie", "customized", "content-type", "Origin", "Range",
)  # fmt: skip
MODELS = ("digits", "digits/1.0", "reader", "digits/", "nobody", "..", "%00", "")
ROOTS = ("predictions", "explanations", "v1/models", "v2/models", "invocations", "ping", "wfpredict", "api-description")
LINE = st.text(st.characters(blacklist_characters="\r\n", blacklist_categories=["Cs"]), max_size=40)


class Mutant(NamedTuple):
    """A changed request, and the name of what was changed in it."""

    name: str
    request: Request


@st.composite
def edited(draw: st.DrawFn, sources: Sequence[bytes]) -> bytes:
    """Flip, cut, insert, repeat and splice bytes of one of the sources."""
    content = bytearray(draw(st.sampled_from(sources)))
    for _ in range(draw(st.integers(1, MAX_EDITS))):
        start = draw(st.integers(0, len(content)))
        edit = draw(st.sampled_from(("flip", "number", "insert", "remove", "cut", "repeat", "splice")))
        if edit == "flip" and start < len(content):
            content[start] ^= draw(st.integers(1, 255))
        elif edit == "number":
            number = draw(st.sampled_from(NUMBERS))
            content[start : start + len(number)] = number
        elif edit == "insert":
            content[start:start] = draw(st.binary(max_size=16))
        elif edit == "remove":
            del content[start : start + draw(st.integers(1, 200))]
        elif edit == "cut":
            del content[start:]
        elif edit == "repeat":
            content[start:start] = content[start : start + draw(st.integers(1, 200))] * draw(st.integers(1, 20))
        elif edit == "splice":
            other = draw(st.sampled_from(sources))
            content[start:] = other[draw(st.integers(0, len(other))) :]
    return bytes(content)


def picture_bytes() -> st.SearchStrategy[Mutant]:
    """Change the bytes of pictures."""
    return st.builds(
        lambda content, path: Mutant("mutated picture", Request(content, path)),
        edited(PICTURES),
        st.sampled_from(PATHS),
    )


def trees() -> st.SearchStrategy[Any]:
    """Make JSON trees, some of them close to what is wanted."""
    numbers = st.one_of(st.integers(0, 255), st.integers(), st.floats())
    picture = st.sampled_from([base64.b64encode(each).decode() for each in PICTURES[:2]])
    leaves = st.one_of(st.none(), st.booleans(), numbers, st.text(max_size=9), picture)
    keys = st.one_of(st.sampled_from(("data", "instances", "b64", "top_k")), st.text(max_size=9))
    deeper = st.recursive(
        leaves,
        lambda each: st.one_of(st.lists(each, max_size=5), st.dictionaries(keys, each, max_size=4)),
        max_leaves=20,
    )
    rows = st.lists(st.lists(st.one_of(st.integers(0, 255), leaves), min_size=1, max_size=5), max_size=5)
    picked = st.one_of(deeper, rows)
    instances = st.lists(st.one_of(picked, st.dictionaries(st.sampled_from(("b64", "data")), picked)), max_size=5)
    return st.one_of(
        picked,
        st.fixed_dictionaries({"data": picked}),
        st.fixed_dictionaries({"instances": st.one_of(instances, picked)}),
    )


def documents() -> st.SearchStrategy[Mutant]:
    """Make JSON of any shape, or change the bytes of good JSON."""
    written = st.builds(dumps, trees(), st.booleans())
    contents = st.one_of(written, written, edited(DOCUMENTS))
    kinds = st.sampled_from(("application/json", "application/json; charset=utf-8", "APPLICATION/JSON", "text/json"))
    return st.builds(
        lambda content, kind, path: Mutant("mutated JSON", Request(content, path, (("Content-Type", kind),))),
        contents,
        kinds,
        st.sampled_from(PATHS),
    )


def dumps(tree: object, escaped: bool) -> bytes:
    """Write JSON with NaN and infinity, escaped to ASCII or as UTF-8 with whatever else."""
    return json.dumps(tree, ensure_ascii=escaped).encode("utf-8", "surrogatepass")


@st.composite
def form_bytes(draw: st.DrawFn) -> bytes:
    """Write a form of some parts, each with a header that may be odd."""
    name = st.one_of(st.sampled_from(("a", "data", "top_k", "explain", "", "body")), LINE)
    kinds = st.one_of(st.sampled_from((*KINDS, "multipart/mixed; boundary=x", "text/plain; charset=nope")), LINE)
    contents = st.one_of(st.sampled_from(PICTURES), st.binary(max_size=30), edited(PICTURES))
    content = bytearray()
    for _ in range(draw(st.integers(0, 4))):
        disposition = draw(st.sampled_from(("form-data", "form-data", "attachment", "x")))
        lines = [f"--{draw(st.sampled_from((BOUNDARY, BOUNDARY, BOUNDARY, 'x')))}"]
        named = "" if draw(st.integers(0, 5)) == 0 else f'; name="{draw(name)}"'
        filename = f'; filename="{draw(LINE)}"' if draw(st.booleans()) else ""
        lines += [f"Content-Disposition: {disposition}{named}{filename}"] if draw(st.integers(0, 9)) else []
        lines += [f"Content-Type: {draw(kinds)}"] if draw(st.booleans()) else []
        lines += [f"{draw(LINE)}: {draw(LINE)}"] if draw(st.integers(0, 5)) == 0 else []
        end = draw(st.sampled_from(("\r\n", "\r\n", "\r\n", "\n")))
        content += end.join([*lines, "", ""]).encode() + draw(contents) + end.encode()
    return bytes(content + (END if draw(st.integers(0, 4)) else b""))


def forms() -> st.SearchStrategy[Mutant]:
    """Make forms of any structure."""
    kinds = st.one_of(
        st.sampled_from((FORM, FORM, FORM, FORM, f'multipart/form-data; boundary="{BOUNDARY}"', "multipart/form-data")),
        st.builds("multipart/form-data; boundary={}".format, LINE),
    )
    return st.builds(
        lambda content, kind: Mutant("mutated form", Request(content, headers=(("Content-Type", kind),))),
        form_bytes(),
        kinds,
    )


def arrays() -> st.SearchStrategy[Mutant]:
    """Make npy files with any header, or change the bytes of a good one."""
    sizes = st.one_of(
        st.integers(-2, 30), st.sampled_from((28, 2**31, 2**63, 10**30)), st.text(string.printable, max_size=5)
    )
    shapes = st.one_of(
        st.just("(2, 28, 28)"), st.builds(lambda each: f"({', '.join(map(str, each))},)", st.lists(sizes))
    )
    dtypes = st.one_of(st.sampled_from(("'|u1'", "'<u1'", "'|O'", "'>f8'", "'|V8'", "'|S0'", "[('a', '|O')]")), LINE)
    headers = st.builds(header_of, shapes, dtypes, st.one_of(st.sampled_from(("False", "True", "1", "None")), LINE))
    versions = st.sampled_from(((1, 0), (1, 0), (2, 0), (3, 0), (0, 0), (255, 255)))
    files = st.builds(npy_header, st.one_of(headers, LINE), st.sampled_from((bytes(2 * 28**2), b"", b"x")), versions)
    kinds = st.sampled_from(("application/x-npy", "application/octet-stream"))
    return st.builds(
        lambda content, kind: Mutant("mutated npy", Request(content, headers=(("Content-Type", kind),))),
        st.one_of(files, edited([FRAMES])),
        kinds,
    )


@st.composite
def zip_bytes(draw: st.DrawFn) -> bytes:
    """Write a ZIP file whose entries say what need not be so."""
    members = []
    for _ in range(draw(st.integers(0, 3))):
        name = draw(
            st.one_of(st.binary(max_size=20), st.sampled_from((b"../../a.png", b"/a", b"a/", b"a\\b", b"\x00")))
        )
        member: Member = honest(name, draw(st.sampled_from(PICTURES[:3])))
        number = st.sampled_from((0, 1, 1000, 2**24, 2**32 - 1))
        changes = {"size": number, "crc": number, "method": st.integers(0, 99), "flags": st.integers(0, 2**16 - 1)}
        chosen = draw(st.lists(st.sampled_from(sorted(changes)), max_size=2))
        members.append(member._replace(**{each: draw(changes[each]) for each in chosen}))
    return zip_of(*members, overlapping=draw(st.booleans()))


def zip_files() -> st.SearchStrategy[Mutant]:
    """Make ZIP files of any structure, or change the bytes of a good one."""
    kinds = st.sampled_from(("application/zip", ""))
    return st.builds(
        lambda content, kind: Mutant("mutated ZIP", Request(content, headers=(("Content-Type", kind),))),
        st.one_of(zip_bytes(), edited([ARCHIVE])),
        kinds,
    )


def paths() -> st.SearchStrategy[Mutant]:
    """Make paths and queries."""
    word = st.one_of(st.sampled_from(MODELS), st.text(string.printable.strip(), max_size=9), LINE)
    methods = st.sampled_from(("POST", "POST", "POST", "GET", "PUT", "OPTIONS", "DELETE", "HEAD", "get"))
    queries = st.lists(st.tuples(st.one_of(st.sampled_from(("model_name", "top_k", "a")), LINE), word), max_size=3)
    return st.builds(
        lambda root, words, query, method: Mutant(
            "mutated path",
            Request(
                SEVEN, "/".join(["", root, *words]) + "?" * bool(query) + "&".join(map("=".join, query)), (), method
            ),
        ),
        st.one_of(st.sampled_from(ROOTS), LINE),
        st.lists(word, max_size=3),
        queries,
        methods,
    )


def headers() -> st.SearchStrategy[Mutant]:
    """Make headers."""
    names = st.one_of(st.sampled_from(HEADERS), st.text(string.ascii_letters + "-_", min_size=1, max_size=20))
    values = st.one_of(LINE, st.sampled_from(("True", "1", "99", "a" * 300, "application/json", "\u00e9", "%00")))
    pairs = st.lists(st.tuples(names, values), min_size=1, max_size=5)
    return st.builds(
        lambda pairs, path: Mutant("mutated headers", Request(SEVEN, path, tuple(pairs))), pairs, st.sampled_from(PATHS)
    )


def lines() -> st.SearchStrategy[Mutant]:
    """Change the bytes of requests as a whole, their lengths among them."""
    whole = [
        Request(PICTURES[0]).to_bytes(),
        Request(DOCUMENTS[0], headers=(("Content-Type", "application/json"),)).to_bytes(),
        b"POST /predictions/digits HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    ]
    heads = [each[:200] for each in whole]
    return st.builds(
        lambda content: Mutant("mutated HTTP", Request(raw=content, incomplete=True)), edited([*whole, *heads])
    )


def mutants() -> st.SearchStrategy[Mutant]:
    """Make requests of all kinds, pictures and JSON more than others."""
    kinds = (
        picture_bytes(),
        picture_bytes(),
        documents(),
        documents(),
        forms(),
        arrays(),
        zip_files(),
        paths(),
        headers(),
    )
    return st.one_of(*kinds, lines())


QUIET: dict[str, Any] = {"database": None, "deadline": None, "suppress_health_check": list(HealthCheck)}


def generate(count: int, number: int, take: Callable[[Mutant], object]) -> None:
    """Hand out changed requests, the same ones for a seed.

    Args:
        count: how many, about.
        number: the seed.
        take: is called with each.
    """

    @seed(number)
    @settings(max_examples=count, phases=[Phase.generate], **QUIET)
    @given(mutants())
    def each(mutant: Mutant) -> None:
        take(mutant)

    each()
