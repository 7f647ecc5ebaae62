"""The Live page in Chromium, with the real dashboard and the real TorchServe behind it."""

import csv
import re
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browsing import DESKTOP, PATIENCE_MS, PHONE, SCREENSHOTS, scrolls_sideways, wait_until_run
from tests.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.server]

STATE = re.compile("The server is (up|down). Sampled for")


@pytest.fixture
def live(chromium) -> Callable[..., Page]:
    """Open the page, and wait for its figures."""

    def open_page(size: dict[str, int] = DESKTOP, scheme: str = "light", requests: list[str] | None = None) -> Page:
        page = chromium("live", size, scheme, requests)
        expect(card(page, "Requests/s")).to_be_visible(timeout=PATIENCE_MS)
        return page

    return open_page


def card(page: Page, name: str) -> Locator:
    return page.locator(".live-card").filter(has=page.get_by_text(name, exact=True))


def start(page: Page, rate: int, seconds: int) -> str:
    """Start a load, and return how its line on the page begins."""
    for label, value in (("Requests/s", rate), ("Seconds", seconds)):
        field = page.get_by_role("spinbutton", name=label)
        field.fill(str(value))
        field.press("Enter")
    page.wait_for_timeout(500)  # for Streamlit to take the numbers
    page.get_by_role("button", name="Send").click()
    return f"{rate} requests/s to digits for {seconds} s:"


def send(page: Page, rate: int, seconds: int) -> None:
    """Send a load, and wait until it is done."""
    load = start(page, rate, seconds)
    expect(page.get_by_text(f"{load} done.")).to_be_visible(timeout=PATIENCE_MS)


def whole(page: Page, name: str) -> None:
    """Take a picture of all of the page, which scrolls inside the window."""
    width = page.viewport_size["width"]
    height = page.evaluate("document.querySelector('.stMain').scrollHeight")
    page.set_viewport_size({"width": width, "height": height})
    page.wait_for_timeout(1500)
    page.screenshot(path=SCREENSHOTS / f"{name}.png")


def test_a_small_load_shows_in_the_figures_with_their_counts(live):
    page = live()
    send(page, rate=20, seconds=8)
    answered = page.locator(".live-card").filter(has_text="Answered")
    expect(answered).to_contain_text(re.compile(r"1\d\d"))  # of 160; a busy machine sends fewer
    expect(card(page, "Requests/s")).to_contain_text(re.compile(r"([1-9]\d\d|\d{4,}) in "))
    expect(card(page, "Latency p95")).to_contain_text(re.compile(r"of \d+ requests"))
    expect(card(page, "Workers up")).to_contain_text("7 of 7")
    expect(page.locator("[data-testid=stVegaLiteChart] svg").first).to_be_visible()
    expect(page.locator(".stException")).to_have_count(0)
    whole(page, "live")


def test_a_load_can_be_stopped(live):
    page = live()
    load = start(page, rate=11, seconds=60)
    expect(page.get_by_text(f"{load} running.")).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text(f"{load} stopped.")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_role("button", name="Send")).to_be_enabled()


@pytest.mark.parametrize(("size", "seconds"), [(DESKTOP, 3), (PHONE, 4)], ids=["desktop", "phone"])
def test_users_come_one_after_the_other_and_leave_a_report(live, size, seconds):
    page = live(size)  # which shows the last load, of the other size: the same seconds would look as if it had ended
    page.get_by_text("Ramping users", exact=True).click()
    wait_until_run(page)
    for label, value in (("Users", 3), ("Seconds", seconds)):
        field = page.get_by_role("spinbutton", name=label)
        field.fill(str(value))
        field.press("Enter")
    page.wait_for_timeout(500)  # for Streamlit to take the numbers
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text(f"3 users to digits for {seconds} s: done.")).to_be_visible(timeout=PATIENCE_MS)
    with page.expect_download() as download:
        page.get_by_role("button", name="Report as CSV").click()
    rows = list(csv.DictReader(download.value.path().read_text().splitlines()))
    assert download.value.suggested_filename == f"load-3-users-to-digits-for-{seconds}-s.csv"
    assert [row["second"] for row in rows[-1:]] == ["all"]
    answered = int(rows[-1]["answered"])
    assert answered == sum(int(row["answered"]) for row in rows[:-1]) > 0
    page.get_by_text("15 min", exact=True).click()  # on a slow machine, the load has left the last minute
    card_of_all = page.locator(".live-card").filter(has_text="Answered")
    eventually(lambda: int(re.search(r"[\d,]+", card_of_all.inner_text())[0].replace(",", "")) >= answered, "the load")
    assert not scrolls_sideways(page)


def test_the_figures_survive_a_reload_and_refresh_by_themselves(live):
    page = live()
    send(page, rate=5, seconds=1)
    expect(card(page, "Requests/s")).not_to_contain_text(re.compile(r" [0-4] in "))
    page.reload()
    state = page.get_by_text(STATE)
    expect(state).to_be_visible(timeout=PATIENCE_MS)
    before = state.inner_text()
    assert int(re.search(r"(\d+) s, last", before)[1]) > 2 or "min" in before  # it did not begin anew
    expect(state).not_to_have_text(before)


def test_the_refresh_can_be_turned_off_with_the_keyboard(live):
    page = live()
    page.get_by_role("radio", name="off").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("radio", name="off")).to_have_attribute("aria-checked", "true")
    state = page.get_by_text(STATE)

    def is_still() -> bool:
        before = state.inner_text()
        page.wait_for_timeout(2500)
        return state.inner_text() == before

    eventually(is_still, "what is on its way")
    assert is_still()


def test_the_numbers_stay_open_while_the_figures_refresh(live):
    page = live()
    page.get_by_text("Numbers", exact=True).click()
    table = page.get_by_role("table").first
    expect(table).to_be_visible()
    state = page.get_by_text(STATE)
    for window in ("5 min", "15 min", "1 min"):
        before = state.inner_text()
        page.get_by_role("radio", name=window, exact=True).click()
        expect(state).not_to_have_text(before)
        expect(table).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_it_all_without_scrolling_sideways(live, scheme):
    page = live(PHONE, scheme)
    page.get_by_text("Numbers", exact=True).click()
    expect(page.get_by_role("table").first).to_be_visible()
    assert not scrolls_sideways(page)
    assert page.evaluate("(main => main.scrollWidth <= main.clientWidth)(document.querySelector('.stMain'))")
    whole(page, f"live-phone-{scheme}")


def test_the_dark_theme_has_its_own_colours(live):
    page = live(scheme="dark")
    send(page, rate=20, seconds=10)
    line = "[data-testid=stVegaLiteChart] svg .mark-line path"
    expect(page.locator(line).first).to_have_css("stroke", "rgb(157, 180, 255)", timeout=PATIENCE_MS)
    whole(page, "live-dark")


def test_no_request_leaves_the_machine(live):
    requests: list[str] = []
    page = live(requests=requests)
    send(page, rate=6, seconds=1)
    hosts = {urlsplit(url).hostname for url in requests if url.startswith(("http", "ws"))}
    assert hosts == {"127.0.0.1"}
