"""The Draw page: draw, photograph, paste or choose a picture, and see it read; a drawing is read after every stroke."""

from collections.abc import Callable, Mapping
from pathlib import Path

import streamlit as st
from streamlit_drawable_canvas import st_canvas

from dashboard.shared import answer_html
from dashboard.shared.answer_panel import DisplayOptions, show_answer, show_picture
from dashboard.shared.clicked import clicked
from dashboard.shared.endpoint import Endpoint
from dashboard.shared.recogniser_choice import available_endpoints, choose_recogniser
from dashboard.shared.traffic_split import splits
from inkserve.batch.kinds import SUFFIXES

SIDE_PX = 320  # fits a phone 390 px wide with the page's margins
PEN_PX = SIDE_PX // 16  # in proportion, about the stroke of MNIST's digits
PAGE_PEN_PX = 8  # for several characters in the same space
TYPES = list(SUFFIXES)
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
EXAMPLE_PX = 56
HEAT = 0.6  # opacity


def main() -> None:
    """Show the picture on the left and its answer on the right; on a phone, one below the other."""
    endpoints = [*available_endpoints(), *splits()]
    with st.container(key="ink-choice", horizontal=True, vertical_alignment="bottom"):
        endpoint = choose_recogniser(endpoints, "draw-recogniser", width=260)
        with st.popover("Display options", icon=":material/tune:"):
            options = _choose_options(endpoint)
    left, right = st.columns(2, gap="medium")
    with left:
        source = st.segmented_control(
            "Picture from", list(SOURCES), default=st.session_state.get("last-source", "Draw"), key="source"
        )
        st.session_state["last-source"] = source = source or "Draw"
        if source != "Draw":
            st.session_state["canvas-is-shown"] = False
        show_source, hint = SOURCES[source]
        picture = show_source(endpoint)
    with right, st.container(key="ink-drawn"):
        if picture is None:
            st.html(answer_html.note(hint))
        else:
            show_answer(picture, endpoint, options)


def _choose_options(endpoint: Endpoint) -> DisplayOptions:
    kept: DisplayOptions = st.session_state.get("display-options", DisplayOptions())
    unsure_below = st.slider(
        "Unsure below", 0.0, 1.0, kept.unsure_below, 0.05, help="Answers with a lower confidence are marked"
    )
    heat = 0.0
    if not endpoint.reads_pages:
        wanted = st.toggle("Show Grad-CAM heatmap", kept.heat > 0)
        opacity = st.slider("Heatmap opacity", 0.1, 1.0, kept.heat or HEAT, 0.1, disabled=not wanted)
        heat = opacity if wanted else 0.0
    st.session_state["display-options"] = DisplayOptions(unsure_below, kept.heat if endpoint.reads_pages else heat)
    return DisplayOptions(unsure_below, heat)


def _canvas(endpoint: Endpoint) -> bytes | None:
    """Show a canvas and return the drawing on it, which is restored after a change of page."""
    kept: tuple[bytes, Mapping[str, object]] | None = st.session_state.get("drawing")
    if not st.session_state.get("canvas-is-shown"):  # a new canvas, which needs the old strokes
        st.session_state["canvas-start"] = kept and kept[1]
    st.session_state["canvas-is-shown"] = True  # until another page or source runs; an interrupted run changes nothing
    st.html('<p class="ink-caption">Undo, redo and clear appear above the canvas.</p>')
    above = st.container()  # the slider is below the canvas, but runs first
    pen_px = PAGE_PEN_PX if endpoint.reads_pages else PEN_PX
    pen_px = st.slider("Pen width", 4, 40, pen_px, 2, format="%d px", width=SIDE_PX, key=f"pen-{endpoint.reads_pages}")
    with above:
        drawing = st_canvas(
            stroke_width=pen_px,
            stroke_color="#000000",
            background_color="#ffffff",  # in the dark theme, too
            width=SIDE_PX,
            height=SIDE_PX,
            initial_drawing=st.session_state["canvas-start"],
            return_image_data=True,
            key="canvas",
        )
    if drawing.json_data is None:  # the canvas has not reported yet
        return kept and kept[0]
    if not drawing.json_data.get("objects"):  # before the first stroke, and again after clear
        st.session_state.pop("drawing", None)
        return None
    if drawing.image_bytes is None:  # restored strokes are reported without a picture
        return kept and kept[0]
    st.session_state["drawing"] = (drawing.image_bytes, drawing.json_data)
    return drawing.image_bytes


def _file(endpoint: Endpoint) -> bytes | None:  # noqa: ARG001 - all sources have this parameter
    upload = st.file_uploader("A picture", type=TYPES, key="upload")
    with st.container():
        pasted = st.chat_input("Paste a picture here", accept_file=True, file_type=TYPES, key="paste")
    if pasted and pasted.files:
        st.session_state["pasted"] = pasted.files[0].getvalue()
    if upload is not None:
        st.session_state.pop("pasted", None)
    picture = upload.getvalue() if upload else st.session_state.get("pasted")
    if picture is not None:
        show_picture(picture)
    return picture


def _camera(endpoint: Endpoint) -> bytes | None:  # noqa: ARG001
    photo = st.camera_input("Photograph dark ink on light paper, close up", key="camera")
    return photo.getvalue() if photo else None


def _example(endpoint: Endpoint) -> bytes | None:
    paths = sorted((EXAMPLES / ("pages" if endpoint.reads_pages else "digits")).glob("*.png"))
    if not endpoint.reads_pages:
        paths = [path for path in paths if path.stem.endswith("-1")]
    with st.container(key="ink-gallery", horizontal=True, gap="small"):
        for path in paths:
            with st.container(width=EXAMPLE_PX + 24, gap=None):
                st.image(path, width=EXAMPLE_PX, alt=f"Example: {path.stem.split('-')[0]}")
                if clicked(path.stem.split("-")[0], f"example-{path.name}", width="stretch"):
                    st.session_state["example"] = path.name
    chosen = next((path for path in paths if path.name == st.session_state.get("example")), None)
    return chosen.read_bytes() if chosen else None


SOURCES: Mapping[str, tuple[Callable[[Endpoint], bytes | None], str]] = {  # each with a hint until there is a picture
    "Draw": (_canvas, "Draw on the canvas. The drawing is read after every stroke."),
    "File": (_file, "Choose or paste a picture: dark ink on light paper, or light on dark."),
    "Camera": (_camera, "Take a photograph of one character."),
    "Examples": (_example, "Choose an example."),
}

main()
