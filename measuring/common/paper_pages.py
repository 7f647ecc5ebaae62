"""Pages of `composed_pages` and numbers of two to four digits, on ruled and squared paper and in the boxes of forms."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import cv2
import numpy as np

from handwriting.labels import CHARACTERS, DIGITS
from measuring.common.composed_pages import Page, Paper, compose, finish, spell, stack, style_of, write_line
from training.data import Characters, load_characters
from training.ink.paper import line_mask

SEED = 3_000_000
CONTRAST = (0.2, 0.6)  # of print on the paper
LINE = (0.02, 0.05)  # width of printed lines, in heights of a capital
BOX = (1.3, 1.7)  # side of a form's box


def ruled(
    shape: tuple[int, ...], baselines: Sequence[float], size: float, generator: np.random.Generator
) -> np.ndarray:
    """Rule lines on which the writing stands."""
    step = baselines[1] - baselines[0] if len(baselines) > 1 else size * generator.uniform(1.6, 2.2)
    first = baselines[0] + size * generator.uniform(-0.03, 0.08)
    rows = first + step * np.arange(-np.ceil(first / step), np.ceil(shape[0] / step) + 1)
    return printed(shape, [[0, y, shape[1], y] for y in rows], size, generator)


def squared(
    shape: tuple[int, ...],
    baselines: Sequence[float],  # noqa: ARG001 - squares do not care
    size: float,
    generator: np.random.Generator,
) -> np.ndarray:
    """Print squares."""
    step = size * generator.uniform(0.5, 1.1)
    x, y = (generator.uniform(0, step) + step * np.arange(side // step + 1) for side in (shape[1], shape[0]))
    lines = [[each, 0, each, shape[0]] for each in x] + [[0, each, shape[1], each] for each in y]
    return printed(shape, lines, size, generator)


def printed(
    shape: tuple[int, ...], lines: Sequence[Sequence[float]], size: float, generator: np.random.Generator
) -> np.ndarray:
    """Print lines of x0, y0, x1, y1 in px: (H, W) float32 in [0, 1]."""
    mask = line_mask((shape[0], shape[1]), lines, size * generator.uniform(*LINE))
    return mask * np.float32(generator.uniform(*CONTRAST))


def number_on(characters: Characters, generator: np.random.Generator, paper: Paper | None) -> Page:
    """Write a number of two to four digits."""
    style = style_of(generator)
    word = [spell(*each, generator) for each in digits_of(characters, generator)]
    lines = [write_line([word], style, generator)]
    ink = stack(lines, style)
    baseline = style["capital_px"] + 1.3 * style["capital_px"]
    marks = None if paper is None else paper(ink.shape, [baseline], style["capital_px"], generator)
    return finish(ink, "".join(label for label, _ in word), style, generator, marks)


def number_in_boxes(characters: Characters, generator: np.random.Generator) -> Page:
    """Write a number of two to four digits into the boxes of a form, with up to two empty ones before and after it."""
    style = style_of(generator)
    size = style["capital_px"]
    side = round(size * generator.uniform(*BOX))
    word = digits_of(characters, generator)
    before, after = generator.integers(0, 3, 2)
    boxes = int(before) + len(word) + int(after)
    margin = round(size)
    ink = np.zeros((side + 2 * margin, boxes * side + 2 * margin), np.float32)
    for number, (_, image) in enumerate(word, int(before)):
        left, top, width, height = cv2.boundingRect((image > 0).astype(np.uint8))
        scale = size / max(height, 0.8 * width)
        glyph = image[top : top + height, left : left + width].astype(np.float32) / 255
        glyph = np.clip(cv2.resize(glyph, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), 0, 1)
        room_y, room_x = side - glyph.shape[0], side - glyph.shape[1]
        y = margin + round(room_y * generator.uniform(0.25, 0.75))
        x = margin + number * side + round(room_x * generator.uniform(0.25, 0.75))
        ink[y : y + glyph.shape[0], x : x + glyph.shape[1]] = glyph
    edges = [margin + number * side for number in range(boxes + 1)]
    lines = [[x, margin, x, margin + side] for x in edges]
    lines += [[margin, y, edges[-1], y] for y in (margin, margin + side)]
    marks = printed(ink.shape, lines, size, generator)
    return finish(ink, "".join(label for label, _ in word), style, generator, marks)


def digits_of(characters: Characters, generator: np.random.Generator) -> list[tuple[str, np.ndarray]]:
    """Choose two to four digits: labels, and (28, 28) uint8 images."""
    rows = generator.integers(0, len(characters), generator.integers(2, 5))
    return [(DIGITS[characters.labels[row]], characters.images[row]) for row in rows]


def text_on(characters: Characters, generator: np.random.Generator, paper: Paper | None) -> Page:
    """Write a page of text."""
    return compose(characters, CHARACTERS, generator, paper)


KINDS: Mapping[str, tuple[str, Callable[[Characters, np.random.Generator], Page]]] = {
    "numbers on plain paper": ("mnist", partial(number_on, paper=None)),
    "numbers on ruled paper": ("mnist", partial(number_on, paper=ruled)),
    "numbers on squared paper": ("mnist", partial(number_on, paper=squared)),
    "numbers in boxes": ("mnist", number_in_boxes),
    "text on plain paper": ("emnist", partial(text_on, paper=None)),
    "text on ruled paper": ("emnist", partial(text_on, paper=ruled)),
    "text on squared paper": ("emnist", partial(text_on, paper=squared)),
}  # the data set of the characters, and what writes a page


def pages_on(kind: str, count: int, seed: int = SEED) -> Iterator[Page]:
    """Compose pages of a kind; the same seed gives the same writing on all kinds of text.

    Raises:
        DataError: the test set is missing.
    """
    data_set, write = KINDS[kind]
    characters = load_characters(data_set, "test")
    for number in range(count):
        yield write(characters, np.random.default_rng((seed, number)))
