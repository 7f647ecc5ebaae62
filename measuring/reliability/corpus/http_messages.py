"""HTTP itself: methods, paths, queries, headers and lengths, right and wrong."""

from collections.abc import Iterator

from measuring.reliability.corpus.case import Case
from measuring.reliability.corpus.picture_files import LABEL, SEVEN
from measuring.reliability.expected import Expected, read_as, refused, status_in
from measuring.reliability.http_wire import CLOSED, Request

READ = read_as(LABEL)
MALFORMED = refused(400)
MISSING = refused(404)
BAD = refused(400, "InvalidRequest")
CLOSED_OR_MALFORMED = status_in(CLOSED, 400)
CLOSED_OR_REFUSED = status_in(CLOSED, 400, 413)
MAX_BODY_BYTES = 16_842_752  # max_request_size in config.properties
START = b"POST /predictions/digits HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = START + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"


def methods() -> Iterator[Case]:
    """Yield requests with other methods than POST."""
    for method in ("PUT", "PATCH", "FOO"):
        yield Case(f"method {method}", READ, Request(SEVEN, method=method))
    for method in ("GET", "DELETE", "HEAD", "TRACE"):
        expected = Expected(frozenset({400, 405}), without_body=method == "HEAD")
        yield Case(f"method {method} without a body", expected, Request(method=method))


def paths() -> Iterator[Case]:
    """Yield requests to other paths."""
    missing = (
        "/predictions", "/predictions/", "/predictions/unknown", "/predictions/digits/9.9", "/predictions/digits/abc",
        "/predictions/digits%00", "/predictions/..%2fdigits", "/predictions/../models", "/predictions/\u00e9\u4e2d",
        "/predictions/digits\u0661", "/models", "/models/digits", "/metrics", "/workflows", "/wfpredict/x",
        "/explanations/unknown", "/v2/models/unknown/infer", "/%2e%2e/%2e%2e/etc/passwd", "/predictions/" + "a" * 3000,
    )  # fmt: skip
    odd = ("/", "//", "/predictions/%zz", "/predictions/%", "http://example.org/predictions/digits", "*", "digits")
    for expected, each in ((MISSING, missing), (status_in(400, 403, 404, 405), odd)):
        yield from (Case(f"path {path[:60]!a}", expected, Request(SEVEN, path)) for path in each)
    yield Case("a version, and a path after it", READ, Request(SEVEN, "/predictions/digits/1.0/a/b"))
    for each in (
        "/predictions/digits/\x00",
        "/predictions/digits/1.0/\x00?\x01",
        "/predictions/\x1b",
        "/v1/models/\x00:predict",
    ):
        yield Case(f"path {each!a}", status_in(400, 404), Request(SEVEN, each))
    yield Case("a line of 9,000 characters", MALFORMED, Request(SEVEN, "/predictions/digits?a=" + "1" * 9000))


def queries() -> Iterator[Case]:
    """Yield requests with queries, with top_k among them."""
    unknown = (
        "top_k=%zz",
        "%",
        "a=%00",
        "body=x",
        "data=x",
        "=&=&&",
        "a" * 3000,
        "top_k=2&top_k=3",
        "\u00e9=\u00e9",
        "a=\x00",
        "\x1b[31m=\x7f",
        "\x01",
    )
    for query in unknown:  # nothing that was asked for is ignored
        yield Case(f"query {query[:60]!a}", BAD, Request(SEVEN, f"/predictions/digits?{query}"))
    invoked = "/invocations?model_name=digits&top_k="
    yield Case("top_k in a query", READ, Request(SEVEN, invoked + "2"))
    for top_k in ("0", "-1", "1e3", "", "9" * 3000, "%00", "NaN", "%d9%a1"):
        yield Case(f"top_k {top_k[:20] or '(empty)'}", BAD, Request(SEVEN, invoked + top_k))


def headers() -> Iterator[Case]:
    """Yield requests with unusual headers."""
    ignored = {
        "describe": "True", "explain": "maybe", "url_path": "../../x", "body": "x", "data": "x", "file": "text/plain",
        "ts_request_sequence_id": "1", "x-request-id": "a" * 5000, "X-Forwarded-For": "10.0.0.1, <script>",
        "Authorization": "Bearer x", "Cookie": "a=b; " * 500, "Accept": "image/avif", "Accept-Encoding": "gzip;q=-1",
        "Range": "bytes=0-9999999999", "Origin": "null", "If-Match": "*",
        "X-A": "\u00e9\udcff", "X-Timing": "\t", "TE": "trailers", "customized": "true",
    }  # fmt: skip
    bad = {
        "header of 20,000 characters": (("X-A", "a" * 20_000),),
        "500 headers": tuple((f"X-{i}", "a" * 100) for i in range(500)),
        "header with NUL": (("X-A", "a\x00b"),),
        "header with a space in its name": (("X A", "b"),),
    }

    pairs = [
        *((f"header {name}", READ, ((name, value),)) for name, value in ignored.items()),
        ("header explain, forged", READ, (("explain", "True"),)),
        ("a body that is not packed as it says", BAD, (("Content-Encoding", "gzip"),)),
        *(
            (f"header X-Top-K of {value[:9]!a}", BAD, (("X-Top-K", value),))
            for value in ("0", "99", "-1", "x", "", "1" * 5000, "\u0661")
        ),
        *((name, status_in(200, 400), values) for name, values in bad.items()),
        ("header Expect: 100-continue", READ, (("Expect", "100-continue"),)),
        ("header Expect, unknown", status_in(417), (("Expect", "nope"),)),
    ]
    return (Case(name, expected, Request(SEVEN, headers=each)) for name, expected, each in pairs)


def lengths() -> Iterator[Case]:
    """Yield requests whose Content-Length is wrong, or large."""
    for length in ("-1", "abc", "1e3", "0x10", "99999999999999999999"):
        yield Case(f"length {length}", CLOSED_OR_REFUSED, Request(SEVEN, length=length, incomplete=True))
    yield Case("no length", MALFORMED, Request(SEVEN, length=""))
    longer = Request(SEVEN, length=str(len(SEVEN) + 1), incomplete=True)
    yield Case("a body shorter than its length", CLOSED_OR_MALFORMED, longer)
    yield Case("a body longer than its length", MALFORMED, Request(SEVEN, length="10"))
    yield Case("a body of 17 MB", refused(413), Request(bytes(17_000_000)))
    missing = Request(b"a", length="17000000", incomplete=True)
    yield Case("a body of 17 MB that is never sent", status_in(CLOSED, 413), missing)
    yield Case("a body of the maximum size", refused(413, "ImageTooLarge"), Request(bytes(MAX_BODY_BYTES)))


def raw_bytes() -> Iterator[Case]:
    """Yield chunked requests, incomplete ones, and bytes that are not HTTP/1.1."""
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(SEVEN), SEVEN)
    single_bytes = b"".join(b"1\r\n%c\r\n" % byte for byte in SEVEN) + b"0\r\n\r\n"
    old = b"POST /predictions/digits HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(SEVEN) + SEVEN
    whole = {"chunks": CHUNKED + chunks, "chunks of one byte": CHUNKED + single_bytes, "HTTP/1.0": old}
    yield from (Case(name, READ, Request(raw=raw)) for name, raw in whole.items())
    malformed = {
        "header without a colon": b"POST /predictions/digits HTTP/1.1\r\nHost x\r\nContent-Length: 0\r\n\r\n",
        "chunk with an invalid length": CHUNKED + b"zz\r\nabc\r\n0\r\n\r\n",
        "two lengths": START + b"Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde",
    }
    closed_or_malformed = {
        "chunk of a negative length": CHUNKED + b"-5\r\nabc\r\n0\r\n\r\n",
        "chunks without an end": CHUNKED + b"3\r\nabc\r\n",
        "length and chunks": START + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "bytes that are not HTTP": b"\x00\x01\x02\r\n\r\n",
        "TLS": bytes.fromhex("160301020001000100") + bytes(50) + b"\r\n\r\n",
        "nothing at all": b"",
        "half a line": b"POST /pre",
        "half the headers": START,
    }
    for expected, contents in (
        (MALFORMED, malformed),
        (CLOSED_OR_MALFORMED, closed_or_malformed),
        (CLOSED_OR_REFUSED, {"chunk of 2^63 bytes": CHUNKED + b"7fffffffffffffff\r\nabc"}),
        (status_in(CLOSED, 400, 404, 405), {"HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"}),
    ):
        yield from (Case(name, expected, Request(raw=raw, incomplete=True)) for name, raw in contents.items())
