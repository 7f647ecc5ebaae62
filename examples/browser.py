"""Drive the dashboard's Draw page in Chromium."""

import base64
from collections.abc import Callable

from playwright.sync_api import Browser, Locator, Page, Playwright

from examples.digit_strokes import Stroke

CHROMIUM = "/usr/bin/chromium"
ARGS = [
    "--no-sandbox",  # root in a container has no user namespaces
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
LOAD_TIMEOUT_MS = 60_000  # the first page after a start also imports the app


def launch(playwright: Playwright) -> Browser:
    """Start Debian's Chromium without its own traffic to outside."""
    return playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)


def canvas(page: Page) -> Locator:
    """Return the layer of the drawing canvas that takes the mouse."""
    return page.locator("canvas.upper-canvas")


def draw(page: Page, strokes: list[Stroke], after_point: Callable[[], object] | None = None) -> None:
    """Move the mouse along strokes on the canvas.

    Args:
        page: shows the Draw page.
        strokes: points in [0, 1] x [0, 1] of the canvas, y downwards.
        after_point: called after each point.
    """
    area = canvas(page)
    area.wait_for(timeout=LOAD_TIMEOUT_MS)
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
    if box is None:
        raise RuntimeError("the canvas is not visible")
    for stroke in strokes:
        points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point)
            if after_point:
                after_point()
        page.mouse.up()


def picture_of_canvas(page: Page) -> bytes:
    """Return what is drawn on the canvas, as PNG."""
    url = page.locator("canvas.dc-canvas.lower-canvas").evaluate(_AFTER_PAINTING)
    return base64.b64decode(url.partition(",")[2])


# A finished stroke moves to the lower canvas in the next animation frame.
_AFTER_PAINTING = """canvas => new Promise(done =>
    requestAnimationFrame(() => requestAnimationFrame(() => done(canvas.toDataURL("image/png")))))"""
