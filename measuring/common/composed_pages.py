"""Pages composed from the characters of a test set, with their text: `python -m measuring.common.composed_pages`.

Sizes, spacing, slope and light differ from page to page; the same seed gives the same pages. Characters get their usual
height on the line, since the frames of a test set are all of one size. Where ByMerge merges both cases of a letter into
one label, letters whose cases look alike are drawn in either case with equal probability, and the others as capitals.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from handwriting.labels import CHARACTERS, DIGITS
from inkserve.command import run
from measuring.common.command_line import parser_of
from training.data import Characters, load_characters

X_HEIGHT = 0.62  # height of a small letter, in heights of a capital
LOOK_ALIKES = "COSUVWXZ"
SMALL = "aenr" + LOOK_ALIKES.lower()
HANGING = "gq"  # as high as a small letter and its descender
DESCENT = 0.35  # of a capital's height, below the line
TOUCHING_SHARE = 0.04  # of the neighbours in a word


# The limits of a style; all lengths but the first are in heights of a capital
STYLE_LIMITS = {
    "capital_px": (28, 80),
    "spacing": (0.08, 0.3),
    "word_gap": (0.75, 1.2),
    "leading": (0.45, 1.0),
    "slope_deg": (-2, 2),
    "pen_grey": (0.05, 0.4),
    "paper_grey": (0.75, 1.0),
    "shade": (0, 0.35),
    "grain": (0, 0.02),
}
Style = Mapping[str, float]
# Makes a page's print, (H, W) float32 in [0, 1], from its shape, where its lines stand, and a capital's height in px
Paper = Callable[[tuple[int, ...], Sequence[float], float, np.random.Generator], np.ndarray]
SETS = {"digits": ("mnist", DIGITS), "mixed": ("emnist", CHARACTERS)}  # test sets and their labels, by kind of page


@dataclass(frozen=True)
class Page:
    """A page and its text.

    Attributes:
        picture: (H, W) uint8, dark ink on light paper.
        text: its lines, with single spaces between words.
        capital_px: height of its capitals.
    """

    picture: np.ndarray
    text: str
    capital_px: float


def pages(kind: str, count: int, seed: int) -> Iterator[Page]:
    """Compose pages.

    Args:
        kind: "digits" from MNIST's test set, or "mixed" from EMNIST ByMerge's.
        count: of pages.
        seed: of everything random.

    Raises:
        DataError: the test set is missing.
    """
    data_set, labels = SETS[kind]
    characters = load_characters(data_set, "test")
    generator = np.random.default_rng(seed)
    for _ in range(count):
        yield compose(characters, labels, generator)


def compose(
    characters: Characters, labels: tuple[str, ...], generator: np.random.Generator, paper: Paper | None = None
) -> Page:
    """Write one to four lines of two to four words of two to six characters on a page.

    Args:
        characters: to write.
        labels: of the characters.
        generator: of everything random.
        paper: its print; plain without.
    """
    style = style_of(generator)
    lines, texts = [], []
    for _ in range(generator.integers(1, 5)):
        words = []
        for _ in range(generator.integers(2, 5)):
            rows = generator.integers(0, len(characters), generator.integers(2, 7))
            words.append([spell(labels[characters.labels[row]], characters.images[row], generator) for row in rows])
        lines.append(write_line(words, style, generator))
        texts.append(" ".join("".join(character for character, _ in word) for word in words))
    ink = stack(lines, style)
    printed = None if paper is None else paper(ink.shape, baselines(lines, style), style["capital_px"], generator)
    return finish(ink, "\n".join(texts), style, generator, printed)


def style_of(generator: np.random.Generator) -> Style:
    """Draw a style."""
    return {name: generator.uniform(*limits) for name, limits in STYLE_LIMITS.items()}


def finish(
    ink: np.ndarray, text: str, style: Style, generator: np.random.Generator, printed: np.ndarray | None = None
) -> Page:
    """Turn and light a page: (H, W) float32 ink and print."""
    ink = tilt(ink, style["slope_deg"])
    picture = light(ink, style, generator, None if printed is None else tilt(printed, style["slope_deg"]))
    return Page(picture, text, style["capital_px"])


def spell(label: str, image: np.ndarray, generator: np.random.Generator) -> tuple[str, np.ndarray]:
    """Choose the case of a character, and return it with its ink, cropped."""
    if label in LOOK_ALIKES and generator.random() < 0.5:  # noqa: PLR2004
        label = label.lower()
    left, top, width, height = cv2.boundingRect((image > 0).astype(np.uint8))
    return label, image[top : top + height, left : left + width]


def height_of(character: str) -> tuple[float, float]:
    """Return the height of a character and its part below the line, in heights of a capital."""
    if character in HANGING:
        return X_HEIGHT + DESCENT, DESCENT
    return (X_HEIGHT, 0.0) if character in SMALL else (1.0, 0.0)


def write_line(words: list[list[tuple[str, np.ndarray]]], style: Style, generator: np.random.Generator) -> np.ndarray:
    """Write words beside each other: (H, W) float32 ink in [0, 1], of which the lowest DESCENT is below the line."""
    size = style["capital_px"]
    line = np.zeros(
        (round(size * (1.3 + DESCENT)), round(size * 1.6 * sum(len(word) + 2 for word in words))), np.float32
    )
    x = size / 2
    for word in words:
        for character, image in word:
            share, descent = height_of(character)
            # A frame scales the longer side of a character to one size; a wide character must not become too low
            scale = share * size * generator.uniform(0.94, 1.06) / max(image.shape[0], 0.8 * image.shape[1])
            glyph = cv2.resize(image.astype(np.float32) / 255, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
            bottom = round(size * (1.3 + descent + generator.uniform(-0.04, 0.04)))
            top = max(0, min(bottom, line.shape[0]) - glyph.shape[0])
            left = round(x)
            place = line[top : top + glyph.shape[0], left : left + glyph.shape[1]]
            np.maximum(place, glyph[: place.shape[0], : place.shape[1]], out=place)
            touching = generator.random() < TOUCHING_SHARE
            x = left + glyph.shape[1] + size * (-0.02 if touching else style["spacing"] * generator.uniform(0.6, 1.4))
        x += size * style["word_gap"] * generator.uniform(0.9, 1.1)
    return np.clip(line[:, : round(x)], 0, 1)


def baselines(lines: list[np.ndarray], style: Style) -> list[float]:
    """Return where the lines of `stack` stand, in px from the top."""
    size, y, found = style["capital_px"], float(round(style["capital_px"])), []
    for line in lines:
        found.append(y + size * 1.3)
        y += line.shape[0] + between(style)
    return found


def between(style: Style) -> int:
    """Return the room between lines in px."""
    return round(style["capital_px"] * max(0.0, style["leading"] - 0.3))  # a line brings some room above it


def stack(lines: list[np.ndarray], style: Style) -> np.ndarray:
    """Put lines below each other, with a margin around them: (H, W) float32 ink."""
    margin = round(style["capital_px"])
    width = max(line.shape[1] for line in lines)
    rows = [np.pad(line, ((0, between(style)), (0, width - line.shape[1]))) for line in lines]
    return np.pad(np.concatenate(rows), margin)


def tilt(ink: np.ndarray, slope_deg: float) -> np.ndarray:
    """Turn ink about its middle."""
    height, width = ink.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), slope_deg, 1.0)
    return np.clip(cv2.warpAffine(ink, turn, (width, height), flags=cv2.INTER_LINEAR), 0, 1)


def light(
    ink: np.ndarray, style: Style, generator: np.random.Generator, printed: np.ndarray | None = None
) -> np.ndarray:
    """Put ink on unevenly lit paper, with its print where it has some: (H, W) uint8."""
    height, width = ink.shape
    across = np.linspace(0, 1, width)[None] * np.cos(angle := generator.uniform(0, 2 * np.pi))
    down = np.linspace(0, 1, height)[:, None] * np.sin(angle)
    slope = across + down
    paper = style["paper_grey"] * (1 - style["shade"] * (slope - slope.min()) / np.ptp(slope))
    if printed is not None:
        paper = paper * (1 - printed)
    grey = paper * (1 - ink * (1 - style["pen_grey"])) + generator.normal(0, style["grain"], ink.shape)
    return np.round(np.clip(grey, 0, 1) * 255).astype(np.uint8)


def main() -> int:
    """Write some pages as pictures with their texts."""
    parser = parser_of("measuring.common.composed_pages", __doc__, out=Path("runs/pages"), count=10, seed=0)
    parser.add_argument("kind", choices=SETS)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for number, page in enumerate(pages(options.kind, options.count, options.seed)):
        Image.fromarray(page.picture).save(options.out / f"{options.kind}-{number}.png")
        (options.out / f"{options.kind}-{number}.txt").write_text(page.text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(run("composed_pages", main))
