"""Characters drawn from handwriting fonts, as frames to learn from."""

import hashlib
import io
import math
import string
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm

from handwriting.labels import merge_case
from handwriting.preprocess import FORMS
from handwriting.preprocess.frame import Form, to_frame
from training.data import Characters, DataError, check_sha256, data_dir

SIZE_PX = 96  # of the font: strokes come out 3 to 10 px wide
CANVAS_PX = 4 * SIZE_PX  # room for swashes
SLANT = 0.25  # horizontal shift per unit of height
TURN_DEG = 8.0
STRETCH = 1.25  # of the width
# of the pinned fonts, one after the other
SHA256 = "72efeb10045b8293fab10930e3878b03b3fd28e2a043b4826ad78e167c3b3314"


def fonts_dir() -> Path:
    """Folder of the fonts, which `make data ARGS=--fonts` fills."""
    return data_dir() / "fonts"


def read_fonts() -> list[bytes]:
    """Read the fonts in the order of their names.

    Raises:
        DataError: they are missing, or not the known ones.
    """
    paths = sorted(fonts_dir().glob("*.woff"))
    if not paths:
        raise DataError(f"{fonts_dir()} holds no fonts: run `make data ARGS=--fonts`, or train with --font-drawings 0")
    contents = [path.read_bytes() for path in paths]
    check_sha256(str(fonts_dir()), b"".join(contents), SHA256)
    return contents


def draw_characters(labels: Sequence[str], form: str, drawings: int, seed: int) -> Characters:
    """Draw each letter and digit of each font so many times, in random order.

    Each drawing is slanted, turned and stretched at random before it is brought to the normal form, whose box it fills.

    Args:
        labels: the recogniser's; letters of both cases are filed under them.
        form: the recogniser's normal form.
        drawings: of each letter and digit of each font.
        seed: of the variation and the order.

    Raises:
        DataError: the fonts are missing, or not the known ones.
    """
    generator = np.random.default_rng(seed)
    images, indices = [], []
    contents = read_fonts()
    for content in tqdm(contents, desc="drawing fonts", unit="font", disable=None):
        font = ImageFont.truetype(io.BytesIO(content), SIZE_PX)
        for character in string.digits + string.ascii_letters:
            glyph = draw(font, character)
            for _ in range(drawings):
                images.append(frame(vary(glyph, generator), FORMS[form]))
                indices.append(labels.index(merge_case(character)))
    order = generator.permutation(len(indices))
    digest = hashlib.sha256(b"".join(contents)).hexdigest()
    return Characters(
        np.stack(images)[order], np.array(indices, np.int64)[order], {f"{len(contents)} handwriting fonts": digest}
    )


def draw(font: ImageFont.FreeTypeFont, character: str) -> np.ndarray:
    """Draw a character in the middle of a (CANVAS_PX, CANVAS_PX) uint8 picture, 255 is ink."""
    picture = Image.new("L", (CANVAS_PX, CANVAS_PX))
    middle = CANVAS_PX // 2
    ImageDraw.Draw(picture).text((middle, middle), character, fill=255, font=font, anchor="mm")
    return np.asarray(picture)


def vary(picture: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Slant, turn and stretch a (N, N) uint8 picture about its middle at random."""
    angle = math.radians(generator.uniform(-TURN_DEG, TURN_DEG))
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    stretch = math.exp(generator.uniform(-1, 1) * math.log(STRETCH))
    change = turn @ np.array([[stretch, generator.uniform(-SLANT, SLANT)], [0, 1]])
    middle = np.full(2, picture.shape[0] / 2)
    affine = np.column_stack([change, middle - change @ middle])
    return cv2.warpAffine(picture, affine, picture.shape[::-1], flags=cv2.INTER_LINEAR)


def frame(picture: np.ndarray, form: Form) -> np.ndarray:
    """Crop a picture to its ink and bring it to a normal form.

    Args:
        picture: (N, N) uint8, 255 is ink.
        form: to bring it to.

    Returns:
        (28, 28) uint8, 255 is ink.
    """
    left, top, width, height = cv2.boundingRect(picture)
    ink = picture[top : top + height, left : left + width].astype(np.float32) / 255
    return np.round(to_frame(ink, form) * 255).astype(np.uint8)
