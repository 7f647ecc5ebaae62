"""Fixtures of the tests that look at the dashboard in Chromium; conftest.py hands them on."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from deploy.local.settings import ROOT
from examples.browser import launch
from handwriting.client import Recogniser

SCREENSHOTS = ROOT / "runs" / "screenshots"
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
PATIENCE_MS = 60_000  # how long a page takes is measured by `make budgets`: here nothing fails on a time
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start one Chromium for all tests."""
    with sync_playwright() as playwright:
        chromium = launch(playwright)
        yield chromium
        chromium.close()


@pytest.fixture
def chromium(browser, stack) -> Iterator[Callable[..., Page]]:
    """Open pages of the dashboard, each in a fresh browser context."""
    contexts = []

    def open_page(
        path: str = "",
        size: dict[str, int] = DESKTOP,
        requests: list[str] | None = None,
        color_scheme: str = "light",
    ) -> Page:
        context = browser.new_context(viewport=size, color_scheme=color_scheme)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        if requests is not None:
            page.on("request", lambda request: requests.append(request.url))
        page.goto(f"{stack.dashboard_url}/{path}")
        return page

    yield open_page
    for context in contexts:
        context.close()


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
