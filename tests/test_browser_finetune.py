"""Learning from corrections, in the browser."""

import os
from collections.abc import Callable, Iterator
from unittest import mock

import pytest
import requests
from playwright.sync_api import Page, TimeoutError, expect

from deploy.checksums import copy_archive
from deploy.local.settings import ROOT, read_settings
from examples.browser import draw
from examples.digits import DIGIT_STROKES
from tests.browsing import PATIENCE_MS, PHONE, SCREENSHOTS, scrolls_sideways
from tests.conftest import RunningStack, drawings, port_variables
from training.drawing_store import Store

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


TEACHING_MS = 120_000  # an epoch, and 10,000 characters read by both versions, on a busy machine


@pytest.fixture(scope="module")
def school(tmp_path_factory) -> Iterator[RunningStack]:
    """A stack of its own, since it gets new versions: with two recognisers, and drawings to teach with."""
    folder = tmp_path_factory.mktemp("school")
    (folder / "model_store").mkdir()
    for name in ("digits-1.0.mar", "lenet5-1.0.mar"):
        copy_archive(ROOT / "model_store" / name, folder / "model_store")
    variables = {"RUN_DIR": str(folder / "run"), "MODEL_STORE": str(folder / "model_store")}
    running = RunningStack(read_settings(port_variables() | variables))
    store = Store(f"sqlite:///{folder / 'run' / 'drawings.db'}")
    for path in drawings():
        for extra in (b"", b"0"):  # bytes after a PNG's end make it another file
            store.keep(path.read_bytes() + extra, path.name[0])
    store.engine.dispose()
    try:
        with mock.patch.dict(os.environ, TS_ENABLE_MODEL_API="true"):
            running.stack.up()
            yield running
    finally:
        running.stack.down()


@pytest.fixture
def teach(pages, school) -> Callable[..., Page]:
    """Open the Teach page of that stack, each time in a fresh browser context."""
    return lambda *arguments, **options: pages(f"{school.dashboard_url}/teach", *arguments, **options)


def answering(school: RunningStack, path: str = "lenet5") -> str | int:
    """The version that answers, or the status of a refusal."""
    answer = requests.post(f"{school.inference_url}/predictions/{path}", data=drawings()[0].read_bytes(), timeout=20)
    return answer.json()["version"] if answer.ok else answer.status_code


def choose(page: Page, name: str):
    """Choose a recogniser; a list that is opened while the page is still being laid out closes again."""
    box = page.get_by_role("combobox", name="Recogniser")
    for _ in range(10):
        if not page.get_by_role("option", name=name).count():
            box.click()
        try:
            page.get_by_role("option", name=name).click(timeout=3000)
            break
        except TimeoutError:
            continue
    expect(box).to_have_value(name)


def test_a_recogniser_is_taught_compared_promoted_and_rolled_back(mnist_train, school, teach):
    archive = school.settings.model_store / "lenet5-1.1.mar"
    page = teach()
    expect(page.get_by_role("button", name="Teach", exact=True)).to_be_enabled(timeout=PATIENCE_MS)
    choose(page, "lenet5")
    passes = page.get_by_role("spinbutton", name="Passes")
    passes.fill("1")
    passes.press("Enter")
    page.get_by_role("button", name="Teach", exact=True).dblclick()
    expect(page.get_by_role("button", name="Stop")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_role("progressbar")).to_be_visible()
    page.get_by_role("link", name="Models").click()  # it goes on meanwhile
    expect(page.get_by_text("lenet5 1.0").first).to_be_visible(timeout=PATIENCE_MS)
    page = teach()

    card = page.locator(".st-key-ink-lesson")
    expect(card.locator(".ink-name")).to_contain_text("lenet5 1.1", timeout=TEACHING_MS)
    expect(card.locator(".ink-mark")).to_have_text("not loaded")
    expect(card.get_by_role("row", name="MNIST test")).to_contain_text("9,954 of 10,000")
    expect(card.get_by_role("row", name="drawings kept aside")).to_contain_text("of 12")
    assert [path.name for path in (school.settings.run_dir / "taught").glob("*.safetensors")] == [
        "lenet5-1.1.safetensors"
    ]
    assert answering(school, "lenet5/1.1") == 404

    card.get_by_role("button", name="Load lenet5 1.1 beside 1.0").dblclick()
    expect(card.locator(".ink-mark")).to_have_text("loaded beside the old version", timeout=PATIENCE_MS)
    expect(card.get_by_text("lenet5 1.1 is loaded.")).to_be_visible(timeout=PATIENCE_MS)
    assert (answering(school), answering(school, "lenet5/1.1")) == ("1.0", "1.1")

    card.get_by_role("button", name="Compare on the kept drawings").click()
    expect(card.get_by_text("Of 60 kept drawings 1.0 reads")).to_be_visible(timeout=PATIENCE_MS)
    page.screenshot(path=SCREENSHOTS / "teach-compared.png", full_page=True)

    page = teach(PHONE, "dark")  # another visitor finds all of it
    card = page.locator(".st-key-ink-lesson")
    expect(card.get_by_text("Of 60 kept drawings 1.0 reads")).to_be_visible(timeout=PATIENCE_MS)
    assert not scrolls_sideways(page)
    card.get_by_role("button", name="Promote lenet5 1.1").dblclick()
    expect(card.locator(".ink-mark")).to_have_text("the default", timeout=PATIENCE_MS)
    card.scroll_into_view_if_needed()
    page.screenshot(path=SCREENSHOTS / "teach-phone-dark.png")
    assert answering(school) == "1.1"
    assert archive.exists()

    card.get_by_role("button", name="Roll back").click()
    page.get_by_role("button", name="Roll back to lenet5 1.0").click()
    expect(card.locator(".ink-mark")).to_have_text("not loaded", timeout=PATIENCE_MS)
    assert (answering(school), answering(school, "lenet5/1.1")) == ("1.0", 404)
    assert not archive.exists()
    expect(page.locator(".stException")).to_have_count(0)


def test_what_cannot_be_learned_from_is_told_in_words(school, teach):
    store = Store(f"sqlite:///{school.settings.run_dir / 'drawings.db'}")
    store.keep(b"no picture", "8")
    [kept] = store.latest(1)
    page = teach()
    page.get_by_role("button", name="Teach", exact=True).click()
    expect(page.get_by_text("No new version: the database, drawing 61: not a picture")).to_be_visible(
        timeout=TEACHING_MS
    )
    expect(page.get_by_role("button", name="Teach", exact=True)).to_be_enabled()
    store.delete(kept.id)
    store.engine.dispose()


def test_without_a_server_the_drawings_stay_and_the_rest_comes_back(school, teach):
    lesson = school.settings.run_dir / "taught"
    page = teach()
    expect(page.locator(".ink-name").first).to_have_text("60 drawings to teach with", timeout=PATIENCE_MS)
    school.stop_server()
    try:
        expect(page.locator(".ink-banner")).to_have_count(1, timeout=PATIENCE_MS)
        expect(page.locator(".ink-name").first).to_have_text("60 drawings to teach with")
        if list(lesson.glob("*.safetensors")):  # where there was the data to teach with
            expect(page.get_by_text("The server does not say what it has")).to_be_visible(timeout=PATIENCE_MS)
        expect(page.locator(".stException")).to_have_count(0)
        page.screenshot(path=SCREENSHOTS / "teach-down.png", full_page=True)
    finally:
        school.start_server()
    expect(page.locator(".ink-banner")).to_have_count(0, timeout=PATIENCE_MS)
    expect(page.get_by_text("The server does not say what it has")).to_have_count(0, timeout=PATIENCE_MS)
