"""From a picture to the view of its prediction, asking the server once for each new picture."""

import hashlib

import streamlit as st

from dashboard import connection, view
from dashboard.client import recogniser
from handwriting.client import Prediction, Rejected, ServerDown, UnusablePicture
from handwriting.errors import RequestError
from handwriting.labels import NORMAL_FORMS
from handwriting.preprocess import picture_frame

TRIES = 3  # a picture on which a ready server keeps failing is not asked about for ever

Answer = Prediction | Rejected | UnusablePicture  # what another try would not change


def show_reading(picture: bytes) -> None:
    """Show what the server reads in a picture, or why it reads nothing."""
    place = st.empty()
    answer = _kept(picture)
    if answer is None and not connection.is_up():
        place.html(view.note("Waiting for the server. The answer appears here as soon as it is back."))
        return
    if answer is None:
        place.html(view.note("Reading ..."))  # takes the last picture's answer away before the new one is known
        answer = _ask(picture)
    if isinstance(answer, Prediction):
        place.html(view.prediction(answer, _frame(picture)))
    elif isinstance(answer, Rejected | UnusablePicture):
        place.html(view.refusal(answer.message))
    else:
        place.html(view.note(_after_failure(answer)))


def _ask(picture: bytes) -> Answer | ServerDown:
    try:
        with recogniser(connection.MODEL) as asked:
            answer: Answer = asked.predict(picture)
    except (Rejected, UnusablePicture) as err:
        answer = err
    except ServerDown as err:
        return err
    st.session_state["answer"] = (_digest(picture), answer)
    st.session_state.pop("failures", None)
    return answer


def _kept(picture: bytes) -> Answer | None:
    """Return this session's answer for the very same picture, so that a rerun that changed nothing asks nothing."""
    digest, answer = st.session_state.get("answer", ("", None))
    return answer if digest == _digest(picture) else None


def _after_failure(failure: ServerDown) -> str:
    """Plan another try and return what to tell meanwhile; the banner is the watch's, if the server is really down."""
    failures = st.session_state.get("failures", 0) + 1
    st.session_state["failures"] = failures
    if failures % TRIES == 0:
        return f"The server failed on this picture: {failure}."
    connection.try_again_soon()
    return "No answer yet. Trying again ..."


def _frame(picture: bytes) -> bytes | None:
    """Return the frame as the model saw it, PNG, or None where only the server could make one."""
    try:
        return view.png(picture_frame(picture, NORMAL_FORMS[connection.MODEL]))
    except RequestError:
        return None


def _digest(picture: bytes) -> str:
    return hashlib.sha256(picture).hexdigest()
