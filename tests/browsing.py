"""Fixtures of the tests that look at the dashboard in Chromium; conftest.py hands them on."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from deploy.local.settings import ROOT
from examples.browser import launch
from inkserve.client import Recogniser

SCREENSHOTS = ROOT / "runs" / "screenshots"
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
PATIENCE_MS = 60_000  # how long a page takes is measured by `make budgets`: here nothing fails on a time
expect.set_options(timeout=PATIENCE_MS)
OPENED = pytest.StashKey[list[Page]]()  # pages of a test


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start one Chromium for all tests."""
    with sync_playwright() as playwright:
        chromium = launch(playwright)
        yield chromium
        chromium.close()


@pytest.fixture
def pages(browser, request) -> Iterator[Callable[..., Page]]:
    """Open addresses, each in a fresh browser context; conftest.py reports what they show when a test fails."""
    opened = request.node.stash.setdefault(OPENED, [])

    def open_page(
        url: str, size: dict[str, int] = DESKTOP, color_scheme: str = "light", requests: list[str] | None = None
    ) -> Page:
        page = browser.new_context(viewport=size, color_scheme=color_scheme).new_page()
        opened.append(page)
        page.set_default_timeout(PATIENCE_MS)
        if requests is not None:
            page.on("request", lambda request: requests.append(request.url))
        page.goto(url)
        return page

    yield open_page
    for page in opened:
        page.context.close()


@pytest.fixture
def chromium(pages, stack) -> Callable[..., Page]:
    """Open pages of the dashboard, each in a fresh browser context."""
    return lambda path="", *arguments, **options: pages(f"{stack.dashboard_url}/{path}", *arguments, **options)


def shown(page: Page) -> str:
    """What a page shows, as a screen reader is told of it; after a test has failed, so nothing here may fail."""
    try:
        return f"{page.url}\n{page.locator('body').aria_snapshot(timeout=5000)}"
    except Exception as err:  # in a report, it would end all tests
        return f"{page.url} cannot be looked at: {err}"


@pytest.fixture
def back_afterwards(stack) -> Iterator[None]:
    """Leave the server running, whatever a test did to it."""
    yield
    with Recogniser("digits", stack.inference_url, timeout_s=(0.5, 2.0), tries=1) as digits:
        ready = digits.is_ready()
    if not ready:
        stack.start_server()


def scrolls_sideways(page: Page) -> bool:
    """Tell whether a page is wider than its window."""
    return page.evaluate("document.documentElement.scrollWidth > innerWidth")


def wait_until_run(page: Page) -> None:
    """Wait until the page has run after a click, as a person does who looks before going on."""
    page.wait_for_timeout(500)  # for it to begin
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning", timeout=PATIENCE_MS)
