"""A picture's answer on a page. The server is asked once for each new picture and recogniser."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.shared import answer_html, picture_html, server_watch
from dashboard.shared.endpoint import FALLBACK, Endpoint, recogniser
from dashboard.shared.keep_drawing import offer_to_keep
from dashboard.shared.kept import kept
from dashboard.shared.prepared_picture import PreparedPicture, digest, prepare
from handwriting.errors import RequestError
from handwriting.labels import NORMAL_FORMS
from inkserve import Explanation, PageReading, Prediction, RecogniserError, Rejected, ServerDown, UnusablePicture

TRIES = 3  # after so many failures of a ready server on one picture, the page stops asking
CROP_PX = 224  # longest side of the small picture beside the model input
UNSURE, UNSURE_BELOW = "unsure-below", 0.6  # key and default of the threshold, one for all pages
HEATMAP, HEAT = "heatmap", 0.6  # key of the switch; opacity

Answer = Prediction | PageReading | Rejected | UnusablePicture  # another try would not change these
Key = tuple[str, str]  # digest of a picture, and endpoint
Made = TypeVar("Made")


def prepared(picture: bytes) -> PreparedPicture | None:
    """Return the prepared picture, which the session keeps until the next one; None if it cannot be decoded."""

    def decode() -> PreparedPicture | None:
        try:
            return prepare(picture)
        except RequestError:
            return None

    return _once("prepared", digest(picture), decode)


def show_picture(picture: bytes) -> None:
    """Show a picture; nothing if it cannot be decoded."""
    place = st.empty()  # removes the last picture even if the new one cannot be decoded
    if (found := prepared(picture)) is not None:
        place.image(found.shown, alt="Your picture")


def show_answer(picture: bytes, endpoint: Endpoint = FALLBACK, name: str = "This picture") -> Answer | None:
    """Show what a recogniser reads in a picture, or why it reads nothing; return the answer if there is one."""
    unsure_below = st.session_state.get(UNSURE, UNSURE_BELOW)
    place, below = st.empty(), st.container(horizontal=True, vertical_alignment="center")
    # Before the answer, as the session has the value that was kept only once the switch is there
    is_explained = not endpoint.reads_pages and below.toggle("Show Grad-CAM heatmap", **kept(HEATMAP, False))
    if reason := server_watch.why_not(endpoint.model, endpoint.version):
        place.html(answer_html.note(reason))
        return None
    key = (digest(picture), str(endpoint))
    try:
        answer = _once("answer", key, lambda: _ask(picture, endpoint, place))
    except ServerDown as err:
        place.html(answer_html.note(_after_failure(err, "answer")))
        return None
    if isinstance(answer, PageReading):
        figures = _figures(answer, _on_page(answer, prepared(picture)))
        place.html(answer_html.page(answer, figures, unsure_below, of=key[0]))
    elif isinstance(answer, Prediction):
        read = answer  # the type of `answer` is wider within a function

        def show(explanation: Explanation | None) -> None:
            figures = _figures(read, _of_character(read, prepared(picture), explanation))
            place.html(answer_html.prediction(read, figures, unsure_below, of=key[0]))

        why_none = ""
        if not is_explained or st.session_state.get("explanation", ("",))[0] != key:
            show(None)  # the answer need not wait for its heatmap
        if is_explained:
            explanation, why_none = _explanation(picture, endpoint, key)
            if explanation:
                show(explanation)
        with below:
            offer_to_keep(picture, endpoint, answer)
        if why_none:
            st.html(answer_html.remark(why_none))
    else:
        place.html(answer_html.refusal(answer.message, name))
    return answer


def _once(name: str, key: str | Key, make: Callable[[], Made]) -> Made:
    """Return what `make` returns. The session keeps it for the same key, so that a rerun of the page needs no other."""
    made: tuple[str | Key, Made] | None = st.session_state.get(name)
    if made is None or made[0] != key:
        made = st.session_state[name] = (key, make())
    return made[1]


def _ask(picture: bytes, endpoint: Endpoint, place: DeltaGenerator) -> Answer:
    if not server_watch.is_up():
        raise ServerDown("its last check failed")
    place.html(answer_html.note("Reading ..."))  # removes the last picture's answer before the new one is known
    answer: Answer
    try:
        with recogniser(endpoint) as client:
            answer = client.read_page(picture) if endpoint.reads_pages else client.predict(picture)
    except (Rejected, UnusablePicture) as err:
        answer = err
    st.session_state.pop("failures", None)
    return answer


def _explanation(picture: bytes, endpoint: Endpoint, key: Key) -> tuple[Explanation | None, str]:
    """Return the Grad-CAM heatmap, or why there is none; then the answer is shown without it."""

    def explain() -> Explanation:
        if not server_watch.is_up():
            raise ServerDown("its last check failed")
        with recogniser(endpoint) as client:
            explanation = client.explain(picture)
        st.session_state.pop("failures", None)
        return explanation

    try:
        return _once("explanation", key, explain), ""
    except ServerDown as err:
        return None, _after_failure(err, "heatmap")
    except RecogniserError as err:
        return None, f"No heatmap: {err.message}."


def _after_failure(failure: ServerDown, wanted: str) -> str:
    """Plan another try, and return the message until then. If the server is down, the banner says so."""
    if not server_watch.is_up():
        return f"Waiting for the server. The {wanted} appears here when the server is back."
    failures = st.session_state.get("failures", 0) + 1
    st.session_state["failures"] = failures
    if failures % TRIES == 0:
        return f"No {wanted}, as the server failed on this picture: {failure}."
    server_watch.retry_soon()
    return f"No {wanted} yet. Trying again ..."


def _figures(answer: Prediction | PageReading, parts: Iterator[str]) -> str:
    """Join the figures of an answer, and add the parts of its latency."""
    began = time.perf_counter()
    figures = ""
    with suppress(RequestError):  # the server could prepare the picture, this version of the package cannot
        for part in parts:
            figures += part
    rendering_ms = (time.perf_counter() - began) * 1000
    return figures + picture_html.latency_strip(answer.round_trip_ms, answer.stages_ms, rendering_ms)


def _of_character(
    answer: Prediction, picture: PreparedPicture | None, explanation: Explanation | None
) -> Iterator[str]:
    if picture is None:
        return
    if explanation is not None:
        yield picture_html.frame_figure(explanation.frame / 255, heatmap=explanation.heatmap, opacity=HEAT)
    elif answer.model in NORMAL_FORMS:  # the normal form of other recognisers is not known here
        for reading, frame in picture.frames(NORMAL_FORMS[answer.model]).items():
            yield picture_html.frame_figure(frame, picture_html.INPUTS[reading])
    yield _crop(picture)


def _on_page(answer: PageReading, picture: PreparedPicture | None) -> Iterator[str]:
    if picture is not None:
        boxes = picture_html.character_boxes(answer.characters)
        shown = picture_html.highlighted(picture.shown, picture.page_ink_on(picture.shown))
        drawn = picture_html.boxed(shown, picture.size_px, boxes, "Your picture, with a box around each character")
        yield f'{drawn}<p class="ink-source">What was read is coloured; the rest was left out</p>'


def _crop(picture: PreparedPicture) -> str:
    if picture.box is None:
        return ""
    left, top, right, bottom = picture.box
    image = picture.shown.copy()
    image.thumbnail((CROP_PX, CROP_PX))
    image = picture_html.highlighted(image, picture.ink_on(image))
    boxes = {(left, top, right - left, bottom - top): "The model input is made from this part"}
    drawn = picture_html.boxed(image, picture.size_px, boxes, "Your picture, with a box around the part that was read")
    return f"<figure>{drawn}<figcaption>Your picture; what was read is coloured</figcaption></figure>"
