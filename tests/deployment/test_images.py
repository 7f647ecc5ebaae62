"""The images of the archives, the function and the Space, run as their pages say."""

import time
from contextlib import closing, suppress

import pytest
import requests
from playwright.sync_api import expect

from deploy.local.settings import ROOT
from examples.browser import draw
from examples.digit_strokes import DIGIT_STROKES
from tests.browsing import DESKTOP, PATIENCE_MS, PHONE, SCREENSHOTS, scrolls_sideways
from tests.conftest import drawings
from tests.deployment.engine import HARDENED, PATIENCE_S, inspect, needs, own_ports, run, running
from tests.deployment.lambda_emulator import Emulator, Function, variables
from tests.waiting import eventually

pytestmark = pytest.mark.deployment

MODELS, FUNCTION, SPACE = (f"localhost/inkserve-{name}" for name in ("models", "function", "space"))


@needs(MODELS, "make image")
def test_the_archives_are_in_their_image_with_their_checksums():
    done = run("run", "--rm", "--network", "none", *HARDENED, MODELS)
    archives = {path.name for path in (ROOT / "model_store").glob("*-1.0.mar")}
    assert len(archives) == 6
    assert archives | {f"{each}.sha256" for each in archives} <= set(done.stdout.split()), done.stderr


@needs(FUNCTION, "docker build --file deploy/lambda/Dockerfile --tag localhost/inkserve-function .")
@pytest.mark.server
def test_the_functions_image_answers_as_the_server_does(stack, capsys):
    emulator = Emulator()
    began = time.perf_counter()
    options = ["--memory", "1769m", *HARDENED, "--tmpfs", "/tmp"]  # noqa: S108
    with closing(emulator), running(FUNCTION, *options, **variables(emulator)) as number:
        function = Function(emulator)
        for path in drawings():
            picture = path.read_bytes()
            status, answer = function.ask(picture, timeout_s=PATIENCE_S)
            if path == drawings()[0]:
                cold_s = time.perf_counter() - began
            server = requests.post(stack.predictions_url, data=picture, timeout=30)
            assert (status, answer) == (server.status_code, server.json())
        assert run("exec", number, "id", "-u").stdout == "1000\n"
    with capsys.disabled():
        print(f"\nfunction's image: cold {cold_s:.1f} s, {inspect(FUNCTION)['Size'] / 1e6:,.0f} MB")


@pytest.fixture(scope="module")
def space():
    """The address of the Space's page. It answers to localhost and to the name that Hugging Face gives it."""
    ports = own_ports()
    url = f"http://127.0.0.1:{ports['DASHBOARD_PORT']}"
    options = ["--user", "1000:1000", "--memory", "6g"]
    with running(SPACE, *options, SPACE_HOST="me-inkserve.hf.space", **ports):
        eventually(lambda: answers(f"{url}/_stcore/health"), "the page", PATIENCE_S)
        yield url


def answers(url: str) -> bool:
    with suppress(requests.ConnectionError):
        return requests.get(url, timeout=20).ok
    return False


@needs(SPACE, "docker build --tag localhost/inkserve-space . in the assembled repository")
@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_spaces_image_reads_a_drawing(space, pages, size):
    page = pages(space, size=size)
    draw(page, DIGIT_STROKES["7"][0])
    expect(page.locator(".ink-label")).to_have_text("7", timeout=PATIENCE_MS * 5)
    assert not scrolls_sideways(page)
    page.screenshot(path=SCREENSHOTS / f"space-{size['width']}.png")
