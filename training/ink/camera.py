"""What comes after the writing: what lies around the paper, light, camera, scanner and screen."""

from collections.abc import Mapping

import cv2
import numpy as np
from PIL import Image

from training.ink.scene import SHIFT, Scene, Step


def on_desk(scene: Scene) -> None:
    """Let the paper end within the picture, on a darker, lighter or patterned desk."""
    height, width = scene.shape
    left, top, right, bottom = scene.box
    margin = scene.side * scene.generator.uniform(0.25, 1.6, 4)
    quad = np.array(
        [
            [left - margin[0], top - margin[1]],
            [right + margin[2], top - margin[1]],
            [right + margin[2], bottom + margin[3]],
            [left - margin[0], bottom + margin[3]],
        ]
    )
    if scene.chance(0.4):  # only a corner or an edge of it
        far = scene.generator.choice(4, scene.generator.integers(1, 4), replace=False)
        for edge in far:
            quad[{0: [0, 3], 1: [0, 1], 2: [1, 2], 3: [2, 3]}[int(edge)], int(edge) % 2] = -999 if edge < 2 else 999  # noqa: PLR2004
    quad += scene.generator.normal(0, 0.05 * scene.side, quad.shape)
    turn = cv2.getRotationMatrix2D(((left + right) / 2, (top + bottom) / 2), scene.between(-12, 12), 1.0)
    quad = quad @ turn[:, :2].T + turn[:, 2]
    mask = np.zeros((height, width), np.uint8)
    cv2.fillConvexPoly(mask, np.round(quad * 2**SHIFT).astype(np.int32), 255, cv2.LINE_AA, SHIFT)
    sheet = mask.astype(np.float32) / 255
    sheet = np.maximum(sheet, cv2.dilate(np.maximum(scene.ink, scene.marks), np.ones((5, 5), np.uint8)))
    desk = np.full(
        (height, width), scene.between(0.03, 0.7) if scene.chance(0.8) else scene.between(0.5, 1), np.float32
    )
    pattern = scene.generator.normal(0, scene.between(0, 0.12), (height, max(2, width // 30))).astype(np.float32)
    pattern = cv2.GaussianBlur(cv2.resize(pattern, (width, height)), (0, 0), scene.between(0.5, 2.5))
    desk += pattern if scene.chance(0.5) else cv2.resize(np.ascontiguousarray(pattern.T), (width, height))
    shade = cv2.GaussianBlur(sheet, (0, 0), max(0.5, 0.05 * scene.side))
    desk *= 1 - scene.between(0, 0.5) * shade
    scene.grey = sheet * scene.grey + (1 - sheet) * desk


def scanner_edge(scene: Scene) -> None:
    """Blacken a band at one to four edges, as a scanner with an open lid does."""
    height, width = scene.shape
    level = scene.between(0, 0.2) if scene.chance(0.85) else scene.between(0.2, 0.5)
    left, top, right, bottom = scene.box
    rooms = (top, height - bottom, left, width - right)
    edges = range(4) if scene.chance(0.25) else scene.generator.choice(4, scene.generator.integers(1, 4), replace=False)
    lean = scene.between(-0.02, 0.02)
    for edge in edges:
        size = min(rooms[int(edge)] * 0.8, scene.between(0.01, 0.14) * min(height, width))
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        distance = (y, height - 1 - y, x, width - 1 - x)[int(edge)] + lean * ((x if edge < 2 else y) - width / 2)  # noqa: PLR2004
        band = np.clip(size - distance, 0, 1) * (1 - np.maximum(scene.ink, scene.marks))
        scene.grey = scene.grey * (1 - band) + level * band


def status_bar(scene: Scene) -> None:
    """Add bars of another grey with small writing at the top or bottom, as on a screenshot."""
    height, width = scene.shape
    for at_top in (True, False):
        room = scene.box[1] if at_top else height - scene.box[3]
        size = int(min(room * 0.8, scene.between(0.05, 0.15) * height))
        if size < 4 or scene.chance(0.3):  # noqa: PLR2004
            continue
        rows = slice(0, size) if at_top else slice(height - size, height)
        if scene.chance(0.6):
            scene.grey[rows] = scene.between(0, 1)
        base = float(scene.grey[rows].mean())
        mask = np.zeros(scene.shape, np.uint8)
        text = "12:{:02d}   {}%".format(*scene.generator.integers(10, 60, 2))
        place = (round(scene.between(0, 0.5) * width), round(size * 0.8) if at_top else height - round(size * 0.25))
        cv2.putText(mask, text, place, cv2.FONT_HERSHEY_SIMPLEX, size / 32, 255, 1, cv2.LINE_AA)
        ink = mask.astype(np.float32) / 255
        scene.grey = scene.grey * (1 - ink) + ink * (1.0 if base < 0.5 else 0.1)  # noqa: PLR2004


# Light


def gradient(scene: Scene) -> None:
    """Light the scene from one side."""
    height, width = scene.shape
    angle, depth = scene.between(0, 6.3), scene.between(0, 0.45)
    y, x = np.mgrid[-0.5 : 0.5 : height * 1j, -0.5 : 0.5 : width * 1j].astype(np.float32)
    scene.grey *= (1 - depth * (0.5 + np.cos(angle) * x + np.sin(angle) * y)).astype(np.float32)


def shadow(scene: Scene) -> None:
    """Cast a shadow with a hard or a soft edge over part of the scene."""
    height, width = scene.shape
    if scene.chance(0.7):
        angle = scene.between(0, 6.3)
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        middle = scene.generator.uniform(0.15, 0.85, 2) * (width, height)
        distance = (x - middle[0]) * np.cos(angle) + (y - middle[1]) * np.sin(angle)
        dark = np.clip(0.5 + distance / max(1.0, scene.between(0, 0.15) * width), 0, 1)
    else:
        mask = np.zeros(scene.shape, np.float32)
        points = (scene.generator.uniform(-0.2, 1.2, (5, 2)) * (width, height)).astype(np.int32)
        cv2.fillConvexPoly(mask, cv2.convexHull(points[:, None]), 1.0)
        dark = cv2.GaussianBlur(mask, (0, 0), max(0.6, scene.between(0, 0.05) * width))
    scene.grey *= (1 - scene.between(0.2, 0.65) * dark).astype(np.float32)


def reflection(scene: Scene) -> None:
    """Add the reflection of a lamp."""
    height, width = scene.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    middle, reach = (
        scene.generator.uniform(0, 1, 2) * (width, height),
        scene.generator.uniform(0.05, 0.4, 2) * (width, height),
    )
    blob = np.exp(-(((x - middle[0]) / reach[0]) ** 2 + ((y - middle[1]) / reach[1]) ** 2))
    scene.grey += (scene.between(0.1, 0.5) * blob).astype(np.float32)


# Camera, scanner and screen


def aslant(scene: Scene) -> None:
    """Turn the picture a little, and see it in perspective, as a camera held by hand does."""
    height, width = scene.shape
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    seen = corners + scene.generator.uniform(-0.1, 0.1, (4, 2)).astype(np.float32) * (width, height)
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), scene.between(-8, 8), 1.0)
    warp = cv2.getPerspectiveTransform(corners, (seen @ turn[:, :2].T + turn[:, 2]).astype(np.float32))

    def warped(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        left, top, right, bottom = box
        quad = np.array([[[left, top], [right, top], [right, bottom], [left, bottom]]], np.float32)
        (left, top, wide, high) = cv2.boundingRect(cv2.perspectiveTransform(quad, warp))
        return left, top, left + wide, top + high

    left, top, right, bottom = box = warped(scene.box)
    if min(left, top) < 0 or right > width or bottom > height:
        return  # people do not photograph half a character
    scene.box, scene.cells = box, [warped(cell) for cell in scene.cells]
    scene.grey = cv2.warpPerspective(scene.grey, warp, (width, height), borderMode=cv2.BORDER_REPLICATE)
    scene.ink, scene.marks = (cv2.warpPerspective(each, warp, (width, height)) for each in (scene.ink, scene.marks))


def blurred(scene: Scene) -> None:
    """Put the picture out of focus, or shake the camera, by up to a sixth of the character."""
    reach = scene.side * scene.between(0.01, 0.16)
    if scene.chance(0.6):
        scene.grey = cv2.GaussianBlur(scene.grey, (0, 0), max(0.3, reach / 2))
    else:
        size = max(1, round(2 * reach)) | 1
        kernel = np.zeros((size, size), np.float32)
        angle = scene.between(0, 3.2)
        half = np.array([np.cos(angle), np.sin(angle)]) * size / 2
        ends = [tuple(int(v) for v in np.round(size / 2 + sign * half)) for sign in (-1, 1)]
        cv2.line(kernel, ends[0], ends[1], 1.0, 1)
        scene.grey = cv2.filter2D(scene.grey, -1, kernel / max(1.0, float(kernel.sum())))


def compressed(scene: Scene) -> None:
    """Compress the picture as a messenger does."""
    pixels = np.round(np.clip(scene.grey, 0, 1) * 255).astype(np.uint8)
    _, coded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, int(scene.generator.integers(25, 95))])
    scene.grey = cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE).astype(np.float32) / 255


def dithered(scene: Scene) -> None:
    """Turn the picture into black and white, with dots for greys."""
    kind = scene.generator.integers(3)
    grey = np.clip(scene.grey, 0, 1)
    if kind == 0:
        bayer = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]], np.float32) / 16 + 1 / 32
        tiled = np.tile(bayer, (grey.shape[0] // 4 + 1, grey.shape[1] // 4 + 1))[: grey.shape[0], : grey.shape[1]]
        scene.grey = (grey > tiled).astype(np.float32)
    elif kind == 1:
        scene.grey = (grey > scene.generator.random(scene.shape)).astype(np.float32)
    else:
        scene.grey = np.asarray(Image.fromarray(np.round(grey * 255).astype(np.uint8)).convert("1"), np.float32)


def one_bit(scene: Scene) -> None:
    """Turn the picture into black and white at a threshold between pen and paper. Ink that becomes white is lost."""
    paper = float(np.median(scene.grey))
    threshold = paper * (scene.pen + (1 - scene.pen) * scene.between(0.4, 0.75))
    is_white = scene.grey > threshold
    scene.grey = is_white.astype(np.float32)
    scene.ink[is_white] = 0
    scene.marks[is_white] = 0


def specks(scene: Scene) -> None:
    """Sprinkle dark or light specks."""
    share = float(np.exp(scene.between(*np.log((0.0003, 0.01)))))
    hit = (scene.generator.random(scene.shape) < share).astype(np.float32)
    if scene.chance(0.5):
        hit = cv2.dilate(hit, np.ones((2, 2), np.uint8))
    scene.grey = np.where(hit > 0, 0.0 if scene.chance(0.7) else 1.0, scene.grey).astype(np.float32)


def noisy(scene: Scene) -> None:
    """Add the noise of a sensor, sometimes in the dark."""
    deviation = scene.between(0, 0.05) if scene.chance(0.9) else scene.between(0.05, 0.15)
    scene.grey += scene.generator.normal(0, deviation, scene.shape).astype(np.float32)


def inverted(scene: Scene) -> None:
    """Swap light and dark: chalk, dark mode, negatives."""
    scene.grey = 1 - np.clip(scene.grey, 0, 1)


def cropped(scene: Scene) -> None:
    """Crop the picture to the character, about as tight as a person or a detector does."""
    height, width = scene.shape
    left, top, right, bottom = scene.box
    margin = scene.side * scene.generator.uniform(-0.02, 0.12, 4)
    rows = slice(max(0, round(top - margin[0])), min(height, round(bottom + margin[1]) + 1))
    columns = slice(max(0, round(left - margin[2])), min(width, round(right + margin[3]) + 1))
    scene.grey, scene.ink, scene.marks = (
        np.ascontiguousarray(each[rows, columns]) for each in (scene.grey, scene.ink, scene.marks)
    )
    x, y = columns.start, rows.start
    scene.box = (left - x, top - y, right - x, bottom - y)


SURROUNDINGS: Mapping[str, Step] = {"on_desk": on_desk, "scanner_edge": scanner_edge, "status_bar": status_bar}
LIGHTS: Mapping[str, Step] = {"gradient": gradient, "shadow": shadow, "reflection": reflection}
