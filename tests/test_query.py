"""Parameters in the address, packed bodies, and requests of web pages: what TorchServe itself drops or refuses."""

import gzip
import shutil
import threading
import zlib
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import requests

from deploy.checksums import copy_archive
from deploy.local.settings import ROOT, read_settings
from handwriting.errors import InvalidRequest
from handwriting.parsing import parse_request
from handwriting.parsing.query import read_query
from tests.conftest import RunningStack, environment, port_variables, run_stack

TIMEOUT_S = 60
FETCH = """
async ([url, options]) => {
  const picture = await (await fetch("7-1.png")).blob();
  try {
    const answer = await fetch(url, {method: "POST", body: picture, ...options});
    return [answer.status, (await answer.json()).label ?? "", answer.headers.get("x-request-id") ?? ""];
  } catch (error) {
    return [0, error.name, ""];
  }
}
"""


# Parameters


def test_a_parameter_comes_before_a_header_and_after_a_form_field(seven):
    headers = {"url_query": "top_k=2", "x-top-k": "5"}
    assert parse_request({"body": seven}, headers, labels=10).top_k == 2
    assert parse_request({"file": seven, "top_k": b"4"}, headers, labels=10).top_k == 4


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("topk=1", "the address has the parameter 'topk'; wanted top_k"),
        ("top_k=1&verbose", "the address has the parameter 'verbose'; wanted top_k"),
        ("top_k=1&top_k=2", "the address has top_k 2 times; wanted it once"),
        ("top_k=", "top_k is ''; wanted a whole number"),
    ],
)
def test_a_parameter_that_cannot_be_followed_is_an_error(seven, query, reason):
    with pytest.raises(InvalidRequest) as caught:
        parse_request({"body": seven}, {"url_query": query}, labels=10)
    assert str(caught.value).startswith(reason)


def test_parameters_are_decoded():
    assert read_query("a=1%202&b=x+y", {"a", "b"}) == {"a": "1 2", "b": "x y"}


@pytest.mark.server
@pytest.mark.parametrize("path", ["predictions/digits", "predictions/digits/1.0", "invocations?model_name=digits"])
def test_the_server_follows_parameters(stack, seven, path):
    def ask(query: str, **headers: str) -> requests.Response:
        url = f"{stack.inference_url}/{path}{'&' if '?' in path else '?'}{query}"
        return requests.post(url, data=seven, headers=headers, timeout=TIMEOUT_S)

    assert len(ask("top_k=1").json()["top"]) == 1
    assert len(ask("top_k=2", **{"X-Top-K": "5"}).json()["top"]) == 2
    assert ask("top_k=99").json()["message"] == "top_k is '99'; wanted a whole number from 1 to 10"


@pytest.mark.server
def test_a_header_of_a_client_is_not_taken_for_the_query(stack, seven):
    answer = requests.post(stack.predictions_url, data=seven, headers={"url_query": "top_k=99"}, timeout=TIMEOUT_S)
    assert answer.status_code == 200


# Packed bodies


def pack(stack, body: bytes, encoding: str) -> requests.Response:
    return requests.post(stack.predictions_url, data=body, headers={"Content-Encoding": encoding}, timeout=TIMEOUT_S)


@pytest.mark.server
def test_packed_bodies_are_unpacked(stack, seven):
    assert pack(stack, gzip.compress(seven), "gzip").json()["label"] == "7"
    assert pack(stack, gzip.compress(seven), "GZIP").json()["label"] == "7"
    assert pack(stack, zlib.compress(seven), "deflate").json()["label"] == "7"
    form = requests.Request("POST", stack.predictions_url, files={"file": seven}).prepare()
    headers = {"Content-Type": form.headers["Content-Type"], "Content-Encoding": "gzip"}
    packed = requests.post(stack.predictions_url, data=gzip.compress(form.body), headers=headers, timeout=TIMEOUT_S)
    assert packed.json()["label"] == "7"


@pytest.mark.server
def test_a_body_that_is_not_packed_as_it_says_is_an_error_of_the_request(stack, seven):
    for body in (seven, gzip.compress(seven)[:-9][:5] + seven):
        answer = pack(stack, body, "gzip")
        assert (answer.status_code, answer.json()["type"]) == (400, "InvalidRequest")
        assert answer.json()["message"].startswith("the body is not packed as its Content-Encoding says")
    for share in (0.1, 0.5, 0.9):
        cut = pack(stack, gzip.compress(seven)[: round(share * len(seven))], "gzip")
        assert (cut.status_code, cut.json()["type"]) == (400, "InvalidImage")  # not completed from another request
    other = pack(stack, seven, "br")
    assert (other.status_code, other.json()["type"]) == (415, "UnsupportedMedia")
    assert requests.post(stack.predictions_url, data=seven, timeout=TIMEOUT_S).json()["label"] == "7"


@pytest.mark.server
def test_a_body_that_unpacks_to_more_than_the_limit_is_refused(stack, seven):
    bomb = gzip.compress(bytes(200 * 2**20), 9)
    assert len(bomb) < 2**18
    for _ in range(3):
        answer = pack(stack, bomb, "gzip")
        assert (answer.status_code, answer.json()["type"]) == (413, "ImageTooLarge")
    noise = np.random.default_rng(0).integers(0, 256, 17 * 2**20, np.uint8).tobytes()
    assert pack(stack, gzip.compress(noise, 1), "gzip").status_code == 413
    assert requests.post(stack.predictions_url, data=seven, timeout=TIMEOUT_S).json()["label"] == "7"


# Web pages


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[int]:
    """A web site with a picture; returns its port."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copy(ROOT / "examples" / "digits" / "7-1.png", folder)
    (folder / "index.html").write_text("<!doctype html><title>shop</title>")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture(scope="module")
def open_to_pages(tmp_path_factory, site) -> Iterator[RunningStack]:
    """A server that names one origin of the site."""
    folder = tmp_path_factory.mktemp("open")
    store = folder / "store"
    store.mkdir()
    copy_archive(ROOT / "model_store" / "digits-1.0.mar", store)
    running = RunningStack(
        read_settings(port_variables() | {"RUN_DIR": str(folder / "stack"), "MODEL_STORE": str(store)})
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("CORS_ORIGINS", f"https://shop.example,http://127.0.0.1:{site}")
        try:
            running.stack.start("torchserve")
            yield running
        finally:
            running.stack.stop("torchserve")


@pytest.mark.server
@pytest.mark.browser
def test_a_page_of_a_named_origin_reads_answers(open_to_pages, site, pages):
    page = pages(f"http://127.0.0.1:{site}/")
    status, label, request_id = page.evaluate(FETCH, [open_to_pages.predictions_url, {}])
    assert (status, label, bool(request_id)) == (200, "7", True)
    preflighted = {"headers": {"X-Top-K": "1", "Authorization": "Bearer none-is-needed", "Content-Type": "image/png"}}
    assert page.evaluate(FETCH, [open_to_pages.predictions_url, preflighted])[:2] == [200, "7"]
    assert page.evaluate(FETCH, [f"{open_to_pages.inference_url}/predictions/runes", {}])[0] == 404
    assert page.evaluate(FETCH, [f"{open_to_pages.predictions_url}?top_k=99", preflighted])[0] == 400
    unpacked = {"headers": {"Content-Encoding": "br"}}
    assert page.evaluate(FETCH, [open_to_pages.predictions_url, unpacked])[0] == 415  # which the front end answers


@pytest.mark.server
@pytest.mark.browser
def test_a_page_of_another_origin_reads_nothing(open_to_pages, site, pages, stack):
    other = pages(f"http://localhost:{site}/")
    assert other.evaluate(FETCH, [open_to_pages.predictions_url, {}]) == [0, "TypeError", ""]
    named = pages(f"http://127.0.0.1:{site}/")
    assert named.evaluate(FETCH, [stack.predictions_url, {}]) == [0, "TypeError", ""]  # off by default


@pytest.mark.server
def test_a_preflight_request_is_answered_on_a_kept_connection(open_to_pages, seven):
    headers = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    with requests.Session() as session:
        for _ in range(2):
            answer = session.options(open_to_pages.predictions_url, headers=headers, timeout=TIMEOUT_S)
            assert answer.headers["access-control-allow-origin"] == "https://shop.example"
            assert "POST" in answer.headers["access-control-allow-methods"]
            assert session.post(open_to_pages.predictions_url, data=seven, timeout=TIMEOUT_S).json()["label"] == "7"


@pytest.mark.parametrize("setting", ["*", "shop.example", "https://shop.example/", "https://a, https://b", ","])
def test_a_setting_that_is_no_list_of_origins_is_an_error_of_the_start(tmp_path, setting):
    variables = port_variables() | {"RUN_DIR": str(tmp_path / "run"), "CORS_ORIGINS": setting}
    done = run_stack("up", environment(**variables))
    assert done.returncode == 1
    assert "wanted origins such as https://shop.example, with commas between them" in done.stderr
