"""What a person chooses holds at once, twice in a row, on every page and at both sizes."""

from collections.abc import Sequence
from functools import partial

import pytest
from playwright.sync_api import Locator, Page, expect

from deploy.local.settings import ROOT
from tests.browsing import DESKTOP, PATIENCE_MS, PHONE
from tests.test_browser_batch import expect_outcome, upload
from tests.test_browser_live import card
from tests.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.server, pytest.mark.parametrize("size", [DESKTOP, PHONE])]

EXAMPLES = ROOT / "examples" / "digits"


def choose_each(page: Page, box: str, options: Sequence[str]) -> None:
    """Choose one option after the other, and see each in the box."""
    for option in options:
        place = page.get_by_role("combobox", name=box, exact=True)
        wanted = page.get_by_role("option", name=option, exact=True)
        eventually(partial(is_open, place, wanted), f"the list of {box}")
        wanted.click()
        expect(place).to_have_value(option, timeout=PATIENCE_MS)


def is_open(place: Locator, option: Locator) -> bool:
    """Open a list unless it is; one that is opened while the page is run for the first time closes again."""
    if not option.is_visible():
        place.click()
        option.page.wait_for_timeout(1000)
    return option.is_visible()


def press_each(page: Page, options: Sequence[str]) -> None:
    """Press one segment after the other, and see that it stays pressed."""
    for option in options:
        page.get_by_role("radio", name=option, exact=True).click()
        expect(page.get_by_role("radio", name=option, exact=True)).to_have_attribute("aria-checked", "true")


def test_on_batch(chromium, size):
    page = chromium("batch", size)
    press_each(page, ("Folder", "Files or ZIP", "Folder", "Files or ZIP"))
    page.wait_for_timeout(1000)  # what an earlier press shows may still come
    expect(page.locator("input[type=file]:not([webkitdirectory])")).to_be_attached(timeout=PATIENCE_MS)
    upload(page, EXAMPLES / "3-1.png", EXAMPLES / "7-1.png")
    expect_outcome(page, "2 of 2 pictures read")
    for recogniser in ("lenet5 1.0", "digits-tiny 1.0", "lenet5 1.0"):
        choose_each(page, "Recogniser", [recogniser])
        expect(page.get_by_role("button", name=f"Read again with {recogniser}")).to_be_visible(timeout=PATIENCE_MS)
    choose_each(page, "Order", ("Lowest confidence first", "Highest confidence first", "As uploaded"))
    slider = page.get_by_role("slider", name="Unsure below")
    for threshold in ("0.65", "0.70", "0.75"):
        slider.press("ArrowRight")
        expect(page.get_by_test_id("stSlider").get_by_text(threshold)).to_be_visible()


def test_on_live(chromium, size):
    page = chromium("live", size)
    expect(card(page, "Requests/s")).to_be_visible(timeout=PATIENCE_MS)
    press_each(page, ("5 min", "15 min", "1 min", "5 min"))
    choose_each(page, "Recogniser", ("reader", "lenet5", "reader"))
    press_each(page, ("Ramping users", "Constant rate", "Ramping users"))


def test_on_models(chromium, size):
    page = chromium("models", size)
    choose_each(page, "First", ("lenet5 1.0", "characters 1.0", "lenet5 1.0"))
    choose_each(page, "Second", ("characters 1.0", "digits-tiny 1.0"))
    expect(page.get_by_text("What differs in their cards")).to_be_visible(timeout=PATIENCE_MS)
