"""Multipart forms, well-formed and broken, and bodies under a wrong content type."""

from collections.abc import Iterator

from measuring.reliability.corpus.case import Bodies, Case, cases
from measuring.reliability.corpus.picture_files import LABEL, SEVEN, white_png
from measuring.reliability.expected import READ, READ_OR_REFUSED, read_as, refused

BOUNDARY = "frontier"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
END = f"--{BOUNDARY}--\r\n".encode()
BAD = refused(400, "InvalidRequest")
MALFORMED = refused(400)
UNSUPPORTED = refused(415, "UnsupportedMedia")


def part(content: bytes, name: str | None = "a", extra: str = '; filename="a.png"', headers: str = "") -> bytes:
    """Write a part of a form; `headers` come after its Content-Disposition, each with its line end."""
    named = "" if name is None else f'; name="{name}"'
    head = f"--{BOUNDARY}\r\nContent-Disposition: form-data{named}{extra}\r\n{headers}\r\n"
    return head.encode("utf-8", "surrogateescape") + content + b"\r\n"


def good_forms() -> Iterator[Case]:
    """Yield forms that are read."""
    whole = part(SEVEN) + END
    names = (
        "../../x", "\u00e9\u4e2d\U0001f600", "a\tb", "x" * 3000, "body", "data", "explain", "describe", "content-type",
    )  # fmt: skip
    read = {
        "of a picture": whole,
        "with top_k": part(SEVEN) + part(b"2", "top_k", "") + END,
        **{f"with the name {name[:20]!a}": part(SEVEN, name) + END for name in names},
    }
    partly = {"with an empty part": part(SEVEN) + part(b"") + END}
    large = {"of 60 pictures of 25 megapixels": lambda: part(white_png(5000, 5000)) * 60 + END}
    yield from cases(
        "form ",
        FORM,
        (read_as(LABEL), read),
        (read_as(LABEL, LABEL), {"of two pictures of one name": part(SEVEN) + whole}),
        (read_as(LABEL, "InvalidImage"), partly),
        (READ, large),
    )
    quoted = f'multipart/form-data; boundary="{BOUNDARY}"'
    yield from cases("form ", quoted, (read_as(LABEL), {"with a quoted boundary": whole}))


def odd_parts() -> Iterator[Case]:
    """Yield forms whose parts have unusual headers; some may be read."""
    files = {
        "../../x": '; filename="../../x"',
        "an absolute one": '; filename="/etc/passwd"',
        "an empty one": '; filename=""',
        "NUL and bytes": '; filename="\udcff\x00"',
        "one that is not closed": '; filename="a',
        "a long one": f'; filename="{"a" * 5000}"',
        "an encoded one": "; filename*=UTF-8''%e2%82%ac.png",
    }
    lengths = ("nope", "-5", "99999999999999999999")
    mixed = "Content-Type: multipart/mixed; boundary=q\r\n"
    inner = b'--q\r\nContent-Disposition: attachment; filename="x"\r\n\r\nx\r\n--q--\r\n'
    either = {
        **{f"with the file name {name}": part(SEVEN, extra=extra) + END for name, extra in files.items()},
        **{f"part of length {each}": part(SEVEN, headers=f"Content-Length: {each}\r\n") + END for each in lengths},
        "with a boundary of 60,000 dashes in it": b"-" * 60_000 + part(SEVEN) + END,
        "part with an empty name": part(SEVEN, "", "") + END,
        "part of multipart/mixed": part(inner, extra="", headers=mixed) + END,
        "part of an unknown encoding": part(SEVEN, headers="Content-Transfer-Encoding: nope\r\n") + END,
    }
    malformed = {
        "part without a name": part(SEVEN, None, "") + END,
        "part without a disposition": f"--{BOUNDARY}\r\n\r\nx\r\n".encode() + END,
        "part of an unknown charset": part(b"x", extra="", headers="Content-Type: text/plain; charset=nope\r\n") + END,
        "part with a file name of an unknown charset": part(SEVEN, extra="; filename*=nope''%zz") + END,
        "part of multipart/mixed without a boundary": part(b"x", extra="", headers="Content-Type: multipart/mixed\r\n")
        + END,
    }
    text = {"part of text": part(SEVEN, headers="Content-Type: text/plain\r\n") + END}
    return cases("form ", FORM, (READ_OR_REFUSED, either), (MALFORMED, malformed), (UNSUPPORTED, text))


def broken_forms() -> Iterator[Case]:
    """Yield forms that are incomplete, have a wrong boundary, or have too many parts."""
    seven, tiny = part(SEVEN), part(b"", "a", "")
    whole = seven + END
    bad: Bodies = {
        "with a bad top_k": seven + part(b"\xff\n", "top_k", "") + END,
        "without its end": seven,
        "cut in a picture": whole[: len(whole) // 2],
        "cut in a header": whole[:40],
        "of nothing": b"",
        "of its end boundary alone": END,
        "with another boundary": whole.replace(BOUNDARY.encode(), b"other"),
        "of 1,025 parts": part(b"") * 1025 + END,
        "of 16 MB of tiny parts of one name": lambda: tiny * (16_000_000 // len(tiny)) + END,
        "of 150,000 tiny parts": lambda: b"".join(part(b"", str(i), "") for i in range(150_000)) + END,
    }
    yield from cases("form ", FORM, (BAD, bad))
    yield from cases("form ", "multipart/form-data", (UNSUPPORTED, {"without a boundary": whole}))
    yield from cases("form ", "multipart/form-data; boundary=", (MALFORMED, {"with an empty boundary": whole}))


def wrong_types() -> Iterator[Case]:
    """Yield pictures and other bodies under a content type that is not theirs."""
    read = ("image/png", "image/jpeg", "image/x-nonsense", "application/octet-stream", "", "image/png; charset=nope")
    unsupported = ("text/plain", "text/html", "video/mp4", "multipart/mixed; boundary=a", "\x01;;=")
    bad = ("application/json", "application/zip", "application/x-npy", "application/json; charset=nope")
    for expected, kinds, name in (
        (read_as(LABEL), read, lambda kind: kind or "nothing"),
        (UNSUPPORTED, (*unsupported, "*/*", "\u00e9"), ascii),
        (UNSUPPORTED, ("a" * 3000,), lambda _: "a kind of 3,000 characters"),
        (BAD, bad, str),
    ):
        for kind in kinds:
            yield from cases("picture as ", kind, (expected, {name(kind): SEVEN}))
    yield from cases(
        "urlencoded form",
        "application/x-www-form-urlencoded",
        (UNSUPPORTED, {"": b"a=1&b=2", " of a per cent sign": b"%"}),
        (MALFORMED, {" with %zz": b"a=%zz&b=1"}),
        (READ_OR_REFUSED, {" with an empty name": b"=1&=2", " that is a picture": SEVEN}),
    )
