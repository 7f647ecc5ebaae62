"""Grad-CAM: which parts of a frame support a label."""

import numpy as np
import torch

from handwriting.networks import Network


def explain(network: Network, frame: np.ndarray, target: int) -> np.ndarray:
    """Weigh the network's last feature maps by the gradient of the label's logit.

    With test-time augmentation, the frame without rotation is explained.

    Args:
        network: in evaluation mode.
        frame: (28, 28) float32 in [0, 1]; 1 is ink.
        target: index of the label.

    Returns:
        (28, 28) float32 in [0, 1]; 1 where the support for the label is largest; all 0 without any support.

    Source: Selvaraju et al. 2017, "Grad-CAM: visual explanations from deep networks via gradient-based localization".
    """
    # Imported here because it loads matplotlib, and most workers never explain anything
    from captum.attr import LayerAttribution, LayerGradCam  # noqa: PLC0415

    frames = torch.from_numpy(frame)[None, None]
    maps = LayerGradCam(network.score, network.last_maps()).attribute(frames, target, relu_attributions=True)
    heat: np.ndarray = LayerAttribution.interpolate(maps, frame.shape, "bilinear")[0, 0].detach().numpy()
    scaled: np.ndarray = heat / max(heat.max(), np.finfo(np.float32).tiny)
    return scaled
