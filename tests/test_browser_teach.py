"""Learning from corrections, in the browser."""

import pytest
from playwright.sync_api import expect

from examples.browser import draw
from examples.digits import DIGIT_STROKES
from tests.browsing import PATIENCE_MS, PHONE, SCREENSHOTS, scrolls_sideways

pytestmark = [pytest.mark.browser, pytest.mark.server]


def test_a_drawing_is_kept_with_its_right_label_and_deleted(chromium):
    page = chromium("teach")
    expect(page.locator(".ink-note")).to_contain_text("No drawings are kept yet", timeout=PATIENCE_MS)
    page.get_by_role("link", name="Draw").click()
    draw(page, DIGIT_STROKES["7"][0])
    expect(page.locator(".ink-label")).to_have_text("7", timeout=PATIENCE_MS)
    page.get_by_role("button", name="Keep it, to teach with").click()
    page.get_by_role("combobox").last.click()
    page.get_by_role("option", name="1", exact=True).click()
    page.get_by_role("button", name="Keep", exact=False).last.click()
    expect(page.get_by_text("Kept as 1.")).to_be_visible(timeout=PATIENCE_MS)
    page.keyboard.press("Escape")

    page.get_by_role("link", name="Teach").click()
    expect(page.locator(".ink-name").first).to_have_text("1 drawing to teach with", timeout=PATIENCE_MS)
    expect(page.get_by_alt_text("A 1, read as 7")).to_have_count(1)
    expect(page.get_by_text("1: 1")).to_be_visible()
    page.screenshot(path=SCREENSHOTS / "teach.png")
    page.set_viewport_size(PHONE)
    assert not scrolls_sideways(page)
    page.locator(".st-key-ink-kept").get_by_role("button", name="1").click()
    expect(page.locator(".ink-note")).to_contain_text("No drawings are kept yet", timeout=PATIENCE_MS)
