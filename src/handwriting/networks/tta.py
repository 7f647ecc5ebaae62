"""Turned frames: a network that reads a frame from several sides and takes the mean is right more often."""

import math
from collections.abc import Sequence

import torch
from torch.nn import functional

from handwriting.preprocess import FRAME_PX


def turned_grids(angles_deg: Sequence[float]) -> torch.Tensor:
    """Make the grids that turn a frame about its middle by each angle, (angles, 28, 28, 2) float32."""
    turns = [
        [[math.cos(angle), -math.sin(angle), 0.0], [math.sin(angle), math.cos(angle), 0.0]]
        for angle in map(math.radians, angles_deg)
    ]
    return functional.affine_grid(torch.tensor(turns), [len(turns), 1, FRAME_PX, FRAME_PX], align_corners=False)


def sample(frames: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
    """Resample each frame at the points of one grid; beyond the frame is paper.

    Args:
        frames: (N, 1, 28, 28) float32.
        grid: (28, 28, 2) float32.

    Returns:
        (N, 1, 28, 28) float32.
    """
    return functional.grid_sample(frames, grid.expand(frames.shape[0], -1, -1, -1), align_corners=False)
