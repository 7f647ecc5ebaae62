"""The offer under an answer to say what the picture really shows."""

import streamlit as st

from dashboard.finetune.opened import opened_store
from dashboard.finetune.store import Reading, StoreError
from dashboard.shared.catalogue import Served
from handwriting.labels import LABELS
from inkserve.client import Prediction


def offer_to_keep(picture: bytes, served: Served, answer: Prediction) -> None:
    """Offer to keep a picture with its right label."""
    labels = LABELS.get(served.model)
    if not labels:
        return
    with st.popover("Keep it, to teach with", icon=":material/school:"):
        index = labels.index(answer.label) if answer.label in labels else 0
        label = st.selectbox("It shows", labels, index=index, key=f"shows-{answer.label}", width=160)
        if st.button("Keep", icon=":material/bookmark_add:"):
            try:
                reading = Reading(answer.label, answer.confidence, answer.model, answer.version)
                new = opened_store().keep(picture, label, reading)
                st.success(f"Kept as {label}." if new else f"It was there already, and is a {label} now.")
            except StoreError as err:
                st.error(f"It could not be kept: {err}")
