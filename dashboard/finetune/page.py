"""The Fine-tune page: the kept drawings, fine-tuning with them, and the rollout of fine-tuned versions.

The state is on disk and on the server, so it survives a reload.
"""

import html
from collections.abc import Mapping
from pathlib import Path

import streamlit as st

from dashboard.finetune.finetuned import finetuned_folder, read_finetuned
from dashboard.finetune.training_section import show_needs, show_training
from dashboard.finetune.version_section import show_versions
from dashboard.shared import answer_html
from dashboard.shared.clicked import clicked
from dashboard.shared.keep_drawing import drawing_store
from dashboard.shared.loaded_versions import versions_or_empty
from dashboard.shared.picture_html import thumbnail_url
from training.drawing_store import Drawing, Store, StoreError
from training.drawings import MIN_CLASSES, MIN_DRAWINGS

CSS = Path(__file__).with_name("finetune.css")
SHOWN = 60
DELETED = "deleted-drawing"  # in the session
THUMBNAIL_PX = 56
STEPS = f"""<p class="ink-note">Teach a recogniser your own handwriting:</p><ol>
<li>On Draw, or with a picture of your own, choose <b>Keep for fine-tuning</b> below the answer and name what it shows.
Keep at least {MIN_DRAWINGS} drawings each of {MIN_CLASSES} labels.</li>
<li>Here, start fine-tuning. It makes a new version and replaces none.</li>
<li>Compare both versions, and promote the new one if it reads better.</li></ol>"""


def main() -> None:
    """Show the drawings, fine-tuning, and the fine-tuned versions."""
    st.html(CSS)
    try:
        store = drawing_store()
        _offer_corrections(store)
        _offer_undo(store)
        counts, found = store.counts(), read_finetuned(finetuned_folder())
        if counts:
            _show_drawings(store, counts)
        else:
            st.html(STEPS)
            show_needs()
        loaded = versions_or_empty() if counts or found else ()
        if counts:
            show_training(store, loaded)
        if found:
            show_versions(found, loaded, store)
    except StoreError as err:
        st.error(f"The drawings cannot be shown: {err}")


def _offer_corrections(store: Store) -> None:
    """Offer to keep the pictures whose labels were corrected on the Batch page."""
    corrections = st.session_state.get("corrections", {})
    if corrections and clicked(
        f"Keep {len(corrections)} corrected in Batch", "keep-corrected", icon=":material/playlist_add:"
    ):
        for label, picture in corrections.values():
            store.keep(picture, label)
        corrections.clear()
        st.rerun()


def _offer_undo(store: Store) -> None:
    """Offer to keep the drawing that was deleted last again."""
    drawing: Drawing | None = st.session_state.get(DELETED)
    if drawing and clicked(f"Undo: keep the deleted {drawing.label} again", "undo-delete", icon=":material/undo:"):
        del st.session_state[DELETED]
        store.put_back(drawing)
        st.rerun()


def progress_of(label: str, count: int) -> str:
    """Return how many drawings of a label there are, of those needed while there are too few."""
    return f"{label}: {count}" if count >= MIN_DRAWINGS else f"{label}: {count}/{MIN_DRAWINGS}"


def _show_drawings(store: Store, counts: Mapping[str, int]) -> None:
    """Show the drawings kept last, which can be deleted, and offer all of them as a ZIP file."""
    total = sum(counts.values())
    st.html(f'<h2 class="ink-name">{answer_html.count(total, "drawing")} for fine-tuning</h2>')
    label = st.pills(
        "Label", list(counts), format_func=lambda each: progress_of(each, counts[each]), key="finetune-label"
    )
    with st.container(key="ink-kept", horizontal=True, gap="small"):
        for drawing in store.latest(SHOWN, label):
            with st.container(width=THUMBNAIL_PX + 24, gap=None):
                alt = f"A {drawing.label}" + (f", read as {drawing.read_as}" if drawing.read_as else "")
                if url := thumbnail_url(drawing.picture, THUMBNAIL_PX):
                    st.html(f'<img src="{url}" alt="{html.escape(alt)}" title="{html.escape(alt)}">')
                if clicked(drawing.label, f"drop-{drawing.id}", icon=":material/delete:", help=f"Delete: {alt}"):
                    store.delete(drawing.id)
                    st.session_state[DELETED] = drawing
                    st.rerun()
    if total > SHOWN:
        st.caption(f"The last {SHOWN} are shown.")
    st.download_button("All drawings as a ZIP file", store.export, "drawings.zip", "application/zip", on_click="ignore")


main()
