"""Make the example pictures.

    .venv/bin/python -m examples.make_pictures --url http://127.0.0.1:8501

Draws each digit on the dashboard's canvas: 30 pictures, 320 x 320 px, black on white, about 1 kB each, in
examples/digits/<digit>-<n>.png. Then lays some of them out as a page, examples/pages/pi.png; without --url, only that.
"""

import argparse
import io
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

from examples.browser import draw, launch, picture_of_canvas
from examples.digit_strokes import DIGIT_STROKES

HERE = Path(__file__).parent
GREYS = 16  # enough for anti-aliased edges
LINES = ("314 159", "26 535", "897 93")
HEIGHT_PX = 64
SPACE_PX, WORD_PX, LINE_PX, MARGIN_PX = 12, 52, 60, 50


def main() -> None:
    """Draw the digits where a dashboard is given, and make the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="address of a dashboard, to draw the digits on its canvas")
    options = parser.parse_args()
    if options.url:
        draw_digits(options.url)
    make_page()


def draw_digits(url: str) -> None:
    """Draw every variant of every digit on a fresh page, and save what the canvas shows."""
    (HERE / "digits").mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        page = launch(playwright).new_page()
        for digit, variants in DIGIT_STROKES.items():
            for number, strokes in enumerate(variants, start=1):
                page.goto(url)
                draw(page, strokes)
                with Image.open(io.BytesIO(picture_of_canvas(page))) as drawing:
                    small = drawing.convert("L").quantize(GREYS)
                small.save(HERE / "digits" / f"{digit}-{number}.png", optimize=True)


def make_page() -> None:
    """Lay out the drawings of LINES as a page."""
    page = Image.new("L", (640, 2 * MARGIN_PX + len(LINES) * HEIGHT_PX + (len(LINES) - 1) * LINE_PX), 255)
    count = 0
    for row, line in enumerate(LINES):
        x = MARGIN_PX
        for character in line:
            if character == " ":
                x += WORD_PX
                continue
            drawing = cropped(character, 1 + count % 3)
            page.paste(drawing, (x, MARGIN_PX + row * (HEIGHT_PX + LINE_PX) + count % 3 * 2))
            x += drawing.width + SPACE_PX
            count += 1
    (HERE / "pages").mkdir(exist_ok=True)
    page.save(HERE / "pages" / "pi.png", optimize=True)


def cropped(character: str, number: int) -> Image.Image:
    """Return a drawing, cropped to its ink and HEIGHT_PX high: dark on white."""
    grey = Image.open(HERE / "digits" / f"{character}-{number}.png").convert("L")
    rows, columns = np.nonzero(np.asarray(grey) < 128)  # noqa: PLR2004 - dark
    crop = grey.crop((int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1))
    return crop.resize((max(1, round(crop.width * HEIGHT_PX / crop.height)), HEIGHT_PX), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main()
