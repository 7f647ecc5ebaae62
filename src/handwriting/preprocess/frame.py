"""Ink to frame: the normal forms in which MNIST stores its characters."""

import numpy as np

FRAME_PX = 28  # side of MNIST's and EMNIST's pictures


def unit_frames(frames: np.ndarray) -> np.ndarray:
    """Turn stored frames into network input.

    Args:
        frames: (N, 28, 28) uint8, 255 is ink.

    Returns:
        (N, 1, 28, 28) float32 in [0, 1]; 1 is ink, 0 is paper.
    """
    return frames[:, None].astype(np.float32) / 255
