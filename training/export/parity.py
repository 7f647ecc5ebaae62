"""Whether the output of an export equals that of torch, on real frames."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from handwriting.labels import DIGITS
from handwriting.preprocess import picture_frame, unit_frames
from training.card import Record
from training.data import data_dir, is_there, load_characters, title_of
from training.export.source import AbsentError, ParityError, Predictor

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "digits"  # file names begin with the label
CHECKED = 2000
CALIBRATED = 512
TOLERANCE = 1e-4  # of a probability; float32 sums in another order differ by about 1e-6
SUM_TOLERANCE = 1e-3


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


@dataclass(frozen=True)
class Parity(Record):
    """How an export compares with torch on the same frames.

    Attributes:
        frames: where they come from.
        n: number of frames.
        agreement: share of frames with the same most probable label, in [0, 1].
        max_difference: the largest between two probabilities.
        accuracy: share of frames whose label the export gets right, in [0, 1].
        accuracy_torch: the same for torch.
    """

    frames: str
    n: int
    agreement: float
    max_difference: float
    accuracy: float
    accuracy_torch: float

    def describe(self) -> str:
        """Write it in a line."""
        return (
            f"same label as torch in {self.agreement:.2%} of {self.n:,} ({self.frames}), "
            f"probabilities within {self.max_difference:.1e}, "
            f"accuracy {self.accuracy:.2%} (torch {self.accuracy_torch:.2%})"
        )


def compare(predictor: Predictor, reference: Predictor, frames: Frames, exact: bool) -> Parity:
    """Compare an export with torch.

    Args:
        predictor: of the export.
        reference: of torch.
        frames: to run both on; the first also runs alone, as a batch of another size.
        exact: whether labels must be the same and probabilities within TOLERANCE.

    Raises:
        ParityError: they are not, or the output is not probabilities.
    """
    wanted, found = reference.predict_all(frames.frames), predictor.predict_all(frames.frames)
    check_probabilities(found, wanted.shape)
    check_probabilities(predictor.predict(frames.frames[:1]), wanted[:1].shape)
    labels, labels_torch = found.argmax(axis=1), wanted.argmax(axis=1)
    parity = Parity(
        frames=frames.title,
        n=len(frames),
        agreement=float((labels == labels_torch).mean()),
        max_difference=float(np.abs(found - wanted).max()),
        accuracy=float((labels == frames.labels).mean()),
        accuracy_torch=float((labels_torch == frames.labels).mean()),
    )
    if exact and (parity.agreement < 1 or parity.max_difference > TOLERANCE):
        raise ParityError(f"differs from torch: {parity.describe()}; wanted all labels, and within {TOLERANCE:g}")
    return parity


def check_probabilities(found: np.ndarray, shape: tuple[int, ...]) -> None:
    """Check that the output of an export is probabilities of the right shape.

    Raises:
        ParityError: it is not.
    """
    if found.shape != shape or found.dtype != np.float32:
        raise ParityError(f"output is {found.dtype} {found.shape}; wanted float32 {shape}")
    worst = float(np.abs(found.sum(axis=1) - 1).max())
    if not worst <= SUM_TOLERANCE:  # also true for NaN
        raise ParityError(f"probabilities add up to 1 only within {worst:g}; wanted {SUM_TOLERANCE:g}")


def check_frames(data_set: str) -> Frames:
    """Take the first CHECKED test frames of a data set, or the drawings of examples/digits without it.

    Raises:
        DataError: the data set is there, but damaged.
    """
    if not is_there(data_set, "test"):
        return example_frames(data_set)
    characters = load_characters(data_set, "test").take(slice(CHECKED))
    return Frames(f"{title_of(data_set, 'test')}, the first", unit_frames(characters.images), characters.labels)


def example_frames(normal_form: str) -> Frames:
    """Bring the drawings of examples/digits, which every checkout has, into a normal form."""
    paths = sorted(EXAMPLES.glob("*.png"))
    frames = np.stack([picture_frame(path.read_bytes(), normal_form) for path in paths])[:, None]
    labels = [DIGITS.index(path.name[0]) for path in paths]  # digits come first in every list of labels
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
        raise AbsentError(f"no {title_of(data_set, 'train')} in {data_dir()} to calibrate on; see `make data`")
    return unit_frames(load_characters(data_set, "train").take(slice(CALIBRATED)).images)
