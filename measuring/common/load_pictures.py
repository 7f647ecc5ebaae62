"""What load tests, benches and timings send: the project's own drawings, clean, as frames, and on paper."""

from collections.abc import Callable, Mapping, Sequence

import cv2
import numpy as np

from inkserve.client.pictures import encode, from_array
from measuring.common.example_digits import Picture, drawings, frames
from measuring.common.papers import KINDS as PAPERS
from measuring.common.papers import scene_of

USED = 12  # drawings; of a photograph each has over a megabyte
ON = ("ruled", "squared", "in printed boxes", "a sheet on a desk", "a shadow", "plain paper")  # in turn
CROP_PX = 60
SEED = 9  # of paper on which `digits` reads every drawing: a wrong label under load is then somebody else's answer
SCAN_PX = (1200, 900)
PHOTOGRAPH_PX = (4032, 3024)  # 12 megapixels
JPEG = [cv2.IMWRITE_JPEG_QUALITY, 90]


def crops() -> Sequence[Picture]:
    """Return small crops of photographs of paper."""
    return [
        png(picture, cv2.resize(grey, (CROP_PX, CROP_PX), interpolation=cv2.INTER_AREA)) for picture, grey in shown()
    ]


def scans() -> Sequence[Picture]:
    """Return scans of 1200 x 900 px."""
    return [png(picture, cv2.resize(grey, SCAN_PX, interpolation=cv2.INTER_CUBIC)) for picture, grey in shown()]


def photographs() -> Sequence[Picture]:
    """Return photographs of 12 megapixels, in colour, as JPEG."""
    made = []
    for picture, grey in shown():
        colours = cv2.cvtColor(cv2.resize(grey, PHOTOGRAPH_PX, interpolation=cv2.INTER_CUBIC), cv2.COLOR_GRAY2BGR)
        made.append(
            picture._replace(name=f"{picture.name}.jpg", content=cv2.imencode(".jpg", colours, JPEG)[1].tobytes())
        )
    return made


def shown() -> Sequence[tuple[Picture, np.ndarray]]:
    """Return drawings, each with a (H, W) uint8 picture of it on paper."""
    made = []
    for number, picture in enumerate(drawings()[:: max(1, len(drawings()) // USED)][:USED]):
        grey = cv2.imdecode(np.frombuffer(picture.content, np.uint8), cv2.IMREAD_GRAYSCALE)
        frame = cv2.resize(255 - grey, (28, 28), interpolation=cv2.INTER_AREA)
        scene = scene_of(frame, PAPERS[ON[number % len(ON)]], np.random.default_rng((SEED, number)))
        made.append((picture, np.round(np.clip(scene.grey, 0, 1) * 255).astype(np.uint8)))
    return made


def png(picture: Picture, grey: np.ndarray) -> Picture:
    """Return a picture with other pixels."""
    return picture._replace(content=encode(from_array(grey)))


KINDS: Mapping[str, Callable[[], Sequence[Picture]]] = {
    "drawings": drawings,
    "frames": frames,
    "crops": crops,
    "photographs": photographs,
}
