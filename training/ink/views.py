"""Views of scenes as the network gets them: the whole picture first, then a closer look at the writing."""

import numpy as np

from handwriting.preprocess.ink_network import VIEW_PX
from handwriting.preprocess.windows import Window, beyond_of, border_of, cut, shown, whole
from training.ink.scene import Scene

LAYERS = 5  # of a view: grey, ink, marks, what counts, and what is beyond the picture
TILE_MARGIN_PX = 12  # what is that near the edge of a part of a page does not count
TILE_SHARE = 0.6  # of the closer looks at several characters
BETWEEN_SHARE = 0.3  # of the other closer looks: with what an earlier look has taken for writing, too


def views(scene: Scene) -> list[np.ndarray]:
    """Return a view of the whole scene and a closer one: (LAYERS, 64, 64) float32 in [0, 1] each.

    The closer one shows all writing, with much or little around it, or a part of a page. In that, what is near the edge
    does not count, since there even a person could not tell a character from a stray stroke.
    """
    is_tile = len(scene.cells) > 1 and scene.chance(TILE_SHARE)
    closer = tile if is_tile else between if scene.chance(BETWEEN_SHARE) else around
    outside = float(np.median(border_of(scene.grey)))
    layers = ((scene.grey, outside), (scene.ink, 0.0), (scene.marks, 0.0))
    looks = []
    for window in (whole(scene.shape), closer(scene)):
        counted = np.ones((VIEW_PX, VIEW_PX), np.float32)
        if is_tile and looks:
            counted[:] = 0
            counted[TILE_MARGIN_PX:-TILE_MARGIN_PX, TILE_MARGIN_PX:-TILE_MARGIN_PX] = 1
        cuts = (cut(layer, window, beyond, VIEW_PX) for layer, beyond in layers)
        looks.append(np.stack([*cuts, counted, beyond_of(shown(window, scene.shape, VIEW_PX), VIEW_PX)]))
    return looks


def around(scene: Scene) -> Window:
    """Return a window around all writing, with some room."""
    side = round(max(8.0, scene.side * scene.between(1.15, 2.2)))
    return centred(scene, scene.box, side, 0.15 * scene.side)


def between(scene: Scene) -> Window:
    """Return a window of any size between the writing's and the scene's, with the writing anywhere in it."""
    least, most = max(8.0, 1.2 * scene.side), float(max(scene.shape))
    side = round(min(most, least * (max(1.0, most / least)) ** scene.between(0, 1)))
    left, top, right, bottom = scene.box
    x, y = (round(scene.between(*sorted((low, high - side)))) for low, high in ((left, right), (top, bottom)))
    return Window(x, y, side)


def tile(scene: Scene) -> Window:
    """Return a window around one of several characters, about as a page is cut into tiles."""
    left, top, right, bottom = box = scene.cells[scene.generator.integers(len(scene.cells))]
    side = round(max(8.0, max(right - left, bottom - top) * scene.between(1.5, 3.2)))
    return centred(scene, box, side, 0.3 * side)


def centred(scene: Scene, box: tuple[float, float, float, float], side: int, jitter: float) -> Window:
    """Return a window about around the middle of a box."""
    left, top, right, bottom = box
    middle = np.array([(left + right) / 2, (top + bottom) / 2]) + jitter * scene.generator.uniform(-1, 1, 2)
    x, y = np.round(middle - side / 2)
    return Window(int(x), int(y), side)
