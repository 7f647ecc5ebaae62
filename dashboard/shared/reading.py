"""From a picture to the view of what is read in it, asking the server once for each new picture and recogniser."""

import hashlib
import time

import streamlit as st

from dashboard.finetune.correcting import offer_to_keep
from dashboard.shared import connection, figures, view
from dashboard.shared.catalogue import Served
from dashboard.shared.choice import FALLBACK, Shown
from dashboard.shared.client import recogniser
from dashboard.shared.preview import preview, size_px
from handwriting.errors import RequestError
from handwriting.labels import NORMAL_FORMS
from handwriting.preprocess import character_box, picture_frame
from inkserve.client import (
    Explanation,
    PageReading,
    Prediction,
    RecogniserError,
    Rejected,
    ServerDown,
    UnusablePicture,
)

TRIES = 3  # a picture on which a ready server keeps failing is not asked about for ever
CROP_PX, PAGE_PX = 224, 640  # longest side of a picture as it is shown

Answer = Prediction | PageReading | Rejected | UnusablePicture  # what another try would not change


def show_reading(picture: bytes, served: Served = FALLBACK, shown: Shown | None = None) -> None:
    """Show what a recogniser reads in a picture, or why it reads nothing."""
    shown = shown or Shown()
    place = st.empty()
    key = (_digest(picture), str(served))
    answer = _kept("answer", key)
    if answer is None and not connection.is_up():
        place.html(view.note("Waiting for the server. The answer appears here as soon as it is back."))
        return
    if answer is None:
        place.html(view.note("Reading ..."))  # takes the last picture's answer away before the new one is known
        answer = _ask(picture, served, key)
    if isinstance(answer, PageReading):
        place.html(_page(answer, picture, shown))
    elif isinstance(answer, Prediction):
        place.html(_prediction(answer, picture, _explanation(picture, served, key) if shown.heat else None, shown))
        offer_to_keep(picture, served, answer)
    elif isinstance(answer, Rejected | UnusablePicture):
        place.html(view.refusal(answer.message))
    else:
        place.html(view.note(_after_failure(answer)))


def _ask(picture: bytes, served: Served, key: tuple[str, str]) -> Answer | ServerDown:
    try:
        with recogniser(served) as asked:
            answer: Answer = asked.read_page(picture) if served.reads_pages else asked.predict(picture)
    except (Rejected, UnusablePicture) as err:
        answer = err
    except ServerDown as err:
        return err
    st.session_state["answer"] = (key, answer)
    st.session_state.pop("failures", None)
    return answer


def _explanation(picture: bytes, served: Served, key: tuple[str, str]) -> Explanation | None:
    """Return what spoke for the label, where the server says so: without it, the answer is shown all the same."""
    found = _kept("explanation", key)
    if found is None and connection.is_up():
        try:
            with recogniser(served) as asked:
                found = asked.explain(picture)
        except RecogniserError:
            return None
        st.session_state["explanation"] = (key, found)
    return found


def _kept(what: str, key: tuple[str, str]) -> Answer | Explanation | None:
    """Return this session's answer for the very same picture, so that a rerun that changed nothing asks nothing."""
    last, answer = st.session_state.get(what, (None, None))
    return answer if last == key else None


def _after_failure(failure: ServerDown) -> str:
    """Plan another try and return what to tell meanwhile; the banner is the watch's, if the server is really down."""
    failures = st.session_state.get("failures", 0) + 1
    st.session_state["failures"] = failures
    if failures % TRIES == 0:
        return f"The server failed on this picture: {failure}."
    connection.try_again_soon()
    return "No answer yet. Trying again ..."


def _prediction(answer: Prediction, picture: bytes, explanation: Explanation | None, shown: Shown) -> str:
    began = time.perf_counter()
    shapes = ""
    try:
        if explanation is not None:
            shapes = figures.frame_figure(explanation.frame / 255, explanation.heatmap, shown.heat)
        elif answer.model in NORMAL_FORMS:  # a recogniser that this dashboard does not know has a form of its own
            shapes = figures.frame_figure(picture_frame(picture, NORMAL_FORMS[answer.model]), None, 0)
        shapes += _crop(picture)
    except RequestError:
        pass  # only the server could make a frame of it
    rendering_ms = (time.perf_counter() - began) * 1000
    shapes += figures.latency_strip(answer.round_trip_ms, answer.stages_ms, rendering_ms)
    return view.prediction(answer, shapes, shown.unsure_below, _digest(picture))


def _crop(picture: bytes) -> str:
    box, image = character_box(picture), preview(picture, CROP_PX)
    if box is None or image is None:
        return ""
    left, top, right, bottom = box
    boxes = {(left, top, right - left, bottom - top): "what the frame is made of"}
    drawn = figures.boxed(image, size_px(picture), boxes, "Your picture, with a box around what was read")
    return f"<figure>{drawn}<figcaption>Your picture: the box is what was read</figcaption></figure>"


def _page(answer: PageReading, picture: bytes, shown: Shown) -> str:
    began = time.perf_counter()
    shapes, image = "", preview(picture, PAGE_PX)
    if image is not None:
        boxes = figures.character_boxes(answer.characters)
        shapes = figures.boxed(image, size_px(picture), boxes, "Your picture, with a box around each character")
    rendering_ms = (time.perf_counter() - began) * 1000
    shapes += figures.latency_strip(answer.round_trip_ms, answer.stages_ms, rendering_ms)
    return view.page(answer, shapes, shown.unsure_below)


def _digest(picture: bytes) -> str:
    return hashlib.sha256(picture).hexdigest()
