"""An opened export: all formats are asked in the same way."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

BATCH = 500  # frames at once, where speed is not the question


@dataclass(frozen=True)
class Reader:
    """An opened export.

    Attributes:
        predict: (N, 1, 28, 28) float32 frames, N at least 1, to (N, labels) float32 probabilities, on one thread.
        metadata: what the file says of itself; see Source.metadata.
    """

    predict: Callable[[np.ndarray], np.ndarray]
    metadata: Mapping[str, str]

    def predict_all(self, frames: np.ndarray) -> np.ndarray:
        """Predict any number of frames, some at a time."""
        return np.concatenate([self.predict(frames[k : k + BATCH]) for k in range(0, len(frames), BATCH)])
