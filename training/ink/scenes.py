"""Pictures of characters as people send them, with the truth: which of their ink is the character's.

A scene is put together in the order in which it comes about: paper with its print, ink, what lies around the paper,
light, and the camera, scanner or screen.
"""

from collections.abc import Container, Mapping, Sequence

import cv2
import numpy as np

from training.ink.camera import (
    LIGHTS,
    SURROUNDINGS,
    aslant,
    blurred,
    compressed,
    cropped,
    dithered,
    inverted,
    noisy,
    one_bit,
    specks,
)
from training.ink.paper import PAPERS, texture
from training.ink.pen import MARKS, corrected, hollow, neighbours, put_ink, rows, struck
from training.ink.scene import Scene, Step, start

EMPTY_SHARE = 0.06  # of the scenes without a character
FAINTEST = 0.04  # difference of grey between ink and paper
STRUCK_SHARE = 0.02  # of the scenes; with more, the network takes the bars of characters for it
COMMON = frozenset({"ruled", "squared", "boxed"})  # what people write on most: twice as often as other paper
HOLLOW_SHARE = 0.025  # of the scenes
CORRECTED_SHARE = 0.04  # of the scenes


def make_scene(
    frames: Sequence[np.ndarray],
    generator: np.random.Generator,
    *,
    alone: bool = False,
    struck_share: float = STRUCK_SHARE,
    without: Container[str] = (),
) -> Scene:
    """Make a random scene with the first of these (28, 28) uint8 frames as its character.

    Where light, blur or dithering left nothing to see of it, another scene is made: nothing can be learned from that.

    Args:
        frames: at least four.
        generator: of everything random.
        alone: whether it is a picture of one character, for a recogniser to read.
        struck_share: of the scenes in which it is struck through.
        without: names of papers, marks and surroundings that are left out.
    """
    while True:
        scene = any_scene(frames, generator, alone, struck_share, without)
        if is_visible(scene):
            return scene


def is_visible(scene: Scene) -> bool:
    """Tell whether ink and the paper beside it differ in grey, or there is no ink."""
    ink = scene.ink > 0.5  # noqa: PLR2004
    beside = (cv2.dilate(scene.ink, np.ones((9, 9), np.uint8)) > 0) & (scene.ink + scene.marks <= 0)
    if not ink.any():
        return scene.is_empty
    if not beside.any():
        return True
    return bool(abs(scene.grey[ink].mean() - scene.grey[beside].mean()) >= FAINTEST)


def any_scene(
    frames: Sequence[np.ndarray],
    generator: np.random.Generator,
    alone: bool,
    struck_share: float,
    without: Container[str],
) -> Scene:
    """Make a random scene, as `make_scene` says."""

    def one_of(share: float, steps: Mapping[str, Step]) -> list[Step]:
        left = [(step, 2 if name in COMMON else 1) for name, step in steps.items() if name not in without]
        chosen, shares = zip(*left, strict=True)
        return [generator.choice(chosen, p=np.divide(shares, sum(shares)))] if generator.random() < share else []

    scene = start(frames, generator, (0.09, 0.95))
    steps: list[Step] = [texture] if generator.random() < 0.7 else []  # noqa: PLR2004
    if not alone and generator.random() < 0.32:  # noqa: PLR2004
        steps.append(rows(frames[1 : 2 + generator.integers(len(frames) - 3)]))
    if generator.random() < HOLLOW_SHARE:
        steps.append(hollow)
    steps += one_of(0.7, PAPERS) + one_of(0.15, PAPERS)
    steps += one_of(0.22, MARKS)
    if generator.random() < struck_share:
        steps.append(struck)
    if generator.random() < 0.2:  # noqa: PLR2004
        steps.append(neighbours(frames[-2:]))
    if generator.random() < CORRECTED_SHARE:
        steps.append(corrected(frames[-3]))
    if not alone and generator.random() < EMPTY_SHARE:
        scene.ink[:] = 0
        scene.is_empty = True
    steps.append(put_ink)
    if generator.random() < 0.3:  # noqa: PLR2004
        steps.append(aslant)
    steps += one_of(0.35, SURROUNDINGS)
    steps += one_of(0.55, LIGHTS) + one_of(0.25, LIGHTS)
    for share, step in (
        (0.35, blurred),
        (0.4, noisy),
        (0.08, dithered),
        (0.1, one_bit),
        (0.05, specks),
        (0.2, inverted),
        (0.5, compressed),
    ):
        if generator.random() < share:
            steps.append(step)
    if generator.random() < 0.12:  # noqa: PLR2004
        steps.append(cropped)
    for step in steps:
        step(scene)
    scene.grey = np.clip(scene.grey, 0, 1)
    return scene
