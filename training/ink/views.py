"""Views of scenes as the network gets them: the whole picture first, then a closer look at the writing."""

import numpy as np

from training.ink.scenes import Scene
from training.ink.windows import Window, cut, view_of, whole


def views(scene: Scene) -> list[np.ndarray]:
    """Return a view of the whole scene and a closer one: (3, 64, 64) float32 each of grey, ink and marks."""
    left, top, right, bottom = scene.box
    side = round(max(8.0, scene.side * scene.between(1.15, 2.2)))
    middle = np.array([(left + right) / 2, (top + bottom) / 2]) + scene.side * scene.generator.uniform(-0.15, 0.15, 2)
    x, y = np.round(middle - side / 2)
    grey = np.round(np.clip(scene.grey, 0, 1) * 255).astype(np.uint8)
    return [
        np.stack([view_of(grey, window), cut(scene.ink, window, 0), cut(scene.marks, window, 0)])
        for window in (whole(scene.shape), Window(int(x), int(y), side))
    ]
