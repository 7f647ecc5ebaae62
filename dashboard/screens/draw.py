"""Draw a digit and see it read after every stroke."""

import streamlit as st
from streamlit_drawable_canvas import CanvasResult, st_canvas

from dashboard import view
from dashboard.reading import show_reading

SIDE_PX = 320  # fits a phone 390 px wide with the page's margins
PEN_PX = SIDE_PX // 16  # in proportion, about the stroke of MNIST's digits


def main() -> None:
    """Lay out the canvas on the left and its reading on the right; the columns stack on a phone."""
    left, right = st.columns(2, gap="medium")
    with left:
        drawing = _canvas()
    with right, st.container(key="ink-drawn"):
        _reading(drawing)


def _canvas() -> CanvasResult:
    st.html('<p class="ink-caption">Undo, redo and clear appear above the canvas.</p>')
    above = st.container()  # the slider stands below the canvas that it changes
    pen_px = st.slider("Pen width", min_value=8, max_value=40, value=PEN_PX, step=2, format="%d px", width=SIDE_PX)
    with above:
        return st_canvas(
            stroke_width=pen_px,
            stroke_color="#000000",
            background_color="#ffffff",  # black on white in either theme: the picture must not depend on it
            width=SIDE_PX,
            height=SIDE_PX,
            return_image_data=True,
            key="canvas",
        )


def _reading(drawing: CanvasResult) -> None:
    picture = drawing.image_bytes
    strokes = (drawing.json_data or {}).get("objects")
    if picture is None or not strokes:  # before the first stroke, and again after clear
        st.html(view.note("Draw a digit on the canvas. It is read after every stroke."))
    else:
        show_reading(picture)


main()
