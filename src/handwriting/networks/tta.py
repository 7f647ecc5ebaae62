"""Test-time augmentation: rotated copies of a frame, whose logits are averaged."""

import math
from collections.abc import Sequence

import torch
from torch.nn import functional

from handwriting.preprocess import FRAME_PX


def rotation_grids(angles_deg: Sequence[float]) -> torch.Tensor:
    """Return the sampling grids that rotate a frame about its middle by each angle, (angles, 28, 28, 2) float32."""
    rotations = [
        [[math.cos(angle), -math.sin(angle), 0.0], [math.sin(angle), math.cos(angle), 0.0]]
        for angle in map(math.radians, angles_deg)
    ]
    return functional.affine_grid(torch.tensor(rotations), [len(rotations), 1, FRAME_PX, FRAME_PX], align_corners=False)


def sample(frames: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
    """Resample each frame at the points of a grid; outside the frame is paper.

    Args:
        frames: (N, 1, 28, 28) float32.
        grid: (28, 28, 2) float32.

    Returns:
        (N, 1, 28, 28) float32.
    """
    return functional.grid_sample(frames, grid.expand(frames.shape[0], -1, -1, -1), align_corners=False)
