"""HTML of pictures, boxes on them, heatmaps and latencies; needs no server and no session."""

import base64
import html
import io
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from dashboard.shared.prepared_picture import thumbnail
from handwriting.preprocess.readings import AS_IT_IS, CLEAREST, INSIDE
from inkserve import Character

HEAT_RGB = (255, 112, 0)
READ_RGB = (27, 54, 165)  # of ink that was read
INPUTS = {  # by reading
    AS_IT_IS: "Model input: the ink, scaled and centred in 28 &times; 28 pixels",
    INSIDE: "Another model input: what the ink encloses, as it may be an outline",
    CLEAREST: "Another model input: without strokes that may not belong to the character",
}
FADED = 0.45  # of the contrast of all else
Box = tuple[float, float, float, float]  # left, top, width, height in px


def frame_figure(
    frame: np.ndarray, caption: str = INPUTS[AS_IT_IS], heatmap: np.ndarray | None = None, opacity: float = 0.0
) -> str:
    """Show a model input, and a Grad-CAM heatmap over it.

    Args:
        frame: (28, 28) float32 in [0, 1]; 1 is ink.
        caption: HTML; with a heatmap, its own.
        heatmap: (28, 28) float32 in [0, 1], or None.
        opacity: of the heatmap, in [0, 1].
    """
    image = Image.fromarray((frame * 255).round().astype(np.uint8))
    images = f'<img src="{data_url(image)}" alt="Model input, 28 by 28 pixels">'
    if heatmap is not None:
        images += (
            f'<img class="ink-heat" style="opacity:{opacity:.2f}" src="{data_url(warmth(heatmap))}" '
            f'alt="Grad-CAM heatmap, strongest {strongest(heatmap)}">'
        )
        caption = f"Grad-CAM heatmap over the model input, strongest {strongest(heatmap)}"
    return f'<figure><div class="ink-frame">{images}</div><figcaption>{caption}</figcaption></figure>'


def boxed(image: Image.Image, size_px: tuple[int, int], boxes: Mapping[Box, str], alt: str) -> str:
    """Show a picture with boxes on it.

    Args:
        image: to show, of any size.
        size_px: width and height that the boxes refer to.
        boxes: with a tooltip each.
        alt: alternative text of the picture.
    """
    width, height = size_px
    marks = "".join(
        f'<span class="ink-box" title="{html.escape(text)}" style="left:{100 * left / width:.2f}%;'
        f'top:{100 * top / height:.2f}%;width:{100 * wide / width:.2f}%;height:{100 * high / height:.2f}%"></span>'
        for (left, top, wide, high), text in boxes.items()
    )
    return f'<div class="ink-boxed"><img src="{data_url(image)}" alt="{html.escape(alt)}">{marks}</div>'


def highlighted(image: Image.Image, ink: np.ndarray) -> Image.Image:
    """Colour the ink that was read, and fade the rest, so that a person sees what was left out.

    Args:
        image: of the picture.
        ink: (height, width) float32 in [0, 1] of the same size.
    """
    pixels = np.asarray(image.convert("RGB"), np.float32)
    faded = 255 - (255 - pixels) * FADED
    share = np.clip(ink, 0, 1)[..., None]
    return Image.fromarray(np.round(faded * (1 - share) + np.float32(READ_RGB) * share).astype(np.uint8))


def character_boxes(characters: Sequence[Character]) -> dict[Box, str]:
    """Return the boxes of a page's characters, with label and confidence as tooltips."""
    return {each.box: f"{each.label}, {100 * each.confidence:.0f} %" for each in characters}


def latency_strip(round_trip_ms: float, stages_ms: Mapping[str, float], rendering_ms: float) -> str:
    """Show the parts of an answer's latency, as a bar and as numbers.

    A last part is hidden: the script of the Draw page, which alone sees how long a person waited, shows it.

    Args:
        round_trip_ms: from sending the request to receiving the answer.
        stages_ms: handler time; `handler` is all of it. Empty if the server did not report it.
        rendering_ms: time to prepare the figures here.
    """
    parts = {"round trip": round_trip_ms}
    if stages_ms:
        known = {name: stages_ms.get(name, 0.0) for name in ("preprocessing", "inference")}
        handler = stages_ms.get("handler", 0.0)
        rest = max(0.0, handler - sum(known.values()))
        parts = {"network and queue": max(0.0, round_trip_ms - handler), **known, "other handler time": rest}
    parts["rendering"] = rendering_ms
    whole = sum(parts.values()) or 1.0
    bar = "".join(f'<span style="width:{100 * time / whole:.2f}%"></span>' for time in parts.values())
    rows = "".join(f"<li><i></i>{name} <b>{time:.1f} ms</b></li>" for name, time in parts.items())
    return (
        f'<div class="ink-times"><div class="ink-strip" aria-hidden="true">{bar}'
        f"<span hidden></span></div><ul>{rows}<li hidden><i></i>canvas and page <b></b></li></ul>"
        "<p hidden>From the end of the stroke to this answer: <b></b></p></div>"
    )


def warmth(heatmap: np.ndarray) -> Image.Image:
    """Turn (H, W) float32 in [0, 1] into an image of HEAT_RGB; 0 is transparent."""
    image = np.empty((*heatmap.shape, 4), np.uint8)
    image[..., :3] = HEAT_RGB
    image[..., 3] = (heatmap * 255).round()
    return Image.fromarray(image, "RGBA")


def strongest(heatmap: np.ndarray) -> str:
    """Return in words where a heatmap is strongest, so that colour is not the only sign."""
    if not heatmap.any():
        return "nowhere"
    row, column = np.unravel_index(heatmap.argmax(), heatmap.shape)
    third = [int(3 * index / length) for index, length in zip((row, column), heatmap.shape, strict=True)]
    vertical, horizontal = ("top", "middle", "bottom")[third[0]], ("left", "centre", "right")[third[1]]
    return f"at the {vertical} {horizontal}"


def data_url(image: Image.Image) -> str:
    """Return an image as a data: URL."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def thumbnail_url(picture: bytes, longest_px: int) -> str | None:
    """Return an encoded picture at most `longest_px` a side as a data: URL, None if it cannot be decoded."""
    image = thumbnail(picture, longest_px)
    return None if image is None else data_url(image)
