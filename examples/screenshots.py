"""Take the pictures of the dashboard for the README and the documentation: `make screenshots`.

    .venv/bin/python -m examples.screenshots                 # all of them
    .venv/bin/python -m examples.screenshots drawing batch   # some of them

`drawing` is an animation of a digit that is drawn and read. `finetune` needs MNIST.
"""

import argparse
import io
import os
import re
import shutil
import tempfile
import zipfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from deploy.local.settings import DEFAULT_PORTS, ROOT, Settings, free_ports
from deploy.local.stack import Stack
from examples.browser import canvas, draw, launch
from examples.digit_strokes import DIGIT_STROKES
from training.drawing_store import Store

FOLDER = ROOT / "docs" / "screenshots"
SIZE = {"width": 1100, "height": 860}
PATIENCE_MS = 60_000
expect.set_options(timeout=PATIENCE_MS)
LOAD_S = 12
FINETUNING_MS = 180_000
ANIMATION_SIZE = {"width": 900, "height": 760}
ANIMATION_PX = 640  # width of the animation
COLOURS = 64
POINTS_PER_FRAME = 3
POINT_MS, ANSWER_MS = 60, 2600  # how long a frame is shown while drawing, and with the answer


def main() -> None:
    """Start a stack, take the pictures, and stop it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which pictures: {', '.join(PAGES)}; default all")
    names = parser.parse_args().names or list(PAGES)
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        ports = dict(zip(DEFAULT_PORTS, free_ports(len(DEFAULT_PORTS)), strict=True))
        archives = shutil.copytree(ROOT / "model_store", Path(folder) / "model_store")  # a version is added to it
        stack = Stack(Settings(ports, Path(folder), archives))
        try:
            os.environ["TS_ENABLE_MODEL_API"] = "true"  # a fine-tuned version is loaded from the page
            stack.up()
            keep_drawings(Path(folder))
            browser = launch(playwright)
            for name in names:
                page = browser.new_page(viewport=SIZE)
                page.set_default_timeout(PATIENCE_MS)
                page.goto(stack.settings.url("DASHBOARD_PORT"))
                PAGES[name](page)
                if name != "drawing":
                    page.wait_for_timeout(500)
                    page.screenshot(path=FOLDER / f"{name}.png")
                page.close()
                print(f"took {name}", flush=True)
        finally:
            stack.down()


def drawing(page: Page) -> None:
    """Record a three that is drawn and read, as an animated GIF."""
    page.set_viewport_size(ANIMATION_SIZE)
    frames: list[Image.Image] = []
    times_ms: list[int] = []
    points = 0

    def record(time_ms: int) -> None:
        image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        height = round(image.height * ANIMATION_PX / image.width)
        frames.append(image.resize((ANIMATION_PX, height), Image.Resampling.LANCZOS))
        times_ms.append(time_ms)

    def record_point() -> None:
        nonlocal points
        points += 1
        if points % POINTS_PER_FRAME == 0:
            record(POINT_MS)

    canvas(page).wait_for()
    page.wait_for_timeout(1500)
    record(600)
    for digit in ("3", "7"):
        if points:
            page.get_by_role("button", name="Clear").click()
            expect(page.locator(".ink-label")).to_have_count(0)
        draw(page, DIGIT_STROKES[digit][0], record_point)
        record(POINT_MS)
        expect(page.locator(".ink-label")).to_have_text(digit)
        page.mouse.move(1, 1)
        page.wait_for_timeout(1500)
        record(ANSWER_MS)
    palette = frames[-1].quantize(COLOURS)
    reduced = [frame.quantize(COLOURS, palette=palette, dither=Image.Dither.NONE) for frame in frames]
    path = FOLDER / "drawing.gif"
    reduced[0].save(path, save_all=True, append_images=reduced[1:], duration=times_ms, loop=0, optimize=True)


def seven(page: Page) -> None:
    """Draw a seven, with Grad-CAM."""
    draw(page, DIGIT_STROKES["7"][0])
    expect(page.locator(".ink-label")).to_have_text("7")
    page.get_by_text("Show Grad-CAM heatmap").click()
    expect(page.locator(".ink-heat")).to_have_count(1)


def several(page: Page) -> None:
    """Draw three digits in two lines."""
    canvas(page).wait_for()
    page.get_by_role("combobox").first.click()
    page.get_by_role("option", name="reader 1.0").click()
    page.wait_for_timeout(1000)
    places = {"7": (0.0, 0.05), "3": (0.5, 0.05), "4": (0.2, 0.52)}
    for digit, (left, top) in places.items():
        draw(page, [[(left + 0.45 * x, top + 0.45 * y) for x, y in stroke] for stroke in DIGIT_STROKES[digit][0]])
    page.wait_for_timeout(1000)  # the answer before the last stroke has three boxes, too
    expect(page.locator(".ink-box")).to_have_count(3)
    expect(page.locator(".ink-text")).to_have_text(re.compile("7.*3.*4", re.DOTALL))


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


def finetune(page: Page) -> None:
    """Fine-tune `digits` for one epoch, load the new version, and compare it with its base."""
    page.get_by_role("link", name="Fine-tune").click()
    epochs = page.get_by_role("spinbutton", name="Epochs")
    epochs.fill("1")
    epochs.press("Enter")
    page.get_by_role("button", name="Fine-tune", exact=True).click()
    page.get_by_role("button", name="Load digits 1.1 beside 1.0").click(timeout=FINETUNING_MS)
    page.get_by_role("button", name="Compare on the kept drawings").click()
    page.get_by_text("kept drawings, 1.0 reads").wait_for()
    page.locator(".st-key-ink-finetuned").scroll_into_view_if_needed()


def models(page: Page) -> None:
    """Look at what is served."""
    page.get_by_role("link", name="Models").click()
    page.get_by_text("Compare two recognisers").wait_for()


def keep_drawings(folder: Path) -> None:
    """Keep the example drawings, each twice, since fine-tuning needs five of each label."""
    store = Store(f"sqlite:///{folder / 'drawings.db'}")
    for path in sorted((ROOT / "examples" / "digits").glob("*.png")):
        for end in (b"", b"0"):  # bytes after the end of a PNG make it another file
            store.keep(path.read_bytes() + end, path.name[0])
    store.engine.dispose()


PAGES = {
    "drawing": drawing,
    "draw": seven,
    "reader": several,
    "batch": batch,
    "live": live,
    "models": models,
    "finetune": finetune,
}

if __name__ == "__main__":
    main()
