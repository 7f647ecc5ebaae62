"""Random variations of frames that leave the character what it is, a batch at a time in torch."""

import math

import torch
from torch.nn import functional

ROTATION_DEG = 10.0
SCALE = 0.1  # each axis is stretched by a factor in 1 +- SCALE
SHEAR = 0.1  # horizontal shift per unit of height: slant
SHIFT_PX = 1.5
WARP_PX = 0.6  # standard deviation of the elastic displacement at its control points
WARP_GRID = 6  # control points along each axis, about one every 5 px
BLUR_PX = 7  # side of the largest blur, a quarter of the frame
PEN_SHARE = 0.1  # share of the frames that get a bolder or a finer pen, unless said otherwise
PEN_AMOUNT = 0.7  # 1 would widen a stroke by 2 px or narrow it by 1 px, which erases a fine one


def augment(
    frames: torch.Tensor, pen_share: float = PEN_SHARE, soft_share: float = 0.0, strength: float = 1.0
) -> torch.Tensor:
    """Vary pose, shape, pen and focus of each frame at random, drawing from torch's global generator on the CPU.

    Args:
        frames: (N, 1, 28, 28) float32 in [0, 1]; 1 is ink.
        pen_share: share of the frames that get a bolder or a finer pen.
        soft_share: share of the frames that get out of focus.
        strength: by what all amounts and shares are multiplied.

    Returns:
        (N, 1, 28, 28) float32 in [0, 1], new tensors.
    """
    return soften(vary_pen(warp(frames, strength), strength * pen_share), strength * soft_share)


def warp(frames: torch.Tensor, strength: float = 1.0) -> torch.Tensor:
    """Apply a random affine and elastic transformation to each frame, in one interpolation.

    Source: Simard, Steinkraus and Platt 2003, "Best practices for convolutional neural networks applied to
    visual document analysis"; the smooth displacement field comes here from cubic interpolation of a coarse grid.
    Pixels are interpolated by a cubic too: a linear one blurs, and the network would never see a frame as sharp as
    those that it has to read.
    """
    count, _, side, _ = frames.shape
    half = side / 2  # pixels per unit of grid_sample's coordinates
    affine = random_affine(count, half, strength).to(frames)
    grid = functional.affine_grid(affine, list(frames.shape), align_corners=False)
    control = torch.randn(count, 2, WARP_GRID, WARP_GRID).to(frames) * (strength * WARP_PX / half)
    field = functional.interpolate(control, size=(side, side), mode="bicubic", align_corners=True)
    return functional.grid_sample(frames, grid + field.permute(0, 2, 3, 1), "bicubic", align_corners=False).clamp_(0, 1)


def random_affine(count: int, half: float, strength: float) -> torch.Tensor:
    """Draw (count, 2, 3) float32 affine matrices: stretch, slant, rotate, shift."""
    angle = uniform(count, strength * math.radians(ROTATION_DEG))
    cos, sin = torch.cos(angle), torch.sin(angle)
    width, height = 1 + uniform(count, strength * SCALE), 1 + uniform(count, strength * SCALE)
    slant = uniform(count, strength * SHEAR)
    shift = strength * SHIFT_PX / half
    shift_x, shift_y = uniform(count, shift), uniform(count, shift)
    top = torch.stack([cos * width, (cos * slant - sin) * height, shift_x], dim=1)
    bottom = torch.stack([sin * width, (sin * slant + cos) * height, shift_y], dim=1)
    return torch.stack([top, bottom], dim=1)


def vary_pen(frames: torch.Tensor, share: float) -> torch.Tensor:
    """Make the strokes of a share of the frames bolder or finer by up to about a pixel."""
    bolder = functional.max_pool2d(frames, kernel_size=3, stride=1, padding=1)
    finer = -functional.max_pool2d(-frames, kernel_size=2, stride=1, padding=1)[..., :-1, :-1]
    choice = torch.rand(len(frames), 1, 1, 1).to(frames)
    amount = torch.rand(len(frames), 1, 1, 1).to(frames) * PEN_AMOUNT
    target = torch.where(choice < share / 2, bolder, finer)
    return torch.where(choice < share, torch.lerp(frames, target, amount), frames)


def soften(frames: torch.Tensor, share: float) -> torch.Tensor:
    """Blur a share of the frames, as a camera that is out of focus or shaken does, each by another amount."""
    chosen = torch.rand(len(frames)) < share
    if not chosen.any():
        return frames
    sharp = frames[chosen].transpose(0, 1)  # each frame is a channel with a kernel of its own
    kernels = blur_kernels(sharp.shape[1]).to(frames)
    softened = frames.clone()
    softened[chosen] = functional.conv2d(sharp, kernels, padding=BLUR_PX // 2, groups=len(kernels)).transpose(0, 1)
    return softened


def blur_kernels(count: int) -> torch.Tensor:
    """Draw (count, 1, BLUR_PX, BLUR_PX) float32 kernels of sum 1: discs and lines of up to BLUR_PX."""
    half = BLUR_PX // 2
    y, x = torch.meshgrid(*[torch.arange(-half, half + 1).float()] * 2, indexing="ij")
    reach = torch.rand(count, 1, 1) * (half + 0.5)
    angle = torch.rand(count, 1, 1) * math.pi
    along, across = x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin()
    disc = (reach + 0.5 - (x * x + y * y).sqrt()).clamp(0, 1)
    line = (reach + 0.5 - along.abs()).clamp(0, 1) * (1 - across.abs()).clamp(0, 1)
    kernels = torch.where(torch.rand(count, 1, 1) < 0.5, disc, line)  # noqa: PLR2004
    return (kernels / kernels.sum(dim=(1, 2), keepdim=True))[:, None]


def uniform(count: int, bound: float) -> torch.Tensor:
    """Draw (count,) float32 values from [-bound, bound)."""
    return (torch.rand(count) * 2 - 1) * bound
