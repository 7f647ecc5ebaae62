"""Draw, photograph, paste or choose a picture, and see it read; a drawing is read after every stroke."""

from collections.abc import Callable, Mapping
from pathlib import Path

import streamlit as st
from streamlit_drawable_canvas import st_canvas

from dashboard.shared import view
from dashboard.shared.catalogue import Served
from dashboard.shared.choice import choose
from dashboard.shared.preview import preview
from dashboard.shared.reading import show_reading

SIDE_PX = 320  # fits a phone 390 px wide with the page's margins
PEN_PX = SIDE_PX // 16  # in proportion, about the stroke of MNIST's digits
PAGE_PEN_PX = 8  # for several characters in the same space
TYPES = ["png", "jpg", "jpeg", "webp", "bmp", "gif", "tif", "tiff"]
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
EXAMPLE_PX = 56
PREVIEW_PX = 640


def main() -> None:
    """Lay out the picture on the left and its reading on the right; the columns stack on a phone."""
    served, shown = choose()
    left, right = st.columns(2, gap="medium")
    with left:
        source = st.segmented_control(
            "Picture from", list(SOURCES), default=st.session_state.get("last-source", "Draw"), key="source"
        )
        st.session_state["last-source"] = source = source or "Draw"
        picture = SOURCES[source](served)
    with right, st.container(key="ink-drawn"):
        if picture is None:
            st.html(view.note(ASKS[source]))
        else:
            show_reading(picture, served, shown)


def _canvas(served: Served) -> bytes | None:
    """Offer a canvas, and return what is drawn on it: what was drawn before a change of page comes back."""
    kept: tuple[bytes, Mapping] | None = st.session_state.get("drawing")
    if not st.session_state.get("canvas-was-there"):  # it is put on the page anew, and so needs its strokes again
        st.session_state["canvas-start"] = kept and kept[1]
    st.session_state["canvas-is-there"] = True
    st.html('<p class="ink-caption">Undo, redo and clear appear above the canvas.</p>')
    above = st.container()  # the slider stands below the canvas that it changes
    pen_px = PAGE_PEN_PX if served.reads_pages else PEN_PX
    pen_px = st.slider("Pen width", 4, 40, pen_px, 2, format="%d px", width=SIDE_PX, key=f"pen-{served.reads_pages}")
    with above:
        drawing = st_canvas(
            stroke_width=pen_px,
            stroke_color="#000000",
            background_color="#ffffff",  # black on white in either theme: the picture must not depend on it
            width=SIDE_PX,
            height=SIDE_PX,
            initial_drawing=st.session_state["canvas-start"],
            return_image_data=True,
            key="canvas",
        )
    if drawing.json_data is None:  # it has not reported yet
        return kept and kept[0]
    if not drawing.json_data.get("objects"):  # before the first stroke, and again after clear
        st.session_state.pop("drawing", None)
        return None
    if drawing.image_bytes is None:  # strokes that came back are reported without their picture
        return kept and kept[0]
    st.session_state["drawing"] = (drawing.image_bytes, drawing.json_data)
    return drawing.image_bytes


def _file(served: Served) -> bytes | None:  # noqa: ARG001 - as all sources are called
    upload = st.file_uploader("A picture", type=TYPES, key="upload")
    with st.container():
        pasted = st.chat_input("Paste a picture here", accept_file=True, file_type=TYPES, key="paste")
    if pasted and pasted.files:
        st.session_state["pasted"] = pasted.files[0].getvalue()
    if upload is not None:
        st.session_state.pop("pasted", None)
    picture = upload.getvalue() if upload else st.session_state.get("pasted")
    _show(picture)
    return picture


def _camera(served: Served) -> bytes | None:  # noqa: ARG001
    photo = st.camera_input("A photograph: dark ink on light paper, filling the picture", key="camera")
    return photo.getvalue() if photo else None


def _example(served: Served) -> bytes | None:
    paths = sorted((EXAMPLES / ("pages" if served.reads_pages else "digits")).glob("*.png"))
    if not served.reads_pages:
        paths = [path for path in paths if path.stem.endswith("-1")]
    with st.container(key="ink-gallery", horizontal=True, gap="small"):
        for path in paths:
            with st.container(width=EXAMPLE_PX + 24, gap=None):
                st.image(path, width=EXAMPLE_PX, alt=f"Example: {path.stem.split('-')[0]}")
                if st.button(path.stem.split("-")[0], key=f"example-{path.name}", width="stretch"):
                    st.session_state["example"] = path.name
    chosen = next((path for path in paths if path.name == st.session_state.get("example")), None)
    return chosen.read_bytes() if chosen else None


def _show(picture: bytes | None) -> None:
    if picture is not None and (shown := preview(picture, PREVIEW_PX)) is not None:
        st.image(shown, alt="Your picture")


SOURCES: Mapping[str, Callable[[Served], bytes | None]] = {
    "Draw": _canvas,
    "File": _file,
    "Camera": _camera,
    "Examples": _example,
}
ASKS = {
    "Draw": "Draw on the canvas. It is read after every stroke.",
    "File": "Choose or paste a picture: dark ink on light paper, or light on dark.",
    "Camera": "Take a photograph of something written.",
    "Examples": "Choose one of our drawings.",
}

main()
