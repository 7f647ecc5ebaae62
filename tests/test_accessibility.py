"""What axe finds on each page: contrast of 4.5:1, names for screen readers, and the rest of WCAG 2 A and AA."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browsing import PATIENCE_MS, PHONE
from tests.test_browser_batch import cells, upload, zipped

pytestmark = [pytest.mark.browser, pytest.mark.server]

RULES = {
    "runOnly": ["wcag2a", "wcag2aa"],
    "rules": {"svg-img-alt": {"enabled": False}},  # Vega gives marks that have nothing to show a role, and no name
}
LOOKS = 10
SETTLED = {"": ".ink-note", "live": "text=Failed requests, by status", "models": ".ink-name", "finetune": ".ink-note"}


def check(page: Page) -> None:
    for _ in range(LOOKS):
        found = Axe().run(page, options=RULES).response["violations"]
        if not found:
            return
        page.wait_for_timeout(1000)  # Streamlit fades what a run of the page has not reached yet
    lines = [f"{each['id']}: {node['html'][:200]} {node['failureSummary']}" for each in found for node in each["nodes"]]
    pytest.fail("\n".join(lines))


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
@pytest.mark.parametrize("path", SETTLED)
def test_a_page_can_be_read_by_everybody(chromium, path, color_scheme):
    page = chromium(path, color_scheme=color_scheme)
    expect(page.locator(SETTLED[path]).first).to_be_visible(timeout=PATIENCE_MS)
    check(page)


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_an_answer_can_be_read_by_everybody(chromium, color_scheme):
    page = chromium(color_scheme=color_scheme, size=PHONE)
    page.get_by_text("Examples", exact=True).click()
    page.get_by_role("button", name="7", exact=True).click()
    expect(page.locator(".ink-label")).to_have_text("7", timeout=PATIENCE_MS)
    check(page)
    for name in ("Keep for fine-tuning", "Options"):
        page.get_by_role("button", name=name).click()
        expect(page.get_by_test_id("stPopoverBody")).to_be_visible()
        check(page)
        page.keyboard.press("Escape")
        expect(page.get_by_test_id("stPopoverBody")).to_have_count(0)


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_a_batch_can_be_read_by_everybody(chromium, color_scheme):
    page = chromium("batch", color_scheme=color_scheme)
    check(page)
    upload(page, zipped())
    cells(page)
    expect(page.get_by_text("Accuracy 100.0 %")).to_be_visible(timeout=PATIENCE_MS)
    check(page)
