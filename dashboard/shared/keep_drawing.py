"""The drawings kept for fine-tuning: their database, opened once a process, and the offer to keep a picture."""

import streamlit as st

from dashboard.shared.clicked import clicked
from dashboard.shared.endpoint import Endpoint
from handwriting.labels import LABELS
from inkserve import Prediction
from training.drawing_store import Store, StoreError, database_url


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
    with st.popover("Keep for fine-tuning", icon=":material/school:"):
        index = labels.index(answer.label) if answer.label in labels else 0
        label = st.selectbox("It shows", labels, index=index, key=f"shows-{answer.label}", width=160)
        if clicked("Keep", "keep", icon=":material/bookmark_add:"):
            try:
                is_new = drawing_store().keep(picture, label, answer)
                st.success(f"Kept as {label}." if is_new else f"Already kept; its label is now {label}.")
            except StoreError as err:
                st.error(f"It could not be kept: {err}")
