"""Frames that a recogniser learns from beside its data set: characters and strays, as preprocessing finds them.

A recogniser is given what the ink network finds. Remains of lines and boxes, and strokes that are cut off with them,
are no surprise to one that has learned from such frames. Strays are no character of the recogniser: marks, and for
digits also letters. It learns to be sure of nothing there.
Source: Hendrycks, Mazeika and Dietterich 2019, "Deep anomaly detection with outlier exposure".
"""

import argparse
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path

import cv2
import numpy as np

from handwriting.errors import RequestError
from handwriting.labels import CHARACTERS, LABELS, NORMAL_FORMS
from handwriting.pages.layout import Atom, extract_ink
from handwriting.pages.page_ink import find_page_ink
from handwriting.pages.pieces import find_pieces
from handwriting.preprocess import FORMS, FRAME_PX, find_ink
from handwriting.preprocess.frame import to_frame
from training.data import Characters, hold_out
from training.ink.glyphs import draw_glyph
from training.ink.pool import characters_of, pool_of
from training.ink.scenes import make_scene
from training.loss import STRAY
from training.marks import draw_mark, draw_one, draw_seven

MARKS_SHARE = 0.6  # of the strays of a recogniser of digits; the others are letters
FRAGMENTS_SHARE = 0.9  # of the tries for a stray of a recogniser that reads pages; most pages have no fragments
MOST_FRAGMENTS = 3  # of a page
CELLS = 16  # characters drawn for a page
TRUE_INK = 0.2
BAR = 3.0
READABLE = frozenset({"printed", "tabled", "watermarked", "stamped", "status_bar"})  # what has letters of its own
CLEAN_SHARE = 0.3  # of characters and strays; they are drawn without paper
DRAWN_SHARE = 0.06  # of the characters, which are ones with an upstroke and sevens
STRUCK_SHARE = 0.05  # of the scenes
OTHERS = 3  # characters that a scene may have beside its own, cut off by the picture's edge
# letters that a person may take for a digit, as ByMerge labels them
LIKE_DIGITS = frozenset("OILZSBGbgqDQ")
FRAME = np.dtype([("image", np.uint8, (FRAME_PX, FRAME_PX)), ("label", np.int64)])


def paper_frames(options: argparse.Namespace, folder: Path) -> Characters:
    """Make frames on paper: of characters of the training set, chosen at random, and of strays with the label STRAY.

    Args:
        options: of the command line, with the recipe that says how many.
        folder: where they are kept, and read from if an earlier run has left them there.

    Raises:
        DataError: the training sets are missing.
    """
    characters = partial(make_characters, options.model, (options.hold_out, options.seed))
    strays = partial(make_strays, options.model)
    made = [np.empty(0, FRAME)]
    for name, make, count in (
        ("papers", characters, options.recipe.papers),
        ("strays", strays, options.recipe.strays),
    ):
        if count:
            path = folder / f"{name}-{options.seed}-{count}.npy"
            made.append(pool_of(make, count, options.seed, path, options.threads))
    frames = np.concatenate(made)
    return Characters(frames["image"], frames["label"])


@cache
def learned_from(form: str, held_out: tuple[int, int]) -> Characters:
    """Load a training set once for a process, without the characters that `hold_out` takes with this count and seed."""
    return hold_out(characters_of(form), *held_out)[0]


def make_characters(model: str, held_out: tuple[int, int], count: int, seed: Sequence[int]) -> np.ndarray:
    """Make (count,) frames of characters with their labels; `held_out` as `learned_from` takes it."""
    generator = np.random.default_rng(seed)
    form = NORMAL_FORMS[model]
    data = learned_from(form, held_out)
    made = np.empty(count, FRAME)
    for place in made:
        frame = None
        while frame is None:
            row = generator.integers(len(data))
            glyph, label = data.images[row], int(data.labels[row])
            if generator.random() < DRAWN_SHARE:
                label = int(generator.choice([1, 7]))
                glyph = (draw_one if label == 1 else draw_seven)(generator)
            frame = photographed(glyph, form, generator)
        place["image"], place["label"] = frame, label
    return made


def make_strays(model: str, count: int, seed: Sequence[int]) -> np.ndarray:
    """Make (count,) frames of what is no character of the recogniser."""
    generator = np.random.default_rng([*seed, STRAY + 2])
    form = NORMAL_FORMS[model]
    reads_pages = LABELS[model] == CHARACTERS
    frames: list[np.ndarray] = []
    while len(frames) < count:
        if reads_pages and generator.random() < FRAGMENTS_SHARE:
            frames += fragments(form, generator)[: count - len(frames)]
            continue
        is_mark = reads_pages or generator.random() < MARKS_SHARE
        frame = photographed(
            draw_mark(generator) if is_mark else any_letter(characters_of("emnist"), generator), form, generator
        )
        if frame is not None:
            frames.append(frame)
    made = np.empty(count, FRAME)
    made["image"], made["label"] = frames, STRAY
    return made


def fragments(form: str, generator: np.random.Generator) -> list[np.ndarray]:
    """Return what the ink of a page has beside its characters, such as bits of lines: (28, 28) uint8 frames."""
    images = characters_of(form).images
    scene = make_scene(images[generator.integers(0, len(images), CELLS)], generator, without=READABLE)
    found = []
    try:
        ink = find_page_ink(np.round(scene.grey * 255).astype(np.uint8))
        numbers, pieces, _ = find_pieces(ink)
        true = cv2.dilate((scene.ink > TRUE_INK).astype(np.uint8), np.ones((5, 5), np.uint8))
        for piece in pieces:
            is_bar = piece.box.height > BAR * piece.box.width  # nobody could tell it from a 1
            if not is_bar and not true[np.isin(numbers, piece.numbers)].any():
                glyph, _ = extract_ink([Atom(piece, piece.box.left, piece.box.right)], ink, numbers)
                found.append(np.round(to_frame(glyph, FORMS[form]) * 255).astype(np.uint8))
    except RequestError:  # a page without ink, or a speck
        pass
    return found[:MOST_FRAGMENTS]


def any_letter(characters: Characters, generator: np.random.Generator) -> np.ndarray:
    """Choose a letter that nobody takes for a digit from EMNIST's characters: (28, 28) uint8."""
    while True:
        row = generator.integers(len(characters))
        label = CHARACTERS[characters.labels[row]]
        if not label.isdigit() and label not in LIKE_DIGITS:
            return np.asarray(characters.images[row])


def photographed(glyph: np.ndarray, form: str, generator: np.random.Generator) -> np.ndarray | None:
    """Show a (28, 28) uint8 glyph on paper, and return the (28, 28) uint8 frame that preprocessing makes of it.

    Returns:
        None where preprocessing finds nothing.
    """
    try:
        if generator.random() < CLEAN_SHARE:
            ink = draw_glyph(glyph, generator.uniform(40, 160), generator)
        else:
            images = characters_of(form).images
            others = images[generator.integers(0, len(images), OTHERS)]
            scene = make_scene([glyph, *others], generator, alone=True, struck_share=STRUCK_SHARE)
            ink = find_ink(np.round(scene.grey * 255).astype(np.uint8)).ink
        return np.round(to_frame(ink, FORMS[form]) * 255).astype(np.uint8)
    except RequestError:
        return None
