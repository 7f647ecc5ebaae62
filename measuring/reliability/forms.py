"""Multipart forms, whole and broken, with what a server should make of them."""

from collections.abc import Iterator
from typing import NamedTuple

from measuring.reliability.judge import READ, READ_OR_REFUSED, Wanted, read_as, refused
from measuring.reliability.pictures import LABEL, SEVEN, white_png
from measuring.reliability.wire import Content

BOUNDARY = "frontier"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
BAD = refused(400, "InvalidRequest")


class Form(NamedTuple):
    """The body of a form, its content type, and what a server should make of it."""

    content: Content
    kind: str
    wanted: Wanted


def part(content: bytes, name: str | None = "a", extra: str = '; filename="a.png"', headers: str = "") -> bytes:
    """Write a part of a form; `headers` come after its Content-Disposition, each with its end of line."""
    named = "" if name is None else f'; name="{name}"'
    head = f"--{BOUNDARY}\r\nContent-Disposition: form-data{named}{extra}\r\n{headers}\r\n"
    return head.encode("utf-8", "surrogateescape") + content + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()


def forms() -> Iterator[tuple[str, Form]]:
    """Yield forms that are read, and that are not."""
    seven = part(SEVEN)
    whole = seven + END
    charset = "Content-Type: text/plain; charset=nope\r\n"
    mixed = "Content-Type: multipart/mixed; boundary=q\r\n"
    yield "form of a picture", Form(whole, FORM, read_as(LABEL))
    yield "form with a quoted boundary", Form(whole, f'multipart/form-data; boundary="{BOUNDARY}"', read_as(LABEL))
    yield "form of two pictures of one name", Form(seven + whole, FORM, read_as(LABEL, LABEL))
    yield "form with top_k", Form(seven + part(b"2", "top_k", "") + END, FORM, read_as(LABEL))
    yield "form with a bad top_k", Form(seven + part(b"\xff\n", "top_k", "") + END, FORM, BAD)
    yield "form with an empty part", Form(seven + part(b"") + END, FORM, read_as(LABEL, "InvalidImage"))
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
    for name in names:
        text = ascii(name[:20])
        yield f"form with the name {text}", Form(part(SEVEN, name) + END, FORM, read_as(LABEL))
    for text, extra in {
        "../../x": '; filename="../../x"',
        "an absolute one": '; filename="/etc/passwd"',
        "an empty one": '; filename=""',
        "NUL and bytes": '; filename="\udcff\x00"',
        "one that is not closed": '; filename="a',
        "a long one": f'; filename="{"a" * 5000}"',
        "an encoded one": "; filename*=UTF-8''%e2%82%ac.png",
    }.items():
        yield f"form with the file name {text}", Form(part(SEVEN, extra=extra) + END, FORM, READ_OR_REFUSED)
    yield "form without its end", Form(seven, FORM, BAD)
    yield "form cut in a picture", Form(whole[: len(whole) // 2], FORM, BAD)
    yield "form cut in a header", Form(whole[:40], FORM, BAD)
    yield "form of nothing", Form(b"", FORM, BAD)
    yield "form of its end", Form(END, FORM, BAD)
    yield "form with another boundary", Form(whole.replace(BOUNDARY.encode(), b"other"), FORM, BAD)
    yield "form without a boundary", Form(whole, "multipart/form-data", refused(415, "UnsupportedMedia"))
    yield "form with an empty boundary", Form(whole, "multipart/form-data; boundary=", refused(400))
    yield "form with a boundary of 60,000 dashes in it", Form(b"-" * 60_000 + whole, FORM, READ_OR_REFUSED)
    yield "form part without a name", Form(part(SEVEN, None, "") + END, FORM, refused(400))
    yield "form part without a disposition", Form(f"--{BOUNDARY}\r\n\r\nx\r\n".encode() + END, FORM, refused(400))
    yield "form part with an empty name", Form(part(SEVEN, "", "") + END, FORM, READ_OR_REFUSED)
    yield "form part of an unknown charset", Form(part(b"x", extra="", headers=charset) + END, FORM, refused(400))
    yield (
        "form part with a file name of an unknown charset",
        Form(part(SEVEN, extra="; filename*=nope''%zz") + END, FORM, refused(400)),
    )
    yield "form part of multipart/mixed", Form(
        part(b'--q\r\nContent-Disposition: attachment; filename="x"\r\n\r\nx\r\n--q--\r\n', extra="", headers=mixed)
        + END, FORM, READ_OR_REFUSED,
    )  # fmt: skip
    yield (
        "form part of multipart/mixed without a boundary",
        Form(part(b"x", extra="", headers="Content-Type: multipart/mixed\r\n") + END, FORM, refused(400)),
    )
    for length in ("nope", "-5", "99999999999999999999"):
        yield (
            f"form part of length {length}",
            Form(part(SEVEN, headers=f"Content-Length: {length}\r\n") + END, FORM, READ_OR_REFUSED),
        )
    yield (
        "form part of an unknown encoding",
        Form(part(SEVEN, headers="Content-Transfer-Encoding: nope\r\n") + END, FORM, READ_OR_REFUSED),
    )
    yield (
        "form part of text",
        Form(part(SEVEN, headers="Content-Type: text/plain\r\n") + END, FORM, refused(415, "UnsupportedMedia")),
    )
    yield "form of 1,025 parts", Form(part(b"") * 1025 + END, FORM, BAD)
    tiny = part(b"", "a", "")
    yield "form of 16 MB of tiny parts of one name", Form(lambda: tiny * (16_000_000 // len(tiny)) + END, FORM, BAD)
    yield (
        "form of 150,000 tiny parts",
        Form(lambda: b"".join(part(b"", str(i), "") for i in range(150_000)) + END, FORM, BAD),
    )
    yield (
        "form of 60 pictures of 25 megapixels",
        Form(lambda: part(white_png(5000, 5000)) * 60 + END, FORM, READ),
    )


def other_kinds() -> Iterator[tuple[str, Form]]:
    """Yield pictures and other bodies that are sent as what they are not."""
    unsupported = refused(415, "UnsupportedMedia")
    read = read_as(LABEL)
    for kind in (
        "image/png",
        "image/jpeg",
        "image/x-nonsense",
        "application/octet-stream",
        "",
        "image/png; charset=nope",
    ):
        yield f"picture as {kind or 'nothing'}", Form(SEVEN, kind, read)
    for kind in (
        "text/plain",
        "text/html",
        "video/mp4",
        "application/pdf",
        "multipart/mixed; boundary=a",
        "\x01;;=",
        "*/*",
        "\u00e9",
    ):
        yield f"picture as {kind!a}", Form(SEVEN, kind, unsupported)
    yield "picture as a kind of 3,000 characters", Form(SEVEN, "a" * 3000, unsupported)
    for kind in ("application/json", "application/zip", "application/x-npy", "application/json; charset=nope"):
        yield f"picture as {kind}", Form(SEVEN, kind, BAD)
    encoded = "application/x-www-form-urlencoded"
    yield "urlencoded form", Form(b"a=1&b=2", encoded, unsupported)
    yield "urlencoded form of a per cent sign", Form(b"%", encoded, unsupported)
    yield "urlencoded form with %zz", Form(b"a=%zz&b=1", encoded, refused(400))
    yield "urlencoded form with an empty name", Form(b"=1&=2", encoded, READ_OR_REFUSED)
    yield "urlencoded form that is a picture", Form(SEVEN, encoded, READ_OR_REFUSED)
