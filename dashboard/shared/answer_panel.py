"""A picture's answer on a page. The server is asked once for each new picture and recogniser."""

import time
from dataclasses import dataclass

import streamlit as st

from dashboard.shared import answer_html, picture_html, server_watch
from dashboard.shared.endpoint import FALLBACK, Endpoint, recogniser
from dashboard.shared.keep_drawing import offer_to_keep
from dashboard.shared.prepared_picture import PreparedPicture, digest, prepare
from handwriting.errors import RequestError
from handwriting.labels import NORMAL_FORMS
from inkserve import (
    Explanation,
    PageReading,
    Prediction,
    RecogniserError,
    Rejected,
    ServerDown,
    UnusablePicture,
)

TRIES = 3  # after so many failures of a ready server on one picture, the page stops asking
CROP_PX = 224  # longest side of the small picture beside the model input
UNSURE_BELOW = 0.6

Answer = Prediction | PageReading | Rejected | UnusablePicture  # another try would not change these
Key = tuple[str, str]  # digest of a picture, and endpoint


@dataclass(frozen=True)
class DisplayOptions:
    """How answers are displayed.

    Attributes:
        unsure_below: a lower confidence is marked, in [0, 1].
        heat: opacity of the Grad-CAM heatmap, in [0, 1]; 0 requests none.
    """

    unsure_below: float = UNSURE_BELOW
    heat: float = 0.0


def prepared(picture: bytes) -> PreparedPicture | None:
    """Return the prepared picture, which the session keeps until the next one; None if it cannot be decoded."""
    kept: tuple[str, PreparedPicture | None] | None = st.session_state.get("prepared")
    if kept is None or kept[0] != digest(picture):
        try:
            kept = digest(picture), prepare(picture)
        except RequestError:
            kept = digest(picture), None
        st.session_state["prepared"] = kept
    return kept[1]


def show_picture(picture: bytes) -> None:
    """Show a picture; nothing if it cannot be decoded."""
    place = st.empty()  # removes the last picture even if the new one cannot be decoded
    if (found := prepared(picture)) is not None:
        place.image(found.shown, alt="Your picture")


def show_answer(picture: bytes, endpoint: Endpoint = FALLBACK, options: DisplayOptions | None = None) -> None:
    """Show what a recogniser reads in a picture, or why it reads nothing."""
    options = options or DisplayOptions()
    place = st.empty()
    key = (digest(picture), str(endpoint))
    answer = _kept_answer(key)
    if answer is None and not server_watch.is_up():
        place.html(answer_html.note("Waiting for the server. The answer appears here when the server is back."))
        return
    if answer is None:
        place.html(answer_html.note("Reading ..."))  # removes the last picture's answer before the new one is known
        answer = _ask(picture, endpoint, key)
    if isinstance(answer, PageReading):
        place.html(_page(answer, prepared(picture), options))
    elif isinstance(answer, Prediction):
        explanation = _explanation(picture, endpoint, key) if options.heat else None
        place.html(_prediction(answer, prepared(picture), explanation, options, key[0]))
        offer_to_keep(picture, endpoint, answer)
    elif isinstance(answer, Rejected | UnusablePicture):
        place.html(answer_html.refusal(answer.message))
    else:
        place.html(answer_html.note(_after_failure(answer)))


def _ask(picture: bytes, endpoint: Endpoint, key: Key) -> Answer | ServerDown:
    answer: Answer
    try:
        with recogniser(endpoint) as client:
            answer = client.read_page(picture) if endpoint.reads_pages else client.predict(picture)
    except (Rejected, UnusablePicture) as err:
        answer = err
    except ServerDown as err:
        return err
    st.session_state["answer"] = (key, answer)
    st.session_state.pop("failures", None)
    return answer


def _kept_answer(key: Key) -> Answer | None:
    """Return this session's answer for the same picture, so that a rerun of the page sends no request."""
    kept: tuple[Key, Answer] | None = st.session_state.get("answer")
    return kept[1] if kept and kept[0] == key else None


def _explanation(picture: bytes, endpoint: Endpoint, key: Key) -> Explanation | None:
    """Return the Grad-CAM heatmap; None if the server has none, and then the answer is shown without it."""
    kept: tuple[Key, Explanation] | None = st.session_state.get("explanation")
    if kept and kept[0] == key:
        return kept[1]
    if not server_watch.is_up():
        return None
    try:
        with recogniser(endpoint) as client:
            found = client.explain(picture)
    except RecogniserError:
        return None
    st.session_state["explanation"] = (key, found)
    return found


def _after_failure(failure: ServerDown) -> str:
    """Plan another try, and return the message until then. If the server is down, the banner says so."""
    failures = st.session_state.get("failures", 0) + 1
    st.session_state["failures"] = failures
    if failures % TRIES == 0:
        return f"The server failed on this picture: {failure}."
    server_watch.retry_soon()
    return "No answer yet. Trying again ..."


def _prediction(
    answer: Prediction,
    picture: PreparedPicture | None,
    explanation: Explanation | None,
    options: DisplayOptions,
    of: str,
) -> str:
    began = time.perf_counter()
    figures = ""
    if picture is not None:
        try:
            if explanation is not None:
                figures = picture_html.frame_figure(explanation.frame / 255, explanation.heatmap, options.heat)
            elif answer.model in NORMAL_FORMS:  # the normal form of other recognisers is not known here
                figures = picture_html.frame_figure(picture.frame(NORMAL_FORMS[answer.model]), None, 0)
            figures += _crop(picture)
        except RequestError:
            pass  # the server could prepare it, this version of the package cannot
    rendering_ms = (time.perf_counter() - began) * 1000
    figures += picture_html.latency_strip(answer.round_trip_ms, answer.stages_ms, rendering_ms)
    return answer_html.prediction(answer, figures, options.unsure_below, of)


def _crop(picture: PreparedPicture) -> str:
    if picture.box is None:
        return ""
    left, top, right, bottom = picture.box
    image = picture.shown.copy()
    image.thumbnail((CROP_PX, CROP_PX))
    boxes = {(left, top, right - left, bottom - top): "The model input is made from this part"}
    drawn = picture_html.boxed(image, picture.size_px, boxes, "Your picture, with a box around the part that was read")
    return f"<figure>{drawn}<figcaption>Your picture; the box marks the part that was read</figcaption></figure>"


def _page(answer: PageReading, picture: PreparedPicture | None, options: DisplayOptions) -> str:
    began = time.perf_counter()
    figures = ""
    if picture is not None:
        boxes = picture_html.character_boxes(answer.characters)
        alt = "Your picture, with a box around each character"
        figures = picture_html.boxed(picture.shown, picture.size_px, boxes, alt)
    rendering_ms = (time.perf_counter() - began) * 1000
    figures += picture_html.latency_strip(answer.round_trip_ms, answer.stages_ms, rendering_ms)
    return answer_html.page(answer, figures, options.unsure_below)
