"""The Models page in the browser."""

import re

import pytest
from playwright.sync_api import expect

from inkserve.management import Management
from tests.browsing import PATIENCE_MS, PHONE, SCREENSHOTS, scrolls_sideways

pytestmark = [pytest.mark.browser, pytest.mark.server]


def test_every_recogniser_is_shown_with_its_card(chromium):
    page = chromium("models")
    expect(page.locator(".ink-name")).to_have_text(
        [
            "characters 1.0",
            "characters-edge 1.0",
            "digits 1.0",
            "digits-tiny 1.0",
            "lenet5 1.0",
            "reader 1.0",
            "Load an archive of the model store",
            "Compare two recognisers",
        ],
        timeout=PATIENCE_MS,
    )
    expect(page.get_by_text("426,746 parameters")).to_contain_text("99.70 % on MNIST test (n = 10,000)")
    expect(page.get_by_text("1 of 1 worker ready")).to_have_count(5)
    expect(page.get_by_text("2 of 2 workers ready")).to_have_count(1)  # of digits
    page.screenshot(path=SCREENSHOTS / "models.png")


CHANGES = "Workers, default, unload"


def test_workers_are_added_and_taken_away(chromium):
    page = chromium("models")
    card = page.locator(".st-key-ink-model-digits-tiny-1-0")
    card.get_by_text(CHANGES).click()
    for count in (2, 1):
        number = card.get_by_role("spinbutton", name="Workers")
        number.fill(str(count))
        number.press("Enter")
        card.get_by_role("button", name=f"Set digits-tiny 1.0 to {count}").click()
        expect(card.get_by_text(f"digits-tiny 1.0 has {count} worker")).to_be_visible(timeout=PATIENCE_MS)
        expect(card.get_by_text(f"{count} of {count} worker")).to_be_visible(timeout=PATIENCE_MS)
        expect(number).to_be_visible()  # it stays open, for the next change


def test_workers_that_come_and_go_are_shown_without_a_click(chromium, stack):
    page = chromium("models")
    card = page.locator(".st-key-ink-model-lenet5-1-0")
    expect(card.get_by_text("1 of 1 worker ready")).to_be_visible()
    with Management(stack.management_url) as api:
        api.scale("lenet5", "1.0", 2)
        expect(card.get_by_text("2 of 2 workers ready")).to_be_visible()
        api.scale("lenet5", "1.0", 1)
        expect(card.get_by_text("1 of 1 worker ready")).to_be_visible()


def test_unloading_where_it_is_off_is_not_offered_and_the_reason_is_said(chromium):
    page = chromium("models")
    card = page.locator(".st-key-ink-model-lenet5-1-0")
    card.get_by_text(CHANGES).click()
    expect(card.get_by_role("button", name="Unload")).to_be_disabled()
    expect(card.get_by_text("TS_ENABLE_MODEL_API=true make up")).to_be_visible()
    expect(page.get_by_text("TS_ENABLE_MODEL_API=true make up").last).to_be_visible()


def test_two_recognisers_are_compared_on_a_phone(chromium):
    page = chromium("models", size=PHONE, color_scheme="dark")
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_text(re.compile(r"Both agree on \d+ of 30 pictures"))).to_be_visible(timeout=PATIENCE_MS)
    assert not scrolls_sideways(page)
