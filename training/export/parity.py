"""Whether an export says what torch says."""

from dataclasses import asdict, dataclass

import numpy as np

from training.export.errors import ParityError
from training.export.frames import Frames
from training.export.reader import Reader

TOLERANCE = 1e-4  # of a probability; float32 sums in another order differ by some 1e-6
SUM_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Parity:
    """How an export compares with torch on the same frames.

    Attributes:
        frames: where they come from.
        n: how many they are.
        agreement: share of frames with the same most probable label, in [0, 1].
        max_difference: the largest between two probabilities.
        accuracy: share of frames whose label the export gets right, in [0, 1].
        accuracy_torch: the same of torch.
    """

    frames: str
    n: int
    agreement: float
    max_difference: float
    accuracy: float
    accuracy_torch: float

    def describe(self) -> str:
        """Say it in a line."""
        return (
            f"same label as torch in {self.agreement:.2%} of {self.n:,} ({self.frames}), "
            f"probabilities within {self.max_difference:.1e}, "
            f"accuracy {self.accuracy:.2%} (torch {self.accuracy_torch:.2%})"
        )

    def as_dict(self) -> dict[str, object]:
        """Return it for a card."""
        return asdict(self)


def compare(reader: Reader, reference: Reader, frames: Frames, exact: bool) -> Parity:
    """Compare an export with torch.

    Args:
        reader: of the export.
        reference: torch's.
        frames: to run both on; the first is also run alone, as a batch of another size.
        exact: whether labels must be the same and probabilities within TOLERANCE.

    Raises:
        ParityError: they are not, or what comes out is no probabilities.
    """
    wanted, found = reference.predict_all(frames.frames), reader.predict_all(frames.frames)
    check_probabilities(found, wanted.shape)
    check_probabilities(reader.predict(frames.frames[:1]), wanted[:1].shape)
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
        raise ParityError(f"not what torch says: {parity.describe()}; wanted all labels, and within {TOLERANCE:g}")
    return parity


def check_probabilities(found: np.ndarray, shape: tuple[int, ...]) -> None:
    """Check that an export's output is probabilities of the right shape.

    Raises:
        ParityError: it is not.
    """
    if found.shape != shape or found.dtype != np.float32:
        raise ParityError(f"output is {found.dtype} {found.shape}; wanted float32 {shape}")
    worst = float(np.abs(found.sum(axis=1) - 1).max())
    if not worst <= SUM_TOLERANCE:  # nor NaN
        raise ParityError(f"probabilities add up to 1 only within {worst:g}; wanted {SUM_TOLERANCE:g}")
