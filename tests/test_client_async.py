"""AsyncRecogniser: the answers and errors of Recogniser, at most so many requests at once."""

import asyncio
import threading
import time

import pytest

from deploy.local.settings import ROOT
from inkserve import AsyncRecogniser, Document, Recogniser, RecogniserError, Token, UnusablePicture
from tests.answering import (
    BREAK,
    QUEUE_FULL,
    SEVEN,
    SILENCE,
    WORKER_DIED,
    answering,
    closed_port,
    error,
    in_turn,
    run_apart,
)
from tests.conftest import drawings
from tests.phone_pictures import blank, of_pages, seven

FAST = {"timeout_s": (1.0, 1.0), "tries": 3}


def outcome(call) -> tuple:
    """What a call returns or raises, without its round trip."""
    try:
        return call().label, ""
    except RecogniserError as err:
        return type(err).__name__, err.type, err.message


def both(url: str, picture=b"x", **options) -> tuple[tuple, tuple]:
    """What the two clients say of a picture."""

    async def ask():
        async with AsyncRecogniser("digits", url, **options) as client:
            return await client.predict(picture)

    with Recogniser("digits", url, **options) as client:
        return outcome(lambda: client.predict(picture)), outcome(lambda: run_apart(ask()))


@pytest.mark.parametrize(
    "replies",
    [
        [(200, SEVEN)],
        [QUEUE_FULL, (200, SEVEN)],
        [WORKER_DIED, (200, SEVEN)],
        [WORKER_DIED, WORKER_DIED, WORKER_DIED],
        [BREAK, (200, SEVEN)],
        [error(400, "InvalidImage", "blank")],
        [error(404, "ModelNotFoundException")],
        [error(500)],
        [QUEUE_FULL],
        [(200, {"no": "prediction"})],
        [(200, b"no JSON")],
        [(200, {"predictions": []})],
        [(302, {})],
        [SILENCE],
    ],
    ids=str,
)
def test_both_clients_say_the_same(replies):
    said = []
    for client in (0, 1):
        with answering(in_turn(*replies)) as server:
            said.append((both_one(server.url, client), len(server.bodies)))
    assert said[0] == said[1]


def both_one(url: str, which: int) -> tuple:
    async def ask():
        async with AsyncRecogniser("digits", url, **FAST) as client:
            return await client.predict(b"x")

    if which:
        return outcome(lambda: run_apart(ask()))
    with Recogniser("digits", url, **FAST) as client:
        return outcome(lambda: client.predict(b"x"))


@pytest.mark.parametrize("url", ["http://inkserve.invalid", "ftp://127.0.0.1", "http://[", "a closed port"])
def test_both_clients_name_what_is_wrong_with_an_address(url):
    url = closed_port() if url == "a closed port" else url
    sync, asynchronous = both(url, **FAST)
    assert sync == asynchronous


def test_nothing_is_sent_that_is_no_picture(tmp_path):
    sync, asynchronous = both(closed_port(), tmp_path / "missing.png")
    assert sync == asynchronous
    assert sync[0] == UnusablePicture.__name__


def test_headers_are_those_of_the_other_client():
    with answering((200, SEVEN)) as server:
        both(server.url, top_k=5, timing=True)
    ours, theirs = ({name.lower(): value for name, value in each.items()} for each in server.headers)
    for name in ("x-top-k", "x-timing", "content-type"):
        assert ours[name] == theirs[name]


def test_many_pictures_come_in_order_and_at_most_so_many_at_once():
    lock, now, most = threading.Lock(), [0], [0]

    def slow(body: bytes):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.02 * (body[0] % 3))
        with lock:
            now[0] -= 1
        return (200, SEVEN | {"label": str(body[0])}) if body[0] != 7 else error(400, "InvalidImage", "blank")

    async def ask(url: str):
        async with AsyncRecogniser("digits", url, concurrency=3) as client:
            return [each async for each in client.predict_many(bytes([i]) for i in range(20))]

    with answering(slow) as server:
        results = run_apart(ask(server.url))
    assert [getattr(each, "label", each) for each in results[:7]] == [str(i) for i in range(7)]
    assert (results[7].type, results[19].label) == ("InvalidImage", "19")
    assert 1 < most[0] <= 3


def test_an_iteration_that_ends_early_cancels_what_is_on_its_way():
    async def ask(url: str):
        async with AsyncRecogniser("digits", url, concurrency=2) as client:
            results = client.predict_many(bytes([i]) for i in range(1000))
            await anext(results)
            await results.aclose()
            return len(asyncio.all_tasks())

    with answering((200, SEVEN)) as server:
        assert run_apart(ask(server.url)) == 1
    assert len(server.bodies) < 10


def test_an_asynchronous_iterable_is_taken_too():
    async def pictures():
        for i in range(3):
            yield bytes([i])

    async def ask(url: str):
        async with AsyncRecogniser("digits", url) as client:
            return [each.label async for each in client.predict_many(pictures())]

    with answering((200, SEVEN)) as server:
        assert run_apart(ask(server.url)) == ["7"] * 3


class Renewed(Token):
    def refresh(self, refused: str) -> str:
        return "new" if refused == "old" else ""


def test_a_refused_token_is_renewed_once():
    async def ask(url: str):
        async with AsyncRecogniser("digits", url, auth=Renewed("old")) as client:
            return (await client.predict(b"x")).label

    with answering(in_turn(error(400, "InvalidKeyException"), (200, SEVEN))) as server:
        assert run_apart(ask(server.url)) == "7"
    sent = [{name.lower(): value for name, value in each.items()}["authorization"] for each in server.headers]
    assert sent == ["Bearer old", "Bearer new"]


def test_a_concurrency_below_1_is_refused():
    with pytest.raises(ValueError, match="concurrency is 0"):
        AsyncRecogniser("digits", concurrency=0)


@pytest.mark.server
def test_the_real_server_gives_both_clients_the_same_answers(stack):
    async def ask():
        async with AsyncRecogniser("digits", stack.inference_url) as client:
            assert await client.is_ready()
            explained = await client.explain(drawings()[0])
            return [each async for each in client.predict_many([*drawings(), b"no picture"])], explained

    results, explained = run_apart(ask())
    with Recogniser("digits", stack.inference_url) as client:
        wanted = list(client.predict_many([*drawings(), b"no picture"]))
        assert explained.label == client.explain(drawings()[0]).label
    assert [each.label for each in results[:-1]] == [each.label for each in wanted[:-1]]
    assert (results[-1].type, results[-1].message) == (wanted[-1].type, wanted[-1].message)


@pytest.mark.server
def test_the_real_server_reads_every_page_for_it(stack):
    page = (ROOT / "examples" / "pages" / "pi.png").read_bytes()
    document = of_pages("PDF", [seven(), blank(), seven()])

    async def ask():
        async with AsyncRecogniser("reader", stack.inference_url) as client:
            text = (await client.read_page(page)).text
            return text, await client.read_pages(document), [each async for each in client.predict_many([document])]

    text, pages, [result] = run_apart(ask())
    assert text == "314 159\n26 535\n897 93"
    assert [isinstance(each, RecogniserError) for each in pages] == [False, True, False]
    assert isinstance(result, Document)
