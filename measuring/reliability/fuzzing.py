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

from handwriting.preprocess.formats import READ_APART, READ_HERE
from measuring.reliability.corpus.multipart_forms import BOUNDARY, END, FORM
from measuring.reliability.corpus.picture_files import SEVEN, drawing, encode
from measuring.reliability.corpus.sandboxed_files import heic
from measuring.reliability.corpus.zip_npy import header_of, honest, npy, npy_header, ordinary, zip_of
from measuring.reliability.http_wire import Request

PATHS = ("/predictions/digits", "/predictions/digits", "/explanations/digits", "/predictions/reader")
SMALL_PX = 96
MAX_EDITS = 5
NUMBERS = (b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x00\x01", b"\xff\xff", b"\x80")
PICTURES = [encode(drawing().resize((SMALL_PX, SMALL_PX)), form) for form in READ_HERE]
PICTURES += [encode(np.asarray(drawing().resize((28, 28))) ^ 255), encode(drawing().convert("RGBA").resize((40, 40)))]
SMALL = drawing().resize((SMALL_PX, SMALL_PX))
# Fewer of them are sent, as each is decoded in a process of its own
APART = [heic(SMALL), *(encode(SMALL, form) for form in READ_APART if form != "HEIF")]
FRAMES = npy(np.zeros((2, 28, 28), np.uint8))
ARCHIVE = ordinary({"7.png": PICTURES[0], "a/7.jpg": PICTURES[1]})
DOCUMENTS = [
    json.dumps({"data": np.asarray(drawing().resize((20, 20))).tolist()}).encode(),
    json.dumps({"instances": [{"b64": base64.b64encode(PICTURES[0]).decode()}, {"data": [[0, 255]]}]}).encode(),
]
JSON, ZIP, NPY, OCTETS = "application/json", "application/zip", "application/x-npy", "application/octet-stream"
HEADERS = (
    "X-Top-K", "X-Request-Id", "X-Timing", "describe", "explain", "url_path", "body", "data", "Accept", "Authorization",
    "Content-Encoding", "Cookie", "customized", "content-type", "Origin", "Range",
)  # fmt: skip
MODELS = ("digits", "digits/1.0", "reader", "digits/", "nobody", "..", "%00", "")
ROOTS = ("predictions", "explanations", "v1/models", "v2/models", "invocations", "ping", "wfpredict", "api-description")
LINE = st.text(st.characters(blacklist_characters="\r\n", blacklist_categories=["Cs"]), max_size=40)
DIGITS: st.SearchStrategy[str] = st.just(PATHS[0])
NO_KIND: st.SearchStrategy[str | None] = st.none()
QUIET: dict[str, Any] = {"database": None, "deadline": None, "suppress_health_check": list(HealthCheck)}


class Mutant(NamedTuple):
    """A mutated request, and the name of what was mutated."""

    name: str
    request: Request


@st.composite
def edited(draw: st.DrawFn, sources: Sequence[bytes]) -> bytes:
    """Flip, overwrite, insert, remove, cut, repeat and splice bytes of one of the sources."""
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


def mutants_of(
    name: str,
    contents: st.SearchStrategy[bytes],
    kinds: st.SearchStrategy[str | None] = NO_KIND,
    paths: st.SearchStrategy[str] = DIGITS,
) -> st.SearchStrategy[Mutant]:
    """Make requests of bodies, content types (None for none) and paths."""

    def make(content: bytes, kind: str | None, path: str) -> Mutant:
        return Mutant(f"mutated {name}", Request(content, path, () if kind is None else (("Content-Type", kind),)))

    return st.builds(make, contents, kinds, paths)


def trees() -> st.SearchStrategy[Any]:
    """Make JSON trees, some of them close to a valid document."""
    numbers = st.one_of(st.integers(0, 255), st.integers(), st.floats())
    picture = st.sampled_from([base64.b64encode(each).decode() for each in PICTURES[:2]])
    leaves = st.one_of(st.none(), st.booleans(), numbers, st.text(max_size=9), picture)
    keys = st.one_of(st.sampled_from(("data", "instances", "b64", "top_k", "image", "parameters")), st.text(max_size=9))

    def nest(each: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.one_of(st.lists(each, max_size=5), st.dictionaries(keys, each, max_size=4))

    deeper = st.recursive(leaves, nest, max_leaves=20)
    rows = st.lists(st.lists(st.one_of(st.integers(0, 255), leaves), min_size=1, max_size=5), max_size=5)
    picked = st.one_of(deeper, rows)
    instances = st.lists(st.one_of(picked, st.dictionaries(st.sampled_from(("b64", "data")), picked)), max_size=5)
    roots = ({"data": picked}, {"instances": st.one_of(instances, picked)})
    return st.one_of(picked, *map(st.fixed_dictionaries, roots))


def documents() -> st.SearchStrategy[Mutant]:
    """Make JSON of any shape, or mutate the bytes of good JSON."""

    def write(tree: object, escaped: bool) -> bytes:  # with NaN, infinity and lone surrogates where the tree has them
        return json.dumps(tree, ensure_ascii=escaped).encode("utf-8", "surrogatepass")

    written = st.builds(write, trees(), st.booleans())
    kinds = st.sampled_from((JSON, f"{JSON}; charset=utf-8", JSON.upper(), "text/json"))
    return mutants_of("JSON", st.one_of(written, written, edited(DOCUMENTS)), kinds, st.sampled_from(PATHS))


@st.composite
def form_bytes(draw: st.DrawFn) -> bytes:
    """Write a form of some parts whose headers may be malformed."""
    name = st.one_of(st.sampled_from(("a", "data", "top_k", "explain", "", "body")), LINE)
    odd_kinds = ("multipart/mixed; boundary=x", "text/plain; charset=nope")
    kinds = st.one_of(st.sampled_from(("image/png", JSON, ZIP, NPY, OCTETS, "text/plain", "", *odd_kinds)), LINE)
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
    quoted = f'multipart/form-data; boundary="{BOUNDARY}"'
    kinds = st.sampled_from((FORM, FORM, FORM, FORM, quoted, "multipart/form-data"))
    any_boundary = st.builds("multipart/form-data; boundary={}".format, LINE)
    return mutants_of("form", form_bytes(), st.one_of(kinds, any_boundary))


def arrays() -> st.SearchStrategy[Mutant]:
    """Make npy files with any header, or mutate the bytes of a good one."""
    odd_sizes = st.sampled_from((28, 2**31, 2**63, 10**30))
    sizes = st.one_of(st.integers(-2, 30), odd_sizes, st.text(string.printable, max_size=5))
    any_shape = st.builds(lambda each: f"({', '.join(map(str, each))},)", st.lists(sizes))
    shapes = st.one_of(st.just("(2, 28, 28)"), any_shape)
    dtypes = st.one_of(st.sampled_from(("'|u1'", "'<u1'", "'|O'", "'>f8'", "'|V8'", "'|S0'", "[('a', '|O')]")), LINE)
    headers = st.builds(header_of, shapes, dtypes, st.one_of(st.sampled_from(("False", "True", "1", "None")), LINE))
    versions = st.sampled_from(((1, 0), (1, 0), (2, 0), (3, 0), (0, 0), (255, 255)))
    files = st.builds(npy_header, st.one_of(headers, LINE), st.sampled_from((bytes(2 * 28**2), b"", b"x")), versions)
    return mutants_of("npy", st.one_of(files, edited([FRAMES])), st.sampled_from((NPY, OCTETS)))


@st.composite
def zip_bytes(draw: st.DrawFn) -> bytes:
    """Write a ZIP file whose headers may be wrong."""
    members = []
    number = st.sampled_from((0, 1, 1000, 2**24, 2**32 - 1))
    changes = {"size": number, "crc": number, "method": st.integers(0, 99), "flags": st.integers(0, 2**16 - 1)}
    names = st.one_of(st.binary(max_size=20), st.sampled_from((b"../../a.png", b"/a", b"a/", b"a\\b", b"\x00")))
    for _ in range(draw(st.integers(0, 3))):
        member = honest(draw(names), draw(st.sampled_from(PICTURES[:3])))
        chosen = draw(st.lists(st.sampled_from(sorted(changes)), max_size=2))
        members.append(member._replace(**{each: draw(changes[each]) for each in chosen}))
    return zip_of(*members, overlapping=draw(st.booleans()))


def zip_files() -> st.SearchStrategy[Mutant]:
    """Make ZIP files of any structure, or mutate the bytes of a good one."""
    return mutants_of("ZIP", st.one_of(zip_bytes(), edited([ARCHIVE])), st.sampled_from((ZIP, "")))


def paths() -> st.SearchStrategy[Mutant]:
    """Make methods, paths and queries."""
    word = st.one_of(st.sampled_from(MODELS), st.text(string.printable.strip(), max_size=9), LINE)
    methods = st.sampled_from(("POST", "POST", "POST", "GET", "PUT", "OPTIONS", "DELETE", "HEAD", "get"))
    queries = st.lists(st.tuples(st.one_of(st.sampled_from(("model_name", "top_k", "a")), LINE), word), max_size=3)

    def make(root: str, words: list[str], query: list[tuple[str, str]], method: str) -> Mutant:
        path = "/".join(["", root, *words]) + "?" * bool(query) + "&".join(map("=".join, query))
        return Mutant("mutated path", Request(SEVEN, path, (), method))

    return st.builds(make, st.one_of(st.sampled_from(ROOTS), LINE), st.lists(word, max_size=3), queries, methods)


def headers() -> st.SearchStrategy[Mutant]:
    """Make headers."""
    names = st.one_of(st.sampled_from(HEADERS), st.text(string.ascii_letters + "-_", min_size=1, max_size=20))
    values = st.one_of(LINE, st.sampled_from(("True", "1", "99", "a" * 300, "application/json", "\u00e9", "%00")))
    pairs = st.lists(st.tuples(names, values), min_size=1, max_size=5).map(tuple)
    requests = st.builds(lambda path, pairs: Request(SEVEN, path, pairs), st.sampled_from(PATHS), pairs)
    return st.builds(Mutant, st.just("mutated headers"), requests)


def raw_requests() -> st.SearchStrategy[Mutant]:
    """Mutate the bytes of complete requests, including their lengths."""
    whole = [
        Request(PICTURES[0]).to_bytes(),
        Request(DOCUMENTS[0], headers=(("Content-Type", JSON),)).to_bytes(),
        b"POST /predictions/digits HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    ]
    raw = edited([*whole, *(each[:200] for each in whole)])
    return raw.map(lambda content: Mutant("mutated HTTP", Request(raw=content, incomplete=True)))


def mutants() -> st.SearchStrategy[Mutant]:
    """Make requests of all kinds, pictures and JSON more often than others."""
    pictures = mutants_of("picture", edited(PICTURES), paths=st.sampled_from(PATHS))
    apart = mutants_of("file decoded apart", edited(APART), paths=st.sampled_from(PATHS))
    often = (pictures, pictures, documents(), documents())
    return st.one_of(*often, apart, forms(), arrays(), zip_files(), paths(), headers(), raw_requests())


def generate(count: int, number: int, take: Callable[[Mutant], object]) -> None:
    """Pass about `count` mutants to `take`, the same ones for the same seed `number`."""

    @seed(number)
    @settings(max_examples=count, phases=[Phase.generate], **QUIET)
    @given(mutants())
    def each(mutant: Mutant) -> None:
        take(mutant)

    each()
