"""A small data set in the layout of MNIST and EMNIST: own strokes, varied by the project's own augmentation.

Tests of training, export and the rest use it in place of the official data, so that they run everywhere. Only tests of
accuracy want the official files, and are skipped without them.
"""

import contextlib
import os
import random
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from examples.digit_strokes import DIGIT_STROKES, Stroke, curve, hand, line
from handwriting.labels import CHARACTERS, DIGITS
from handwriting.preprocess import FORMS
from training.augment import augment
from training.data import MANIFEST, PARTS, Characters, DataError, Manifest, load_characters, write_idx
from training.fonts.render import frame

TITLE = "own strokes"
COUNTS = {("mnist", "train"): 1800, ("mnist", "test"): 600, ("emnist", "train"): 1410, ("emnist", "test"): 517}
REPEATS = 2  # of each frame, since making one takes milliseconds
WRITINGS = {"train": 6, "test": 2}  # of each label
CANVAS_PX, SIDE_PX = 256, 48  # of what is written, and of what is varied before it becomes a frame
FAINT = 0.1  # less ink than this, such as the overshoot of interpolation, would widen the box of a character
OFFICIAL = Path(os.environ.get("DATA_DIR", "data"))  # before the fixture below changes the variable

_O = curve("52,16 34,26 28,50 36,76 52,84 68,74 72,48 64,24 50,16")
_P = [line("36,16 36,85"), curve("36,17 62,20 67,36 56,50 36,52")]
LETTER_STROKES: dict[str, list[Stroke]] = {
    "A": [line("28,84 50,16 72,84"), line("36,60 64,60")],
    "B": [line("34,16 34,84"), curve("34,17 58,20 62,34 52,46 36,49"), curve("36,49 62,54 67,68 56,82 34,84")],
    "C": [curve("68,26 54,16 36,24 28,48 34,74 52,84 68,76")],
    "D": [line("34,16 34,84"), curve("34,17 58,22 70,48 60,76 34,84")],
    "E": [line("66,17 34,17 34,84 67,84"), line("34,49 60,49")],
    "F": [line("66,17 34,17 34,85"), line("34,48 60,48")],
    "G": [curve("68,28 54,16 36,24 28,50 36,78 54,84 69,74"), line("69,74 70,54"), line("52,54 78,54")],
    "H": [line("32,16 32,84"), line("68,16 68,84"), line("32,50 68,50")],
    "I": [line("50,17 50,83"), line("36,17 64,17"), line("36,83 64,83")],
    "J": [line("60,17 60,64") + curve("60,64 54,82 40,82 32,68"), line("44,17 76,17")],
    "K": [line("34,16 34,84"), line("66,17 34,54"), line("44,46 68,84")],
    "L": [line("36,16 36,84 68,84")],
    "M": [line("26,84 30,17 50,60 70,17 74,84")],
    "N": [line("32,84 32,17 68,84 68,17")],
    "O": [_O],
    "P": _P,
    "Q": [_O, line("56,66 74,88")],
    "R": [*_P, line("48,52 68,84")],
    "S": [curve("66,26 52,16 38,22 36,36 50,48 64,60 64,76 48,85 33,76")],
    "T": [line("28,18 72,18"), line("50,18 50,84")],
    "U": [line("32,17 32,60") + curve("32,60 38,80 50,84 62,80 68,60") + line("68,60 68,17")],
    "V": [line("30,17 50,84 70,17")],
    "W": [line("24,17 36,84 50,40 64,84 76,17")],
    "X": [line("32,17 68,84"), line("68,17 32,84")],
    "Y": [line("31,17 50,50 69,17"), line("50,50 50,85")],
    "Z": [line("32,18 68,18 32,83 70,83")],
    "a": [curve("64,36 48,32 34,46 36,68 50,74 63,60"), line("64,34 64,64 72,74")],
    "b": [line("36,16 36,82"), curve("36,56 52,44 66,56 64,76 50,84 36,76")],
    "d": [line("64,16 64,84"), curve("64,56 50,44 35,56 36,76 50,84 64,74")],
    "e": [curve("36,60 64,56 62,42 48,36 35,50 36,72 50,82 66,74")],
    "f": [curve("66,24 56,15 48,24 46,50") + line("46,50 46,85"), line("32,46 62,46")],
    "g": [curve("62,32 48,26 36,38 38,54 50,58 62,46"), line("63,28 63,66") + curve("63,66 58,84 44,86 34,78")],
    "h": [line("36,16 36,84"), curve("36,58 48,46 62,50 64,64") + line("64,64 64,84")],
    "n": [line("34,36 34,80"), curve("34,54 46,38 60,40 65,54") + line("65,54 65,80")],
    "q": [curve("62,36 48,28 36,40 38,56 50,62 62,50"), line("63,30 63,88 72,80")],
    "r": [line("40,36 40,80"), curve("40,54 48,40 58,36 66,40")],
    "t": [line("48,18 48,74") + curve("48,74 52,82 62,82 68,76"), line("34,38 64,38")],
}


@cache
def written(label: str, seed: int) -> np.ndarray:
    """Write a label with a pen: (SIDE_PX, SIDE_PX) uint8, 255 is ink."""
    chance = random.Random(f"{label} {seed}")  # noqa: S311 - handwriting
    strokes = chance.choice(DIGIT_STROKES[label]) if label in DIGIT_STROKES else LETTER_STROKES[label]
    moved = hand(strokes, slant=chance.uniform(-0.05, 0.2), size=0.9, seed=seed)
    picture = Image.new("L", (CANVAS_PX, CANVAS_PX))
    pen, width = ImageDraw.Draw(picture), chance.randint(14, 22)
    for stroke in moved:
        points = [(x * CANVAS_PX, y * CANVAS_PX) for x, y in stroke]
        pen.line(points, fill=255, width=width, joint="curve")
        for x, y in (points[0], points[-1]):
            pen.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=255)
    return np.asarray(picture.resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX))


def small_part(data_set: str, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Make frames and labels of a part of a data set; test frames come from other writings than training frames."""
    labels: Sequence[str] = DIGITS if data_set == "mnist" else CHARACTERS
    first = WRITINGS["train"] if part == "test" else 0
    seeds = range(first, first + WRITINGS[part])
    pictures = np.stack([written(label, seed) for label in labels for seed in seeds])
    rows = np.arange(-(-COUNTS[data_set, part] // REPEATS)) % len(pictures)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        varied = augment(torch.from_numpy(pictures[rows])[:, None].float() / 255)[:, 0]
    inked = np.where(varied < FAINT, 0, varied * 255).round().astype(np.uint8)
    frames = np.stack([frame(each, FORMS[data_set]) for each in inked])
    order = np.random.default_rng(0).permutation(COUNTS[data_set, part]) % len(rows)
    return frames[order], (rows[order] // WRITINGS[part]).astype(np.uint8)


def write_small_data(folder: Path) -> None:
    """Write all parts of both data sets, and the manifest that names them."""
    digests = {}
    for data_set, part in PARTS:
        stem = PARTS[data_set, part][1][0]
        for kind, values in zip(("images-idx3", "labels-idx1"), small_part(data_set, part), strict=True):
            name = f"{stem}-{kind}-ubyte.gz"
            digests[name] = write_idx(folder / name, values)
    Manifest(TITLE, digests).write(folder / MANIFEST)


@pytest.fixture(scope="session")
def small_data(tmp_path_factory) -> Iterator[Path]:
    """DATA_DIR with the small data set, for the rest of the session and all processes that it starts.

    Workers of pytest-xdist share it: the first that has written it puts it in its place.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "small-data"
    if not folder.exists():
        written_here = tmp_path_factory.mktemp("data")
        write_small_data(written_here)
        with contextlib.suppress(OSError):  # another worker was first
            written_here.rename(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATA_DIR", str(folder))
        yield folder


@pytest.fixture(scope="session")
def mnist_train(small_data) -> Characters:
    return load_characters("mnist", "train")


@pytest.fixture(scope="session")
def mnist_test(small_data) -> Characters:
    return load_characters("mnist", "test")


@pytest.fixture(scope="session")
def emnist_train(small_data) -> Characters:
    return load_characters("emnist", "train")


@pytest.fixture(scope="session")
def emnist_test(small_data) -> Characters:
    return load_characters("emnist", "test")


@pytest.fixture
def official_data(monkeypatch) -> Path:
    """DATA_DIR with the official data; the tests that want it are skipped without."""
    monkeypatch.setenv("DATA_DIR", str(OFFICIAL))
    try:
        for data_set in ("mnist", "emnist"):
            load_characters(data_set, "test")
    except DataError as err:
        pytest.skip(str(err))
    return OFFICIAL
