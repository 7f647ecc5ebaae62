"""HTTP itself: methods, paths, queries, headers and lengths, right and wrong."""

from collections.abc import Iterator
from typing import NamedTuple

from measuring.reliability.judge import Wanted, read_as, refused
from measuring.reliability.pictures import LABEL, SEVEN
from measuring.reliability.wire import CLOSED, Request

ENDED = Wanted(frozenset({CLOSED, 400}))  # what is no whole request is not waited for
READ = read_as(LABEL)
MALFORMED = refused(400)
MOST_BYTES = 16_842_752  # max_request_size in config.properties


class Message(NamedTuple):
    """A request, and what a server should make of it."""

    request: Request
    wanted: Wanted


def messages() -> Iterator[tuple[str, Message]]:
    """Yield requests that are odd as HTTP."""
    yield from methods_and_paths()
    yield from headers()
    yield from lengths()


def methods_and_paths() -> Iterator[tuple[str, Message]]:
    """Yield requests to odd places."""
    for method in ("PUT", "PATCH", "FOO"):
        yield f"method {method}", Message(Request(SEVEN, method=method), READ)
    for method in ("GET", "DELETE", "HEAD", "TRACE"):
        wanted = Wanted(frozenset({400, 405}), bare=method == "HEAD")
        yield f"method {method} without a body", Message(Request(method=method), wanted)
    missing, odd = refused(404), Wanted(frozenset({400, 403, 404, 405}))
    paths = {
        "/": odd,
        "//": odd,
        "/predictions": missing,
        "/predictions/": missing,
        "/predictions/unknown": missing,
        "/predictions/digits/9.9": missing,
        "/predictions/digits/abc": missing,
        "/predictions/digits%00": missing,
        "/predictions/..%2fdigits": missing,
        "/predictions/../models": missing,
        "/predictions/%zz": odd,
        "/predictions/%": odd,
        "/predictions/\u00e9\u4e2d": missing,
        "/predictions/digits\u0661": missing,
        "http://example.org/predictions/digits": odd,
        "/models": missing,
        "/models/digits": missing,
        "/metrics": missing,
        "/workflows": missing,
        "/wfpredict/x": missing,
        "/explanations/unknown": missing,
        "/v2/models/unknown/infer": missing,
        "/%2e%2e/%2e%2e/etc/passwd": missing,
        "*": odd,
        "digits": odd,
        "/predictions/" + "a" * 3000: missing,
    }
    for path, wanted in paths.items():
        name = ascii(path[:60])
        yield f"path {name}", Message(Request(SEVEN, path=path), wanted)
    for query in (
        "top_k=%zz",
        "%",
        "a=%00",
        "body=x",
        "data=x",
        "=&=&&",
        "a" * 3000,
        "top_k=2&top_k=3",
        "\u00e9=\u00e9",
    ):
        name = ascii(query[:60])
        yield f"query {name}", Message(Request(SEVEN, path=f"/predictions/digits?{query}"), READ)
    yield "a version, and a path after it", Message(Request(SEVEN, path="/predictions/digits/1.0/a/b"), READ)
    yield "a line of 9,000 characters", Message(Request(SEVEN, path="/predictions/digits?a=" + "1" * 9000), MALFORMED)
    invoked = "/invocations?model_name=digits&top_k="
    yield "top_k in a query", Message(Request(SEVEN, path=invoked + "2"), READ)
    for top_k in ("0", "-1", "1e3", "", "9" * 3000, "%00", "NaN", "%d9%a1"):
        name = top_k[:20]
        yield (
            f"top_k {name or 'of nothing'}",
            Message(Request(SEVEN, path=invoked + top_k), refused(400, "InvalidRequest")),
        )


def headers() -> Iterator[tuple[str, Message]]:
    """Yield requests with odd headers."""
    good = {
        "describe": "True",
        "explain": "maybe",
        "url_path": "../../x",
        "body": "x",
        "data": "x",
        "file": "text/plain",
        "ts_request_sequence_id": "1",
        "x-request-id": "a" * 5000,
        "X-Forwarded-For": "10.0.0.1, <script>",
        "Authorization": "Bearer x",
        "Cookie": "a=b; " * 500,
        "Accept": "image/avif",
        "Accept-Encoding": "gzip;q=-1",
        "Content-Encoding": "gzip",
        "Range": "bytes=0-9999999999",
        "Origin": "null",
        "If-Match": "*",
        "X-A": "\u00e9\udcff",
        "X-Timing": "\t",
        "TE": "trailers",
        "customized": "true",
    }
    for name, value in good.items():
        yield f"header {name}", Message(Request(SEVEN, headers=((name, value),)), READ)
    yield "header explain, forged", Message(Request(SEVEN, headers=(("explain", "True"),)), READ)
    for value in ("0", "99", "-1", "x", "", "1" * 5000, "\u0661"):
        wanted = refused(400, "InvalidRequest")
        yield f"header X-Top-K of {value[:9]!a}", Message(Request(SEVEN, headers=(("X-Top-K", value),)), wanted)
    bad = {
        "header of 20,000 characters": (("X-A", "a" * 20_000),),
        "500 headers": tuple((f"X-{i}", "a" * 100) for i in range(500)),
        "header with NUL": (("X-A", "a\x00b"),),
        "header with a name of blanks": (("X A", "b"),),
    }
    for name, each in bad.items():
        yield name, Message(Request(SEVEN, headers=each), Wanted(frozenset({200, 400})))
    yield (
        "header without a colon",
        Message(raw(b"POST /predictions/digits HTTP/1.1\r\nHost x\r\nContent-Length: 0\r\n\r\n"), MALFORMED),
    )
    yield "header Expect: 100-continue", Message(Request(SEVEN, headers=(("Expect", "100-continue"),)), READ)
    yield (
        "header Expect, unknown",
        Message(Request(SEVEN, headers=(("Expect", "nope"),)), Wanted(frozenset({417}))),
    )


def raw(content: bytes) -> Request:
    """Return a request of any bytes, after which the connection is closed."""
    return Request(raw=content, unfinished=True)


def lengths() -> Iterator[tuple[str, Message]]:
    """Yield requests whose length is not what they say, or that are no HTTP."""
    start = b"POST /predictions/digits HTTP/1.1\r\nHost: localhost\r\n"
    chunked = start + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    whole = b"%x\r\n%s\r\n0\r\n\r\n" % (len(SEVEN), SEVEN)
    yield "chunks", Message(Request(raw=chunked + whole), READ)
    yield (
        "chunks of one byte",
        Message(Request(raw=chunked + b"".join(b"1\r\n%c\r\n" % b for b in SEVEN) + b"0\r\n\r\n"), READ),
    )
    yield "chunk of no length", Message(raw(chunked + b"zz\r\nabc\r\n0\r\n\r\n"), MALFORMED)
    yield "chunk of a negative length", Message(raw(chunked + b"-5\r\nabc\r\n0\r\n\r\n"), ENDED)
    yield (
        "chunk of 2^63 bytes",
        Message(raw(chunked + b"7fffffffffffffff\r\nabc"), Wanted(frozenset({CLOSED, 400, 413}))),
    )
    yield "chunks without an end", Message(raw(chunked + b"3\r\nabc\r\n"), ENDED)
    yield (
        "length and chunks",
        Message(raw(start + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), ENDED),
    )
    yield "two lengths", Message(raw(start + b"Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde"), MALFORMED)
    for length in ("-1", "abc", "1e3", "0x10", "99999999999999999999"):
        yield (
            f"length {length}",
            Message(Request(SEVEN, length=length, unfinished=True), Wanted(frozenset({CLOSED, 400, 413}))),
        )
    yield "no length", Message(Request(SEVEN, length=""), MALFORMED)
    yield "less than its length", Message(Request(SEVEN, length=str(len(SEVEN) + 1), unfinished=True), ENDED)
    yield "more than its length", Message(Request(SEVEN, length="10"), MALFORMED)
    yield "a body of 17 MB", Message(Request(bytes(17_000_000)), refused(413))
    yield (
        "a body of 17 MB that does not come",
        Message(Request(b"a", length="17000000", unfinished=True), Wanted(frozenset({CLOSED, 413}))),
    )
    yield "a body as large as may be", Message(Request(bytes(MOST_BYTES)), refused(413, "ImageTooLarge"))
    yield "no HTTP", Message(raw(b"\x00\x01\x02\r\n\r\n"), ENDED)
    yield "TLS", Message(raw(bytes.fromhex("160301020001000100") + bytes(50) + b"\r\n\r\n"), ENDED)
    yield "nothing at all", Message(raw(b""), ENDED)
    yield "half a line", Message(raw(b"POST /pre"), ENDED)
    yield "half the headers", Message(raw(start), ENDED)
    yield (
        "HTTP/1.0",
        Message(
            Request(raw=b"POST /predictions/digits HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(SEVEN) + SEVEN), READ
        ),
    )
    yield "HTTP/2", Message(raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Wanted(frozenset({CLOSED, 400, 404, 405})))
