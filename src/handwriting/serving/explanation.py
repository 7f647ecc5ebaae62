"""Which strokes spoke for a label: Grad-CAM."""

import numpy as np
import torch

from handwriting.networks import Network


def explain(network: Network, frame: np.ndarray, target: int) -> np.ndarray:
    """Weigh the network's last feature maps by how much the label's logit grows with them.

    A network with several looks is explained at the upright one.

    Args:
        network: in evaluation mode.
        frame: (28, 28) float32 in [0, 1]; 1 is ink.
        target: index of the label.

    Returns:
        (28, 28) float32 in [0, 1]; 1 where most speaks for the label, all 0 where nothing does.

    Source: Selvaraju et al. 2017, "Grad-CAM: visual explanations from deep networks via gradient-based localization".
    """
    # Only here: it brings matplotlib, which a worker that is asked for no explanation need not have in memory
    from captum.attr import LayerAttribution, LayerGradCam  # noqa: PLC0415

    frames = torch.from_numpy(frame)[None, None]
    maps = LayerGradCam(network.score, network.last_maps()).attribute(frames, target, relu_attributions=True)
    heat = LayerAttribution.interpolate(maps, frame.shape, "bilinear")[0, 0].detach().numpy()
    return heat / max(heat.max(), np.finfo(np.float32).tiny)
