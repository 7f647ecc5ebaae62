"""Characters on paper of every kind: scenes of `training.ink`, one kind at a time."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from inkserve.client.pictures import encode, from_array
from training.ink import scenes
from training.ink.scenes import Scene, Step

SEED = 2_000_000  # of no scene that the network has learned from
SHARE = (0.15, 0.5)  # of the character's longest side in the picture's shorter one
SIDES_PX = (240, 480)  # of a picture


class Kind(NamedTuple):
    """What happens to a scene before ink is put on the paper, and afterwards."""

    before: Sequence[Step] = ()
    after: Sequence[Step] = ()


KINDS: Mapping[str, Kind] = {
    "plain paper": Kind(),
    "ruled": Kind([scenes.ruled]),
    "squared": Kind([scenes.squared]),
    "dotted": Kind([scenes.dotted]),
    "in printed boxes": Kind([scenes.boxed]),
    "among printed words": Kind([scenes.printed]),
    "underlined": Kind([scenes.underlined]),
    "circled": Kind([scenes.circled]),
    "beside a bracket, dot or dash": Kind([scenes.bracketed]),
    "struck through": Kind([scenes.struck]),
    "beside a scribble": Kind([scenes.scribbled]),
    "a sheet on a desk": Kind(after=[scenes.on_desk]),
    "a scan with black edges": Kind(after=[scenes.scanner_edge]),
    "a screenshot with bars": Kind(after=[scenes.status_bar]),
    "a shadow": Kind(after=[scenes.shadow]),
    "a reflection": Kind(after=[scenes.reflection]),
    "out of focus or shaken": Kind(after=[scenes.blurred]),
    "dithered": Kind(after=[scenes.dithered]),
    "one bit": Kind(after=[scenes.one_bit]),
    "with specks": Kind(after=[scenes.specks]),
    "light on dark": Kind(after=[scenes.inverted]),
    "cropped to the ink": Kind(after=[scenes.cropped]),
    "squared, on a desk, in shadow": Kind([scenes.squared], [scenes.on_desk, scenes.shadow, scenes.noisy]),
}


def scene_of(frame: np.ndarray, kind: Kind, generator: np.random.Generator) -> Scene:
    """Make a scene of one kind with a (28, 28) uint8 frame as its character."""
    scene = scenes.start([frame], generator, SHARE, SIDES_PX)
    for step in (scenes.texture, *kind.before, scenes.put_ink, scenes.gradient, *kind.after):
        step(scene)
    if kind.after[-1:] not in ([scenes.dithered], [scenes.one_bit]):
        scenes.compressed(scene)
    return scene


def frames_of(draw: Callable[[np.random.Generator], np.ndarray], count: int) -> list[np.ndarray]:
    """Draw (28, 28) uint8 frames, such as marks, with generators of their own."""
    return [draw(np.random.default_rng((SEED, number))) for number in range(count)]


def pictures_of(frames: Sequence[np.ndarray] | np.ndarray, kind: str) -> Iterator[bytes]:
    """Make an encoded picture of each frame."""
    for number, frame in enumerate(frames):
        generator = np.random.default_rng((SEED, list(KINDS).index(kind), number))
        yield encode(from_array(np.clip(scene_of(frame, KINDS[kind], generator).grey, 0, 1)))
