"""Characters on paper of every kind: scenes of `training.ink`, one kind at a time."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from inkserve.client.pictures import encode, from_array
from training.ink import camera, paper, pen
from training.ink.scene import Scene, Step, start

SEED = 2_000_000  # of no scene that the network has learned from
SHARE = (0.15, 0.5)  # of the character's longest side in the picture's shorter one
SIDES_PX = (240, 480)  # of a picture


class Kind(NamedTuple):
    """What happens to a scene before ink is put on the paper, and afterwards."""

    before: Sequence[Step] = ()
    after: Sequence[Step] = ()


KINDS: Mapping[str, Kind] = {
    "plain paper": Kind(),
    "ruled": Kind([paper.ruled]),
    "squared": Kind([paper.squared]),
    "dotted": Kind([paper.dotted]),
    "in printed boxes": Kind([paper.boxed]),
    "among printed words": Kind([paper.printed]),
    "underlined": Kind([pen.underlined]),
    "circled": Kind([pen.circled]),
    "beside a bracket, dot or dash": Kind([pen.bracketed]),
    "struck through": Kind([pen.struck]),
    "beside a scribble": Kind([pen.scribbled]),
    "a sheet on a desk": Kind(after=[camera.on_desk]),
    "a scan with black edges": Kind(after=[camera.scanner_edge]),
    "a screenshot with bars": Kind(after=[camera.status_bar]),
    "a shadow": Kind(after=[camera.shadow]),
    "a reflection": Kind(after=[camera.reflection]),
    "out of focus or shaken": Kind(after=[camera.blurred]),
    "dithered": Kind(after=[camera.dithered]),
    "one bit": Kind(after=[camera.one_bit]),
    "with specks": Kind(after=[camera.specks]),
    "light on dark": Kind(after=[camera.inverted]),
    "cropped to the ink": Kind(after=[camera.cropped]),
    "squared, on a desk, in shadow": Kind([paper.squared], [camera.on_desk, camera.shadow, camera.noisy]),
    "in a printed table": Kind([paper.tabled]),
    "over a watermark": Kind([paper.watermarked]),
    "on a stain": Kind([paper.stained]),
    "beside a stamp": Kind([paper.stamped]),
    "drawn as an outline": Kind([pen.hollow]),
    "in a box, in perspective": Kind([paper.boxed], [camera.aslant]),
}


def scene_of(frame: np.ndarray, kind: Kind, generator: np.random.Generator) -> Scene:
    """Make a scene of one kind with a (28, 28) uint8 frame as its character."""
    scene = start([frame], generator, SHARE, SIDES_PX)
    for step in (paper.texture, *kind.before, pen.put_ink, camera.gradient, *kind.after):
        step(scene)
    if kind.after[-1:] not in ([camera.dithered], [camera.one_bit]):
        camera.compressed(scene)
    return scene


def frames_of(draw: Callable[[np.random.Generator], np.ndarray], count: int) -> list[np.ndarray]:
    """Draw (28, 28) uint8 frames, such as marks, with generators of their own."""
    return [draw(np.random.default_rng((SEED, number))) for number in range(count)]


def pictures_of(frames: Sequence[np.ndarray] | np.ndarray, kind: str) -> Iterator[bytes]:
    """Make an encoded picture of each frame."""
    for number, frame in enumerate(frames):
        generator = np.random.default_rng((SEED, list(KINDS).index(kind), number))
        yield encode(from_array(np.clip(scene_of(frame, KINDS[kind], generator).grey, 0, 1)))
