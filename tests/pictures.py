"""Pictures made for tests, encoded as people send them."""

import numpy as np
from PIL import Image, ImageChops, ImageDraw

from handwriting.errors import RequestError
from handwriting.parsing import Part, open_part
from handwriting.preprocess import Picture, picture_frame
from measuring.reliability.corpus.picture_files import encode  # noqa: F401 - for tests
from measuring.reliability.corpus.zip_npy import ordinary as zipped  # noqa: F401 - for tests


def mnist_frame(picture: bytes) -> np.ndarray:
    return picture_frame(picture, "mnist")


def read_part(part: Part) -> Picture:
    """The only page of a part of a request; raises its error."""
    with open_part(part) as file:
        [page] = file.pages
    if isinstance(page, RequestError):
        raise page
    return page


def inverted(frame: np.ndarray) -> Image.Image:
    """Dark ink on white."""
    return Image.fromarray(255 - frame)


def enlarged(frame: np.ndarray, side: int = 400, page: tuple[int, int] = (900, 700)) -> Image.Image:
    """A frame in dark ink, side x side px, in the lower right of a white page."""
    paper = Image.new("L", page, 255)
    glyph = inverted(frame).resize((side, side), Image.Resampling.BICUBIC)
    paper.paste(glyph, ((page[0] - side) * 9 // 10, (page[1] - side) * 8 // 10))
    return paper


def small_on_page(frame: np.ndarray) -> Image.Image:
    """A frame in dark ink, 150 px high, in the lower right of a white page of 400 x 400 px."""
    return enlarged(frame, side=150, page=(400, 400))


def photographed(drawing: Image.Image, seed: int) -> Image.Image:
    """A drawing as a camera sees it: a shadow across the paper, grey ink, grain."""
    grey = np.asarray(drawing.convert("L"), np.float32) / 255
    height, width = grey.shape
    light = np.linspace(0.85, 0.5, width) * np.linspace(1, 0.85, height)[:, None]
    grain = np.random.default_rng(seed).normal(0, 0.015, grey.shape)
    return Image.fromarray((np.clip(light * (0.25 + 0.75 * grey) + grain, 0, 1) * 255).astype(np.uint8))


def on_ruled_paper(frame: np.ndarray) -> Image.Image:
    """A frame in dark ink, 150 px high, that stands on a grey line across a page of 400 x 400 px."""
    page = small_on_page(frame)
    foot = np.flatnonzero((np.asarray(page) < 100).any(axis=1))[-1]
    line = Image.new("L", page.size, 255)
    ImageDraw.Draw(line).line((0, foot - 4, page.width, foot), fill=150, width=3)
    return ImageChops.darker(page, line)


def tightly_cropped(frame: np.ndarray) -> Image.Image:
    """A frame in dark ink at three times its size, cut so that the ink touches all four sides."""
    rows, columns = np.flatnonzero(frame.max(axis=1)), np.flatnonzero(frame.max(axis=0))
    glyph = inverted(frame[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    return glyph.resize((glyph.width * 3, glyph.height * 3), Image.Resampling.BICUBIC)
