"""The drawings that are kept: how many of each label, the last of them, and what can be done with them."""

import html
from collections.abc import Mapping

import streamlit as st

from dashboard.shared.preview import data_url, preview
from training.drawing_store import Store

SHOWN = 60
THUMBNAIL_PX = 56


def take_over_corrections(store: Store) -> None:
    """Offer to keep what was corrected in a batch."""
    corrections = st.session_state.get("corrections", {})
    if corrections and st.button(f"Keep {len(corrections)} corrected in Batch", icon=":material/playlist_add:"):
        for label, picture in corrections.values():
            store.keep(picture, label)
        corrections.clear()
        st.rerun()


def show_kept(store: Store, counts: Mapping[str, int]) -> None:
    """Show counts and drawings, each of which can be deleted, and offer them all as a ZIP file."""
    total = sum(counts.values())
    st.html(f'<h2 class="ink-name">{total} drawing{"s" if total != 1 else ""} to teach with</h2>')
    label = st.pills(
        "Of each label", list(counts), format_func=lambda each: f"{each}: {counts[each]}", key="teach-label"
    )
    with st.container(key="ink-kept", horizontal=True, gap="small"):
        for drawing in store.latest(SHOWN, label):
            with st.container(width=THUMBNAIL_PX + 24, gap=None):
                image = preview(drawing.picture, THUMBNAIL_PX)
                alt = f"A {drawing.label}" + (f", read as {drawing.read_as}" if drawing.read_as else "")
                if image is not None:
                    st.html(f'<img src="{data_url(image)}" alt="{html.escape(alt)}" title="{html.escape(alt)}">')
                if st.button(
                    drawing.label, key=f"drop-{drawing.id}", icon=":material/delete:", help=f"{alt}: delete it"
                ):
                    store.delete(drawing.id)
                    st.rerun()
    if total > SHOWN:
        st.caption(f"The last {SHOWN} are shown.")
    st.download_button(
        "All drawings as folders, ZIP", store.export, "drawings.zip", "application/zip", on_click="ignore"
    )
