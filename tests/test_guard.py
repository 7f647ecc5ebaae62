"""The front end's guard, Java in TorchServe's own process; tests/test_faults.py has its drain and its time limit."""

import contextlib
import json
import re
import select
import shutil
import socket
import subprocess
import zipfile
from contextlib import ExitStack

import pytest

from deploy.frontend.build import JAR, RELEASE, build

PART = b'--b\r\nContent-Disposition: form-data; name="a"%s\r\n%s\r\nx\r\n--b--\r\n'
FORM = "multipart/form-data; boundary=b"
UNREADABLE = {  # requests that TorchServe itself answers with 500, each: path, content type, body
    "a boundary of nothing": ("/predictions/digits", "multipart/form-data; boundary=", PART % (b"", b"")),
    "a part without a name": (
        "/predictions/digits",
        FORM,
        b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n",
    ),
    "an unknown charset": ("/predictions/digits", FORM, PART % (b"", b"Content-Type: text/plain; charset=nope\r\n")),
    "a mixture without a boundary": ("/predictions/digits", FORM, PART % (b"", b"Content-Type: multipart/mixed\r\n")),
    "an unknown charset of a name": ("/predictions/digits", FORM, PART % (b"; filename*=nope''x", b"")),
    "a per cent sign": ("/predictions/digits", "application/x-www-form-urlencoded", b"a=%zz"),
    "no path": ("*", "image/png", b"x"),
    "a per cent sign in the path": ("/predictions/%zz", "image/png", b"x"),
}


def ask(stack, path: str, kind: str, body: bytes, length: int | None = None) -> tuple[int, dict]:
    """Send bytes as they are, and return status and JSON of the answer."""
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {length or len(body)}\r\n"
    with socket.create_connection(("127.0.0.1", stack.settings.ports["INFERENCE_PORT"]), timeout=60) as connection:
        connection.sendall(f"{head}Connection: close\r\n\r\n".encode() + body)
        answer = b""
        while not re.search(rb"\r\n\r\n.*\}\s*$", answer, re.DOTALL):
            received = connection.recv(65536)
            if not received:
                break
            answer += received
    top, _, document = answer.partition(b"\r\n\r\n")
    return int(top.split()[1]), json.loads(document)


@pytest.mark.server
@pytest.mark.parametrize("name", UNREADABLE)
def test_a_request_that_the_front_end_cannot_read_is_a_bad_request(stack, name):
    status, document = ask(stack, *UNREADABLE[name])
    assert (status, document["code"], document["type"]) == (400, 400, "InvalidRequest")
    assert document["message"].startswith("the request cannot be read: ")


@pytest.mark.server
def test_a_body_over_the_limit_is_refused_with_a_reason(stack):
    status, document = ask(stack, "/predictions/digits", "image/png", b"", length=17 * 2**20)
    assert (status, document["type"]) == (413, "ImageTooLarge")
    assert "wanted at most 16842752 bytes" in document["message"]


@pytest.mark.server
def test_a_form_of_too_many_parts_is_refused_when_it_has_been_sent(stack):
    part = b'--b\r\nContent-Disposition: form-data; name="a"; filename="a"\r\nContent-Type: image/png\r\n\r\nx\r\n'
    status, document = ask(stack, "/predictions/digits", FORM, part * 2047 + b"--b--\r\n")
    assert (status, document["message"]) == (400, "the request has 2,047 pictures; wanted 1 to 1,024")
    status, document = ask(stack, "/predictions/digits", FORM, part * 150_000 + b"--b--\r\n")
    assert (status, document["type"]) == (400, "InvalidRequest")
    assert document["message"] == "the form has over 2,048 parts; wanted 1 to 1,024 pictures"


@pytest.mark.server
def test_too_many_large_requests_are_refused_and_others_are_answered(stack, seven):
    head = b"POST /predictions/digits HTTP/1.1\r\nHost: x\r\nContent-Length: 16777216\r\n\r\n"
    with ExitStack() as open_sockets:
        address = ("127.0.0.1", stack.settings.ports["INFERENCE_PORT"])
        large = [open_sockets.enter_context(socket.create_connection(address, timeout=60)) for _ in range(10)]
        for connection in large:
            with contextlib.suppress(ConnectionError):  # of one that is refused before its end
                connection.sendall(head + bytes(15 * 2**20))
        readable, _, _ = select.select(large, [], [], 20)
        assert 1 <= len(readable) <= 3  # eight hold 120 of 128 MiB
        assert b"503 Service Unavailable" in readable[0].recv(100)
        assert ask(stack, "/predictions/digits", "image/png", seven)[0] == 200
    status, document = ask(stack, "/predictions/digits", "image/png", seven + bytes(15 * 2**20))
    assert (status, document["label"]) == (200, "7")


@pytest.mark.server
def test_an_unknown_expectation_is_refused_with_a_body(stack):
    status, document = ask(stack, "/predictions/digits HTTP/1.1\r\nExpect: miracles\r\nX-Rest:", "image/png", b"x")
    assert (status, document["code"]) == (417, 417)


@pytest.mark.server
def test_a_good_request_is_answered_beside_them(stack, seven):
    status, document = ask(stack, "/predictions/digits", "image/png", seven)
    assert (status, document["label"]) == (200, "7")


def javac_release() -> str:
    """The major version of the compiler at hand, or nothing."""
    if shutil.which("javac") is None:
        return ""
    done = subprocess.run(["javac", "-version"], capture_output=True, text=True, check=True, timeout=120)
    return done.stdout.split()[1].split(".")[0]


@pytest.mark.skipif(javac_release() != RELEASE, reason=f"needs javac {RELEASE}")
def test_the_jar_is_what_the_sources_make(tmp_path):
    build(tmp_path / "guard.jar")
    with zipfile.ZipFile(tmp_path / "guard.jar") as made, zipfile.ZipFile(JAR) as committed:
        assert made.namelist() == committed.namelist()
        assert all(made.read(name) == committed.read(name) for name in made.namelist())
