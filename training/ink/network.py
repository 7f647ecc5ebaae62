"""The ink network: of each pixel of a view, how much of it is ink of a character, and how much another mark of the pen.

Source: Ronneberger et al. 2015, "U-Net: convolutional networks for biomedical image segmentation". Its first layer
halves the view and its last doubles it, which takes a quarter of the time of convolutions at full size. Its coarse
layers have large kernels, as in Liu et al. 2022, "A ConvNet for the 2020s": whether a line is print is seen from far.
"""

import torch
from torch import nn
from torch.nn import functional

from handwriting.preprocess.ink_network import INPUTS

BLOCKS = 4  # in the coarsest layer
KERNEL = 7


class InkNetwork(nn.Module):
    """Maps (N, 3, 64, 64) float32 inputs to (N, 2, 64, 64) logits: ink of characters, other marks of the pen."""

    def __init__(self, widths: tuple[int, int, int] = (16, 24, 64)) -> None:
        super().__init__()
        fine, middle, coarse = widths
        self.enter = unit(INPUTS, fine, kernel=4, stride=2)
        self.down1 = nn.Sequential(unit(fine, middle, stride=2), WideUnit(middle))
        self.down2 = nn.Sequential(unit(middle, coarse, stride=2), *(WideUnit(coarse) for _ in range(BLOCKS)))
        self.whole = nn.Conv2d(coarse, coarse, 1)  # of the means over the view
        self.up1 = nn.Conv2d(coarse, middle, 1)
        self.mix1 = unit(middle, middle)
        self.up0 = nn.Conv2d(middle, fine, 1)
        self.mix0 = unit(fine, fine)
        self.leave = nn.ConvTranspose2d(fine, 2, 4, stride=2, padding=1)

    def forward(self, views: torch.Tensor) -> torch.Tensor:
        """Score views."""
        fine = self.enter(views)
        middle = self.down1(fine)
        coarse = self.down2(middle)
        coarse = coarse + self.whole(coarse.mean(dim=(2, 3), keepdim=True))
        middle = self.mix1(middle + functional.interpolate(self.up1(coarse), scale_factor=2.0, mode="nearest"))
        fine = self.mix0(fine + functional.interpolate(self.up0(middle), scale_factor=2.0, mode="nearest"))
        leave: torch.Tensor = self.leave(fine)
        return leave


class WideUnit(nn.Module):
    """Adds to each channel what a large kernel sees around it, mixed with the other channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.see = nn.Conv2d(channels, channels, KERNEL, padding=KERNEL // 2, groups=channels, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.mix = nn.Sequential(nn.Conv2d(channels, 2 * channels, 1), nn.ReLU(), nn.Conv2d(2 * channels, channels, 1))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Map (N, channels, H, W) to the same shape."""
        added: torch.Tensor = maps + self.mix(self.norm(self.see(maps)))
        return added


def unit(channels_in: int, channels_out: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Make a convolution with BatchNorm and ReLU."""
    convolution = nn.Conv2d(channels_in, channels_out, kernel, stride, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(channels_out), nn.ReLU())
