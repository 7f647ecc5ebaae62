"""Write the example pictures: draws each digit in the dashboard and keeps what the canvas shows.

    .venv/bin/python -m examples.make_examples --url http://127.0.0.1:8501

30 pictures, 320 x 320 px, black on white, about 1 kB each, in examples/digits/<digit>-<n>.png.
"""

import argparse
import io
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from examples.browser import draw, launch, picture_of_canvas
from examples.digits import DIGIT_STROKES

GREYS = 16  # enough for anti-aliased edges


def main() -> None:
    """Draw every variant of every digit on a fresh page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8501", help="address of the dashboard")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "digits", help="folder for the pictures")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        page = launch(playwright).new_page()
        for digit, variants in DIGIT_STROKES.items():
            for number, strokes in enumerate(variants, start=1):
                page.goto(args.url)
                draw(page, strokes)
                save(page, args.out / f"{digit}-{number}.png")


def save(page: Page, path: Path) -> None:
    """Keep the drawing on the page's canvas as a small palette PNG."""
    with Image.open(io.BytesIO(picture_of_canvas(page))) as drawing:
        drawing.convert("L").quantize(GREYS).save(path, optimize=True)


if __name__ == "__main__":
    main()
