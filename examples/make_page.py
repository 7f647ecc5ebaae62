"""Lay our own drawings of digits out as a page: `python -m examples.make_page`."""

from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).parent
LINES = ("314 159", "26 535", "897 93")
HEIGHT_PX = 64
SPACE_PX, WORD_PX, LINE_PX, MARGIN_PX = 12, 52, 60, 50


def digit(character: str, number: int) -> Image.Image:
    """Return a drawing, cropped to its ink: dark on white."""
    grey = Image.open(HERE / "digits" / f"{character}-{number}.png").convert("L")
    rows, columns = np.nonzero(np.asarray(grey) < 128)  # noqa: PLR2004 - dark
    crop = grey.crop((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1))
    return crop.resize((max(1, round(crop.width * HEIGHT_PX / crop.height)), HEIGHT_PX), Image.Resampling.LANCZOS)


def main() -> None:
    """Write examples/pages/pi.png."""
    page = Image.new("L", (640, 2 * MARGIN_PX + len(LINES) * HEIGHT_PX + (len(LINES) - 1) * LINE_PX), 255)
    count = 0
    for row, line in enumerate(LINES):
        x = MARGIN_PX
        for character in line:
            if character == " ":
                x += WORD_PX
                continue
            drawing = digit(character, 1 + count % 3)
            page.paste(drawing, (x, MARGIN_PX + row * (HEIGHT_PX + LINE_PX) + count % 3 * 2))
            x += drawing.width + SPACE_PX
            count += 1
    (HERE / "pages").mkdir(exist_ok=True)
    page.save(HERE / "pages" / "pi.png", optimize=True)


if __name__ == "__main__":
    main()
