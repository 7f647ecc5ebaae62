"""The dashboard as a person uses it: Chromium, the real dashboard and the real TorchServe behind it."""

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from examples.browser import canvas, draw
from examples.digit_strokes import DIGIT_STROKES
from tests.browsing import PATIENCE_MS, PHONE, SCREENSHOTS, scrolls_sideways

pytestmark = [pytest.mark.browser, pytest.mark.server]

SEVEN = DIGIT_STROKES["7"][0]  # one stroke, so its first prediction is its last


def expect_label(page: Page, label: str, timeout_ms: int = PATIENCE_MS) -> None:
    """Wait until the page's top answer is the label."""
    expect(page.locator(".ink-label")).to_have_text(label, timeout=timeout_ms)


def test_a_seven_drawn_with_the_mouse_is_read_as_seven(chromium):
    page = chromium()
    draw(page, SEVEN)
    expect_label(page, "7")
    page.screenshot(path=SCREENSHOTS / "draw-seven.png")


def test_a_phone_shows_the_whole_canvas_and_never_scrolls_sideways(chromium):
    page = chromium(size=PHONE)
    draw(page, SEVEN)
    expect_label(page, "7")
    page.screenshot(path=SCREENSHOTS / "draw-seven-phone.png", full_page=True)
    box = canvas(page).bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= PHONE["width"]
    assert not scrolls_sideways(page)


def test_a_cleared_canvas_asks_for_a_digit_again(chromium):
    page = chromium()
    draw(page, SEVEN)
    expect_label(page, "7")
    page.get_by_role("button", name="Clear").click()
    expect(page.locator(".ink-note")).to_contain_text("Draw on the canvas", timeout=PATIENCE_MS)


def test_a_speck_is_refused_with_its_reason(chromium):
    page = chromium()
    page.get_by_role("button", name="Options").click()
    page.get_by_role("slider", name="Pen width").press("Home")
    page.keyboard.press("Escape")
    draw(page, [[(0.5, 0.5), (0.502, 0.5)]])
    expect(page.locator(".ink-refusal")).to_contain_text(re.compile("speck", re.IGNORECASE), timeout=PATIENCE_MS)


def test_no_request_leaves_the_machine(chromium):
    requests: list[str] = []
    page = chromium(requests=requests)
    draw(page, SEVEN)
    expect_label(page, "7")
    page.get_by_role("link", name="Batch").click()
    expect(page.locator("input[type=file]")).to_be_attached()
    hosts = {urlsplit(url).hostname for url in requests if url.startswith(("http", "ws"))}
    assert hosts == {"127.0.0.1"}
