"""The Draw page: draw, photograph, paste or choose a picture, and see it read; a drawing is read after every stroke."""

from collections.abc import Callable, Mapping
from pathlib import Path

import streamlit as st
from streamlit_drawable_canvas import st_canvas

from dashboard.draw.tab import tab_sketch
from dashboard.shared import answer_html
from dashboard.shared.answer_panel import UNSURE, UNSURE_BELOW, show_answer, show_picture
from dashboard.shared.clicked import clicked
from dashboard.shared.endpoint import Endpoint
from dashboard.shared.kept import kept
from dashboard.shared.picture_html import thumbnail_url
from dashboard.shared.press_bar import Button, press_bar
from dashboard.shared.recogniser_choice import available_endpoints, choose_recogniser
from dashboard.shared.traffic_split import splits
from handwriting.preprocess import MAX_BYTES
from inkserve import Prediction
from inkserve.batch.kinds import SUFFIXES

SIDE_PX = 320  # fits a phone 390 px wide with the page's margins
PEN_PX = SIDE_PX // 16  # in proportion, about the stroke of MNIST's digits
PAGE_PEN_PX = 8  # for several characters in the same space
TYPES = list(SUFFIXES)
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
EXAMPLE_PX = 56
DRAW = "Draw"
RECOGNISER = "draw-recogniser"  # key of the box
CANVAS, CANVAS_IS_SHOWN = "canvas", "canvas-is-shown"
FILE = "file"  # the picture that was uploaded or pasted last
TOOLBAR = Path(__file__).with_name("canvas.html")


def main() -> None:
    """Show the picture on the left and its answer on the right; on a phone, one below the other."""
    endpoints = [*available_endpoints(), *splits()]
    with st.container(key="ink-choice", horizontal=True, vertical_alignment="bottom"):
        endpoint = choose_recogniser(endpoints, RECOGNISER, width=220)
        with st.popover("Options", icon=":material/tune:"):
            pen_px = _choose_options(endpoint)
    left, right = st.columns(2, gap="medium")
    with left:
        source = st.segmented_control("Picture from", [DRAW, *OTHERS], required=True, **kept("source", DRAW))
        if source == DRAW:
            picture, hint = _canvas(pen_px), "Draw on the canvas. The drawing is read after every stroke."
        else:
            st.session_state[CANVAS_IS_SHOWN] = False
            show_source, hint = OTHERS[source]
            picture = show_source(endpoint)
    with right, st.container(key="ink-drawn"):
        if picture is None:
            st.html(answer_html.note(hint))
        else:
            answer = show_answer(picture, endpoint)
            pages = next((each for each in endpoints if each.reads_pages), None)
            if pages and isinstance(answer, Prediction) and any(f"`{pages.model}`" in note for note in answer.notes):
                read_all = f"Read it all with {pages.model}"
                st.button(read_all, icon=":material/subject:", on_click=_choose, args=(str(pages),))


def _choose(recogniser: str) -> None:
    st.session_state[RECOGNISER] = recogniser


def _choose_options(endpoint: Endpoint) -> int:
    """Offer the threshold below which answers are marked, and return the width of the pen in px."""
    pen_px = PAGE_PEN_PX if endpoint.reads_pages else PEN_PX
    pen_px = st.slider("Pen width", 4, 40, step=2, format="%d px", **kept(f"pen-{endpoint.reads_pages}", pen_px))
    st.slider(
        "Unsure below",
        0.0,
        1.0,
        step=0.05,
        help="Answers with a lower confidence are marked",
        **kept(UNSURE, UNSURE_BELOW),
    )
    return pen_px


def _canvas(pen_px: int) -> bytes | None:
    """Show a canvas and return the drawing on it, which is restored after a change of page and a reload."""
    sketch = tab_sketch()
    # Streamlit forgets the canvas when another page is asked for, also if that page is interrupted before it does
    # anything; after another source, only when its run has ended.
    is_new = CANVAS not in st.session_state or not st.session_state.get(CANVAS_IS_SHOWN, False)
    if is_new or sketch.edition != st.session_state.get("canvas-edition"):  # or an earlier state of the drawing
        st.session_state["canvas-start"] = {"objects": sketch.now.strokes, "edition": sketch.edition}
        st.session_state["canvas-edition"] = sketch.edition
        sketch.shown_anew()
    st.session_state[CANVAS_IS_SHOWN] = True
    drawing = st_canvas(
        stroke_width=pen_px,
        stroke_color="#000000",
        background_color="#ffffff",  # in the dark theme, too
        width=SIDE_PX,
        height=SIDE_PX,
        initial_drawing=st.session_state["canvas-start"],
        return_image_data=True,
        key=CANVAS,
    )
    st.html(TOOLBAR, unsafe_allow_javascript=True)
    reported = drawing.json_data or {}
    if "edition" not in reported:  # until it reports, the canvas has what it was given to start with
        sketch.report(reported.get("objects") or [], drawing.image_bytes)
    buttons = [
        Button("Undo", "undo", ["Ctrl+z"], "Ctrl+Z", sketch.can_undo),
        Button("Redo", "redo", ["Ctrl+y", "Ctrl+Shift+z"], "Ctrl+Y", sketch.can_redo),
        Button("Clear", "delete", enabled=bool(sketch.now.strokes)),
    ]
    acts = {"Undo": sketch.undo, "Redo": sketch.redo, "Clear": sketch.clear}
    press_bar("ink-edit", [buttons], lambda name, _: acts[name]())
    return sketch.now.picture if sketch.now.strokes else None


def _file(endpoint: Endpoint) -> bytes | None:  # noqa: ARG001 - all sources have this parameter
    """Return the picture that was uploaded or pasted last; it stays while another source or page is shown."""
    upload = st.file_uploader(
        "A picture", type=TYPES, key="upload", on_change=_take_upload, max_upload_size=MAX_BYTES // 2**20
    )
    with st.container():
        st.chat_input("Paste a picture here", accept_file=True, file_type=TYPES, key="paste", on_submit=_take_paste)
    picture: bytes | None = st.session_state.get(FILE)
    if picture is not None:
        show_picture(picture)
        if upload is None and clicked("Remove the picture", "remove-file", icon=":material/close:"):
            del st.session_state[FILE]
            st.rerun()
    return picture


def _take_upload() -> None:
    upload = st.session_state["upload"]
    st.session_state[FILE] = upload.getvalue() if upload else None


def _take_paste() -> None:
    if files := st.session_state["paste"].files:
        st.session_state[FILE] = files[0].getvalue()


def _camera(endpoint: Endpoint) -> bytes | None:  # noqa: ARG001
    photo = st.camera_input("Photograph the character close up; any paper will do", key="camera")
    return photo.getvalue() if photo else None


def _example(endpoint: Endpoint) -> bytes | None:
    paths = sorted((EXAMPLES / ("pages" if endpoint.reads_pages else "digits")).glob("*.png"))
    if not endpoint.reads_pages:
        paths = [path for path in paths if path.stem.endswith("-1")]
    with st.container(key="ink-gallery", horizontal=True, gap="small"):
        for path in paths:
            picture = thumbnail_url(path.read_bytes(), EXAMPLE_PX)
            if clicked(f"![]({picture}) {path.stem.split('-')[0]}", f"example-{path.name}"):
                st.session_state["example"] = path.name
    chosen = next((path for path in paths if path.name == st.session_state.get("example")), None)
    return chosen.read_bytes() if chosen else None


OTHERS: Mapping[str, tuple[Callable[[Endpoint], bytes | None], str]] = {  # each with a hint until there is a picture
    "File": (_file, "Choose or paste a picture: dark ink on light paper, or light on dark."),
    "Camera": (_camera, "Take a photograph of one character."),
    "Examples": (_example, "Choose an example."),
}

main()
