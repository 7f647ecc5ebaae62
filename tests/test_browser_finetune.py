"""Fine-tuning from kept drawings, in the browser."""

import os
from collections.abc import Callable, Iterator
from unittest import mock

import pytest
import requests
from playwright.sync_api import Page, TimeoutError, expect

from deploy.checksums import copy_archive
from deploy.local.settings import ROOT, read_settings
from examples.browser import draw
from examples.digit_strokes import DIGIT_STROKES
from tests.browsing import PATIENCE_MS, PHONE, SCREENSHOTS, scrolls_sideways
from tests.conftest import RunningStack, drawings, port_variables
from training.drawing_store import Store

pytestmark = [pytest.mark.browser, pytest.mark.server]


def test_a_drawing_is_kept_with_its_right_label_and_deleted(chromium):
    page = chromium("finetune")
    expect(page.get_by_text("Keep at least 5 drawings each of 2 labels")).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_role("link", name="Draw").click()
    draw(page, DIGIT_STROKES["7"][0])
    expect(page.locator(".ink-label")).to_have_text("7", timeout=PATIENCE_MS)
    page.keyboard.press("3")  # keeps nothing before it is asked for
    page.get_by_role("button", name="Keep for fine-tuning").click()
    page.locator(".st-key-ink-keep").get_by_role("button", name="0", exact=True).click()
    expect(page.get_by_text("Kept as 0.")).to_be_visible(timeout=PATIENCE_MS)
    page.keyboard.press("1")
    expect(page.get_by_text("Already kept; its label is now 1.")).to_be_visible(timeout=PATIENCE_MS)
    page.keyboard.press("Escape")

    page.get_by_role("link", name="Fine-tune").click()
    expect(page.locator(".ink-name").first).to_have_text("1 drawing for fine-tuning", timeout=PATIENCE_MS)
    expect(page.get_by_alt_text("A 1, read as 7")).to_have_count(1)
    expect(page.get_by_text("1: 1")).to_be_visible()
    page.screenshot(path=SCREENSHOTS / "finetune.png")
    page.set_viewport_size(PHONE)
    assert not scrolls_sideways(page)
    delete = page.locator(".st-key-ink-kept").get_by_role("button", name="1")
    delete.click()
    expect(page.get_by_text("Keep at least 5 drawings each of 2 labels")).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_role("button", name="Undo: keep the deleted 1 again").click()
    expect(page.get_by_alt_text("A 1, read as 7")).to_have_count(1, timeout=PATIENCE_MS)
    delete.click()
    expect(page.get_by_text("Keep at least 5 drawings each of 2 labels")).to_be_visible(timeout=PATIENCE_MS)


FINETUNING_MS = 400_000  # on a machine that does much else; nothing fails on a time


@pytest.fixture(scope="module")
def tuning_stack(tmp_path_factory) -> Iterator[RunningStack]:
    """A stack of its own, to which new versions are added: two recognisers, and drawings."""
    folder = tmp_path_factory.mktemp("finetuning")
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
def finetune(pages, tuning_stack) -> Callable[..., Page]:
    """Open the Fine-tune page of that stack, each time in a fresh browser context."""
    return lambda *arguments, **options: pages(f"{tuning_stack.dashboard_url}/finetune", *arguments, **options)


def answering(tuning_stack: RunningStack, path: str = "lenet5") -> str | int:
    """The version that answers, or the status of a refusal."""
    answer = requests.post(
        f"{tuning_stack.inference_url}/predictions/{path}", data=drawings()[0].read_bytes(), timeout=20
    )
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


def test_a_recogniser_is_finetuned_compared_promoted_and_rolled_back(mnist_train, tuning_stack, finetune):
    archive = tuning_stack.settings.model_store / "lenet5-1.1.mar"
    page = finetune()
    expect(page.get_by_role("button", name="Fine-tune", exact=True)).to_be_enabled(timeout=PATIENCE_MS)
    choose(page, "lenet5")
    epochs = page.get_by_role("spinbutton", name="Epochs")
    epochs.fill("1")
    epochs.press("Enter")
    page.get_by_role("button", name="Fine-tune", exact=True).dblclick()
    expect(page.get_by_role("button", name="Stop")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_role("progressbar")).to_be_visible()
    page.get_by_role("link", name="Models").click()  # it goes on meanwhile
    expect(page.get_by_text("lenet5 1.0").first).to_be_visible(timeout=PATIENCE_MS)
    page = finetune()

    card = page.locator(".st-key-ink-finetuned")
    expect(card.locator(".ink-name")).to_contain_text("lenet5 1.1", timeout=FINETUNING_MS)
    expect(card.locator(".ink-mark")).to_have_text("not loaded")
    expect(card.get_by_role("row", name="MNIST test")).to_contain_text("600 of 600")
    expect(card.get_by_role("row", name="drawings kept aside")).to_contain_text("of 12")
    assert [path.name for path in (tuning_stack.settings.run_dir / "finetuned").glob("*.safetensors")] == [
        "lenet5-1.1.safetensors"
    ]
    assert answering(tuning_stack, "lenet5/1.1") == 404

    card.get_by_role("button", name="Load lenet5 1.1 beside 1.0").dblclick()
    expect(card.locator(".ink-mark")).to_have_text("loaded beside the base version", timeout=PATIENCE_MS)
    expect(card.get_by_text("lenet5 1.1 is loaded.")).to_be_visible(timeout=PATIENCE_MS)
    assert (answering(tuning_stack), answering(tuning_stack, "lenet5/1.1")) == ("1.0", "1.1")

    card.get_by_role("button", name="Compare on the kept drawings").click()
    expect(card.get_by_text("Of 60 kept drawings, 1.0 reads")).to_be_visible(timeout=PATIENCE_MS)
    page.screenshot(path=SCREENSHOTS / "finetune-compared.png", full_page=True)

    page = finetune(PHONE, "dark")  # another visitor finds all of it
    card = page.locator(".st-key-ink-finetuned")
    expect(card.get_by_text("Of 60 kept drawings, 1.0 reads")).to_be_visible(timeout=PATIENCE_MS)
    assert not scrolls_sideways(page)
    card.get_by_role("button", name="Promote lenet5 1.1").dblclick()
    expect(card.locator(".ink-mark")).to_have_text("default", timeout=PATIENCE_MS)
    card.scroll_into_view_if_needed()
    page.screenshot(path=SCREENSHOTS / "finetune-phone-dark.png")
    assert answering(tuning_stack) == "1.1"
    assert archive.exists()

    card.get_by_role("button", name="Roll back").click()
    page.get_by_role("button", name="Roll back to lenet5 1.0").click()
    expect(card.locator(".ink-mark")).to_have_text("not loaded", timeout=PATIENCE_MS)
    assert (answering(tuning_stack), answering(tuning_stack, "lenet5/1.1")) == ("1.0", 404)
    assert not archive.exists()
    expect(page.locator(".stException")).to_have_count(0)


def test_a_failure_of_fine_tuning_is_shown(tuning_stack, finetune):
    store = Store(f"sqlite:///{tuning_stack.settings.run_dir / 'drawings.db'}")
    store.keep(b"no picture", "8")
    [kept] = store.latest(1)
    page = finetune()
    page.get_by_role("button", name="Fine-tune", exact=True).click()
    expect(page.get_by_text("No new version: the database, drawing 61: not a picture")).to_be_visible(
        timeout=FINETUNING_MS
    )
    expect(page.get_by_role("button", name="Fine-tune", exact=True)).to_be_enabled()
    store.delete(kept.id)
    store.engine.dispose()
