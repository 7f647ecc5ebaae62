"""All pages in Chromium while the server stops and starts again."""

import time

import pytest
from playwright.sync_api import Page, expect

from examples.browser import canvas, draw, picture_of_canvas
from examples.digit_strokes import DIGIT_STROKES
from inkserve.readiness import read_readiness
from tests.browsing import PATIENCE_MS, SCREENSHOTS
from tests.conftest import drawings
from tests.finetuned_version import finetuned_version
from tests.test_browser_batch import CANCEL, LONG_MS, expect_outcome, upload, zipped
from tests.test_browser_live import card
from tests.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.server]

SEVEN_WITH_BAR = DIGIT_STROKES["7"][1]
OTHERS = ("batch", "batch that waits", "live", "models", "finetune")


@pytest.mark.usefixtures("back_afterwards")
def test_every_page_says_that_the_server_is_down_and_recovers(chromium, stack):
    finetuned_version(stack.settings.run_dir / "finetuned")
    drawn = chromium()
    draw(drawn, SEVEN_WITH_BAR[:1])
    expect(drawn.locator(".ink-label")).to_be_visible()
    place = canvas(drawn).bounding_box()
    pages = {"draw": drawn} | {name: chromium(name.partition(" ")[0]) for name in OTHERS}
    batch, waiting, live, models, finetune = (pages[name] for name in OTHERS)
    expect(waiting.locator(".ink-note")).to_contain_text("Choose pictures")
    expect(card(live, "Requests/s")).to_be_visible()
    expect(models.locator(".ink-name", has_text="digits 1.0")).to_be_visible()
    expect(finetune.get_by_role("button", name="Load digits-tiny 1.1 beside 1.0")).to_be_visible()
    upload(batch, zipped(times=60))
    expect(batch.locator(CANCEL)).to_be_visible()

    stack.stop_server()
    for page in pages.values():
        expect(page.locator(".ink-banner")).to_have_count(1)
    drawn.bring_to_front()
    # A banner that moved it would spoil a stroke in progress. Streamlit may take parts of a page away for a moment
    # while it runs the page again on a busy machine, so this waits.
    eventually(lambda: canvas(drawn).bounding_box() == place, f"the canvas at {place}", PATIENCE_MS / 1000)
    draw(drawn, SEVEN_WITH_BAR[1:])
    expect(drawn.locator(".ink-note")).to_contain_text("Waiting for the server")
    picture = picture_of_canvas(drawn)
    expect_outcome(batch, "could not be read", timeout_ms=LONG_MS)
    upload(waiting, *drawings()[:2])
    expect(waiting.locator(".ink-note")).to_contain_text("Waiting for the server")
    expect(live.get_by_text("The server is down.")).to_be_visible()
    expect(live.get_by_role("button", name="Send")).to_be_disabled()
    expect(card(live, "Workers up")).to_contain_text("unknown")
    expect(models.locator(".ink-note")).to_contain_text("cannot be listed")
    expect(finetune.get_by_text("The server does not list its versions")).to_be_visible()
    look_at(pages, "down")

    stack.start_server()
    wait_until_ready(stack.inference_url)
    for page in pages.values():
        expect(page.locator(".ink-banner")).to_have_count(0)
    expect(drawn.locator(".ink-label")).to_have_text("7")
    assert picture_of_canvas(drawn) == picture
    expect_outcome(waiting, "2 of 2 pictures read")
    batch.get_by_role("button", name="without an answer").click()
    expect_outcome(batch, "1,800 of 1,800 pictures read", timeout_ms=LONG_MS)
    expect(batch.get_by_role("button", name="without an answer")).to_have_count(0)
    expect(live.get_by_text("The server is up.")).to_be_visible()
    expect(live.get_by_role("button", name="Send")).to_be_enabled()
    live.get_by_text("15 min", exact=True).click()  # the outage is in this window on any machine
    expect(live.get_by_role("radio", name="15 min")).to_have_attribute("aria-checked", "true")
    live.get_by_text("Numbers", exact=True).click()
    for event in ("server down", "server up"):
        expect(live.get_by_role("region", name="Events")).to_contain_text(event)
    expect(models.get_by_text("426,746 parameters")).to_be_visible()
    expect(finetune.get_by_role("button", name="Load digits-tiny 1.1 beside 1.0")).to_be_visible()
    look_at(pages, "recovered")
    for path in (stack.settings.run_dir / "finetuned").iterdir():
        path.unlink()


def look_at(pages: dict[str, Page], state: str) -> None:
    """Check that no page shows an exception, and take a picture of each."""
    for name, page in pages.items():
        expect(page.locator(".stException")).to_have_count(0)
        page.screenshot(path=SCREENSHOTS / f"{name}-{state}.png")


def wait_until_ready(url: str) -> None:
    """Wait until a real prediction is answered."""
    give_up = time.monotonic() + PATIENCE_MS / 1000
    while read_readiness(url).fault("digits"):
        assert time.monotonic() < give_up
        time.sleep(0.05)
