"""The drawings kept for fine-tuning: their database, opened once a process, and the offer to keep a picture."""

import streamlit as st

from dashboard.shared.endpoint import Endpoint
from dashboard.shared.press_bar import label_buttons, press_bar
from handwriting.labels import LABELS
from inkserve import Prediction
from training.drawing_store import Store, StoreError, database_url

OUTCOME = "keep-outcome"


def drawing_store() -> Store:
    """Return the store that DATABASE_URL names.

    Raises:
        StoreError: it cannot be opened.
    """
    return _opened(database_url())


@st.cache_resource(show_spinner=False)
def _opened(url: str) -> Store:
    return Store(url)


def offer_to_keep(picture: bytes, endpoint: Endpoint, answer: Prediction) -> None:
    """Offer to keep a picture with its true label, if the labels of the recogniser are known."""
    labels = LABELS.get(endpoint.model)
    if not labels:
        return
    with st.popover("Keep for fine-tuning", icon=":material/school:"):  # its keys work while it is open
        message, show = st.session_state.pop(OUTCOME, ('<p class="ink-note">What does it show?</p>', st.html))
        show(message)  # above the buttons, as a popover at the lower edge of a window shows few lines
        press_bar("ink-keep", [label_buttons(labels)], lambda label, _: _keep(picture, answer, label))


def _keep(picture: bytes, answer: Prediction, label: str) -> None:
    try:
        is_new = drawing_store().keep(picture, label, answer)
    except StoreError as err:
        st.session_state[OUTCOME] = (f"It could not be kept: {err}", st.error)
    else:
        said = f"Kept as {label}." if is_new else f"Already kept; its label is now {label}."
        st.session_state[OUTCOME] = (said, st.success)
