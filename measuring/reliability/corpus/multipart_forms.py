"""Multipart forms, well-formed and broken, and bodies under a wrong content type."""

from collections.abc import Iterator, Mapping

from measuring.reliability.corpus.case import Case, Content, case, cases
from measuring.reliability.corpus.picture_files import LABEL, SEVEN, white_png
from measuring.reliability.expected import READ, READ_OR_REFUSED, Expected, read_as, refused

BOUNDARY = "frontier"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
URLENCODED = "application/x-www-form-urlencoded"
END = f"--{BOUNDARY}--\r\n".encode()
BAD = refused(400, "InvalidRequest")
MALFORMED = refused(400)
UNSUPPORTED = refused(415, "UnsupportedMedia")


def part(content: bytes, name: str | None = "a", extra: str = '; filename="a.png"', headers: str = "") -> bytes:
    """Write a part of a form; `headers` come after its Content-Disposition, each with its line end."""
    named = "" if name is None else f'; name="{name}"'
    head = f"--{BOUNDARY}\r\nContent-Disposition: form-data{named}{extra}\r\n{headers}\r\n"
    return head.encode("utf-8", "surrogateescape") + content + b"\r\n"


def form_cases(expected: Expected, contents: Mapping[str, Content]) -> Iterator[Case]:
    """Make cases of forms."""
    return cases(expected, contents, "form ", FORM)


def forms() -> Iterator[Case]:
    """Yield all forms."""
    yield from good_forms()
    yield from odd_parts()
    yield from broken_forms()


def good_forms() -> Iterator[Case]:
    """Yield forms that are read."""
    whole = part(SEVEN) + END
    names = (
        "../../x",
        "\u00e9\u4e2d\U0001f600",
        "a\tb",
        "x" * 3000,
        "body",
        "data",
        "explain",
        "describe",
        "content-type",
    )
    read = {
        "of a picture": whole,
        "with top_k": part(SEVEN) + part(b"2", "top_k", "") + END,
        **{f"with the name {name[:20]!a}": part(SEVEN, name) + END for name in names},
    }
    yield from form_cases(read_as(LABEL), read)
    yield case("form with a quoted boundary", whole, read_as(LABEL), f'multipart/form-data; boundary="{BOUNDARY}"')
    yield case("form of two pictures of one name", part(SEVEN) + whole, read_as(LABEL, LABEL), FORM)
    empty = part(SEVEN) + part(b"") + END
    yield case("form with an empty part", empty, read_as(LABEL, "InvalidImage"), FORM)
    yield case("form of 60 pictures of 25 megapixels", lambda: part(white_png(5000, 5000)) * 60 + END, READ, FORM)


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
    yield from form_cases(READ_OR_REFUSED, either)
    yield from form_cases(MALFORMED, malformed)
    text = part(SEVEN, headers="Content-Type: text/plain\r\n") + END
    yield case("form part of text", text, UNSUPPORTED, FORM)


def broken_forms() -> Iterator[Case]:
    """Yield forms that are incomplete, have a wrong boundary, or have too many parts."""
    seven, tiny = part(SEVEN), part(b"", "a", "")
    whole = seven + END
    bad: dict[str, Content] = {
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
    yield from form_cases(BAD, bad)
    yield case("form without a boundary", whole, UNSUPPORTED, "multipart/form-data")
    yield case("form with an empty boundary", whole, MALFORMED, "multipart/form-data; boundary=")


def wrong_types() -> Iterator[Case]:
    """Yield pictures and other bodies under a content type that is not theirs."""
    read = ("image/png", "image/jpeg", "image/x-nonsense", "application/octet-stream", "", "image/png; charset=nope")
    unsupported = ("text/plain", "text/html", "video/mp4", "application/pdf", "multipart/mixed; boundary=a", "\x01;;=")
    yield from (case(f"picture as {kind or 'nothing'}", SEVEN, read_as(LABEL), kind) for kind in read)
    yield from (case(f"picture as {kind!a}", SEVEN, UNSUPPORTED, kind) for kind in (*unsupported, "*/*", "\u00e9"))
    yield case("picture as a kind of 3,000 characters", SEVEN, UNSUPPORTED, "a" * 3000)
    for kind in ("application/json", "application/zip", "application/x-npy", "application/json; charset=nope"):
        yield case(f"picture as {kind}", SEVEN, BAD, kind)
    yield case("urlencoded form", b"a=1&b=2", UNSUPPORTED, URLENCODED)
    yield case("urlencoded form of a per cent sign", b"%", UNSUPPORTED, URLENCODED)
    yield case("urlencoded form with %zz", b"a=%zz&b=1", MALFORMED, URLENCODED)
    yield case("urlencoded form with an empty name", b"=1&=2", READ_OR_REFUSED, URLENCODED)
    yield case("urlencoded form that is a picture", SEVEN, READ_OR_REFUSED, URLENCODED)
