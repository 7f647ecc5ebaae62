"""HTML of pictures with what was found in them; no server, no session."""

import html
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from dashboard.shared.preview import data_url
from inkserve.client import Character

HEAT_RGB = (255, 112, 0)
Box = tuple[float, float, float, float]  # left, top, width, height in px


def frame_figure(frame: np.ndarray, heatmap: np.ndarray | None, opacity: float) -> str:
    """Show what the model saw, and over it what spoke for its label.

    Args:
        frame: (28, 28) float32 in [0, 1]; 1 is ink.
        heatmap: (28, 28) float32 in [0, 1], or None.
        opacity: of the heat map, in [0, 1].
    """
    saw = f'<img src="{data_url(grey(frame))}" alt="The frame of 28 by 28 pixels that the model saw">'
    if heatmap is None:
        caption = "What the model saw: your ink, scaled and centred in 28 &times; 28 pixels"
        return f'<figure><div class="ink-frame">{saw}</div><figcaption>{caption}</figcaption></figure>'
    heat = (
        f'<img class="ink-heat" style="opacity:{opacity:.2f}" src="{data_url(warmth(heatmap))}" '
        f'alt="Heat map, strongest {strongest(heatmap)}">'
    )
    caption = f"What the model saw; the warmer, the more it spoke for the label: most {strongest(heatmap)}"
    return f'<figure><div class="ink-frame">{saw}{heat}</div><figcaption>{caption}</figcaption></figure>'


def boxed(image: Image.Image, size_px: tuple[int, int], boxes: Mapping[Box, str], alt: str) -> str:
    """Show a picture with boxes on it.

    Args:
        image: as it is shown, of any size.
        size_px: width and height that the boxes are measured in.
        boxes: what each box says to who points at it.
        alt: what the picture is.
    """
    width, height = size_px
    marks = "".join(
        f'<span class="ink-box" title="{html.escape(text)}" style="left:{100 * left / width:.2f}%;'
        f'top:{100 * top / height:.2f}%;width:{100 * wide / width:.2f}%;height:{100 * high / height:.2f}%"></span>'
        for (left, top, wide, high), text in boxes.items()
    )
    return f'<div class="ink-boxed"><img src="{data_url(image)}" alt="{html.escape(alt)}">{marks}</div>'


def character_boxes(characters: Sequence[Character]) -> dict[Box, str]:
    """Return the boxes of a page's characters with what they were read as."""
    return {each.box: f"{each.label}, {100 * each.confidence:.0f} %" for each in characters}


def latency_strip(round_trip_ms: float, stages_ms: Mapping[str, float], rendering_ms: float) -> str:
    """Show where the time of an answer went, as a bar and as numbers.

    Args:
        round_trip_ms: from sending to having the answer.
        stages_ms: what the worker took; `handler` is all of it. Empty where the server did not say.
        rendering_ms: what showing it took here.
    """
    parts = {"round trip": round_trip_ms}
    if stages_ms:
        known = {name: stages_ms.get(name, 0.0) for name in ("preprocessing", "inference")}
        handler = stages_ms.get("handler", 0.0)
        rest = max(0.0, handler - sum(known.values()))
        parts = {"network and queue": max(0.0, round_trip_ms - handler), **known, "rest of the worker": rest}
    parts["rendering"] = rendering_ms
    whole = sum(parts.values()) or 1.0
    bar = "".join(f'<span style="width:{100 * time / whole:.2f}%"></span>' for time in parts.values())
    rows = "".join(f"<li><i></i>{name} <b>{time:.1f} ms</b></li>" for name, time in parts.items())
    return f'<div class="ink-times"><div class="ink-strip" aria-hidden="true">{bar}</div><ul>{rows}</ul></div>'


def grey(frame: np.ndarray) -> Image.Image:
    """Turn (H, W) float32 in [0, 1] into an image; 1 is white."""
    return Image.fromarray((frame * 255).round().astype(np.uint8))


def warmth(heatmap: np.ndarray) -> Image.Image:
    """Turn (H, W) float32 in [0, 1] into an image of one warm colour; 0 is transparent."""
    image = np.empty((*heatmap.shape, 4), np.uint8)
    image[..., :3] = HEAT_RGB
    image[..., 3] = (heatmap * 255).round()
    return Image.fromarray(image, "RGBA")


def strongest(heatmap: np.ndarray) -> str:
    """Say in words where a heat map is strongest: colour is not the only sign."""
    if not heatmap.any():
        return "nowhere"
    row, column = np.unravel_index(heatmap.argmax(), heatmap.shape)
    third = [int(3 * index / length) for index, length in zip((row, column), heatmap.shape, strict=True)]
    vertical, horizontal = ("top", "middle", "bottom")[third[0]], ("left", "centre", "right")[third[1]]
    return f"at the {vertical} {horizontal}"
