"""Take the README's pictures of the dashboard: `make screenshots`."""

import io
import os
import shutil
import tempfile
import zipfile
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from deploy.local.settings import DEFAULT_PORTS, ROOT, Settings, free_ports
from deploy.local.stack import Stack
from examples.browser import canvas, draw, launch
from examples.digits import DIGIT_STROKES
from training.drawing_store import Store

FOLDER = ROOT / "docs" / "screenshots"
SIZE = {"width": 1100, "height": 860}
PATIENCE_MS = 60_000
LOAD_S = 12
TEACHING_MS = 180_000


def main() -> None:
    """Start a stack of its own, take all pictures, and stop it."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        ports = dict(zip(DEFAULT_PORTS, free_ports(len(DEFAULT_PORTS)), strict=True))
        archives = shutil.copytree(ROOT / "model_store", Path(folder) / "model_store")  # which gets another version
        stack = Stack(Settings(ports, Path(folder), archives))
        try:
            os.environ["TS_ENABLE_MODEL_API"] = "true"  # a taught version is loaded from the page
            stack.up()
            keep_drawings(Path(folder))
            page = launch(playwright).new_page(viewport=SIZE)
            page.set_default_timeout(PATIENCE_MS)
            for name, take in PAGES.items():
                page.goto(stack.settings.url("DASHBOARD_PORT"))
                take(page)
                page.wait_for_timeout(500)
                page.screenshot(path=FOLDER / f"{name}.png")
                print(f"wrote docs/screenshots/{name}.png", flush=True)
        finally:
            stack.down()


def seven(page: Page) -> None:
    """Draw a seven, with Grad-CAM."""
    draw(page, DIGIT_STROKES["7"][0])
    expect(page.locator(".ink-label")).to_have_text("7")
    page.get_by_role("button", name="How it is shown").click()
    page.get_by_text("Show what spoke for the answer").click()
    expect(page.locator(".ink-heat")).to_have_count(1)
    page.keyboard.press("Escape")


def several(page: Page) -> None:
    """Draw three digits in two lines."""
    canvas(page).wait_for()
    page.get_by_role("combobox").first.click()
    page.get_by_role("option", name="reader 1.0").click()
    page.wait_for_timeout(1000)
    places = {"7": (0.0, 0.05), "3": (0.5, 0.05), "4": (0.2, 0.52)}
    for digit, (left, top) in places.items():
        draw(page, [[(left + 0.45 * x, top + 0.45 * y) for x, y in stroke] for stroke in DIGIT_STROKES[digit][0]])
    expect(page.locator(".ink-box")).to_have_count(3)


def batch(page: Page) -> None:
    """Read our drawings from a ZIP file with a folder for each digit."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted((ROOT / "examples" / "digits").glob("*.png")):
            archive.write(path, f"{path.name[0]}/{path.name}")
    page.get_by_role("link", name="Batch").click()
    file = {"name": "drawings.zip", "mimeType": "application/zip", "buffer": buffer.getvalue()}
    page.locator("input[type=file]").first.set_input_files(file)
    expect(page.get_by_text("30 of 30").first).to_be_visible()
    page.wait_for_timeout(2000)


def live(page: Page) -> None:
    """Send a small load, and watch it."""
    page.get_by_role("link", name="Live").click()
    page.get_by_role("button", name="Send").click()
    page.wait_for_timeout(LOAD_S * 1000)


def teach(page: Page) -> None:
    """Teach `digits` our drawings for one pass, which needs MNIST, load the new version, and compare both."""
    page.get_by_role("link", name="Teach").click()
    passes = page.get_by_role("spinbutton", name="Passes")
    passes.fill("1")
    passes.press("Enter")
    page.get_by_role("button", name="Teach", exact=True).click()
    page.get_by_role("button", name="Load digits 1.1 beside 1.0").click(timeout=TEACHING_MS)
    page.get_by_role("button", name="Compare on the kept drawings").click()
    page.get_by_text("kept drawings 1.0 reads").wait_for()
    page.locator(".st-key-ink-lesson").scroll_into_view_if_needed()


def models(page: Page) -> None:
    """Look at what is served."""
    page.get_by_role("link", name="Models").click()
    page.get_by_text("Side by side").wait_for()


def keep_drawings(folder: Path) -> None:
    """Keep our drawings, each twice, as five of a label are the least to teach with."""
    store = Store(f"sqlite:///{folder / 'drawings.db'}")
    for path in sorted((ROOT / "examples" / "digits").glob("*.png")):
        for end in (b"", b"0"):  # a byte after a PNG's end makes it another file
            store.keep(path.read_bytes() + end, path.name[0])
    store.engine.dispose()


PAGES = {"draw": seven, "reader": several, "batch": batch, "live": live, "models": models, "teach": teach}

if __name__ == "__main__":
    main()
