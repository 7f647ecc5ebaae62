"""HTML of a prediction and of the messages in its place; no server, no session."""

import base64
import html
import io

import numpy as np
from PIL import Image

from handwriting.client import Candidate, Prediction


def prediction(answer: Prediction, frame_png: bytes | None) -> str:
    """Return the label with its confidence, the top-k as bars, the frame that the model saw, and where it came from."""
    bars = "".join(_bar(candidate) for candidate in answer.top)
    return (
        '<section class="ink-result" role="status">'
        '<div class="ink-answer">'
        f'<span class="ink-label">{html.escape(answer.label)}</span>'
        f'<span class="ink-confidence"><b>{percent(answer.confidence)}</b> confidence</span>'
        "</div>"
        f'<ol class="ink-top" aria-label="Most probable labels">{bars}</ol>'
        f"{_figure(frame_png)}"
        f'<p class="ink-source">{html.escape(answer.model)} {html.escape(answer.version)}'
        f" &middot; {answer.round_trip_ms:.0f} ms round trip</p>"
        "</section>"
    )


def note(message: str) -> str:
    """Return a quiet line where a prediction would stand."""
    return f'<section class="ink-result" role="status"><p class="ink-note">{html.escape(message)}</p></section>'


def refusal(message: str) -> str:
    """Return the server's reason for not reading a picture."""
    reason = html.escape(message[:1].upper() + message[1:])
    return (
        '<section class="ink-result" role="status"><div class="ink-refusal">'
        f"<strong>This cannot be read.</strong> {reason}</div></section>"
    )


def percent(probability: float) -> str:
    """Write a probability in [0, 1] with one decimal, never rounded to a certainty that no model has."""
    if probability < 0.0005:  # noqa: PLR2004 - below half of the last digit shown
        return "< 0.1 %"
    if probability >= 0.9995:  # noqa: PLR2004
        return "> 99.9 %"
    return f"{100 * probability:.1f} %"


def png(grey: np.ndarray) -> bytes:
    """Encode (H, W) float32 grey values in [0, 1] as 8-bit PNG."""
    buffer = io.BytesIO()
    Image.fromarray((grey * 255).round().astype(np.uint8)).save(buffer, format="PNG")
    return buffer.getvalue()


def _bar(candidate: Candidate) -> str:
    width = f"{100 * candidate.probability:.1f}%"
    return (
        f"<li><b>{html.escape(candidate.label)}</b>"
        f'<span class="ink-track" aria-hidden="true"><span style="width:{width}"></span></span>'
        f"<span>{percent(candidate.probability)}</span></li>"
    )


def _figure(frame_png: bytes | None) -> str:
    if frame_png is None:
        return ""
    source = base64.b64encode(frame_png).decode()
    return (
        f'<figure><img src="data:image/png;base64,{source}" alt="The frame of 28 by 28 pixels that the model saw">'
        "<figcaption>What the model saw: your ink, scaled and centred in 28 &times; 28 pixels</figcaption></figure>"
    )
