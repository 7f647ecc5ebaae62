"""Real frames, to check exports and to calibrate them on."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from handwriting.labels import LABELS
from handwriting.preprocess import picture_frame, unit_frames
from training.data import PARTS, TITLES, data_dir, load_characters
from training.export.errors import AbsentError

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "digits"  # their names begin with their label
CHECKED = 2000
CALIBRATED = 512


@dataclass(frozen=True)
class Frames:
    """Labelled frames.

    Attributes:
        title: where they come from.
        frames: (N, 1, 28, 28) float32 in [0, 1], 1 is ink.
        labels: (N,) int64 class indices.
    """

    title: str
    frames: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


def is_there(data_set: str, part: str) -> bool:
    """Tell whether DATA_DIR has a part of a data set; whether it is sound shows when it is loaded."""
    return any((data_dir() / f"{stem}-images-idx3-ubyte.gz").exists() for stem in PARTS[data_set, part])


def check_frames(data_set: str) -> Frames:
    """Take the first CHECKED test frames of a data set, or our own drawings of digits where it is not there.

    Raises:
        DataError: the data set is there, but damaged.
    """
    if not is_there(data_set, "test"):
        return example_frames(data_set)
    characters = load_characters(data_set, "test").take(slice(CHECKED))
    return Frames(f"{TITLES[data_set, 'test']}, the first", unit_frames(characters.images), characters.labels)


def example_frames(normal_form: str) -> Frames:
    """Bring our own drawings of digits, which are there in every checkout, into a normal form."""
    paths = sorted(EXAMPLES.glob("*.png"))
    frames = np.stack([picture_frame(path.read_bytes(), normal_form) for path in paths])[:, None]
    labels = [LABELS["digits"].index(path.name[0]) for path in paths]  # digits come first in every class list
    return Frames("examples/digits", frames, np.array(labels))


def calibration_frames(data_set: str) -> np.ndarray:
    """Take the first CALIBRATED training frames of a data set; test frames must not be learned from.

    Returns:
        (N, 1, 28, 28) float32 in [0, 1].

    Raises:
        AbsentError: the data set is not there.
        DataError: it is damaged.
    """
    if not is_there(data_set, "train"):
        raise AbsentError(f"no {TITLES[data_set, 'train']} in {data_dir()} to calibrate on; see `make data`")
    return unit_frames(load_characters(data_set, "train").take(slice(CALIBRATED)).images)
