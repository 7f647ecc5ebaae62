"""Drawings with their right labels: what is there, and a recogniser that learns them."""

import streamlit as st

from dashboard import view
from dashboard.preview import data_url, preview
from dashboard.teach import tuning
from dashboard.teach.opened import opened_store
from dashboard.teach.store import Store, StoreError
from dashboard.teach.tuning import Tuning
from handwriting.labels import LABELS

SHOWN = 60
THUMBNAIL_PX = 56
REFRESH_S = 2.0


@st.cache_resource(show_spinner=False)
def _tuning() -> Tuning:
    return Tuning()


def main() -> None:
    """Show what is kept, take over corrections, and fine-tune."""
    try:
        store = opened_store()
        _corrections(store)
        counts = store.counts()
        if not counts:
            st.html(view.note("No drawings are kept yet. Draw one, and say under its answer what it is."))
            return
        _kept(store, counts)
    except StoreError as err:
        st.html(view.refusal(f"The drawings can't be shown: {err}"))
        return
    _learn(store)


def _corrections(store: Store) -> None:
    """Offer to keep what was corrected in a batch."""
    corrections = st.session_state.get("corrections", {})
    if corrections and st.button(f"Keep {len(corrections)} corrected in Batch", icon=":material/playlist_add:"):
        for label, picture in corrections.values():
            store.keep(picture, label)
        corrections.clear()
        st.rerun()


def _kept(store: Store, counts: dict[str, int]) -> None:
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
                    st.html(
                        f'<img src="{data_url(image)}" alt="{view.html.escape(alt)}" title="{view.html.escape(alt)}">'
                    )
                if st.button(
                    drawing.label, key=f"drop-{drawing.id}", icon=":material/delete:", help=f"{alt}: delete it"
                ):
                    store.drop(drawing.id)
                    st.rerun()
    if len(counts) and total > SHOWN:
        st.caption(f"The last {SHOWN} are shown.")
    st.download_button(
        "All drawings as folders, ZIP", store.export, "drawings.zip", "application/zip", on_click="ignore"
    )


def _learn(store: Store) -> None:
    st.html(
        '<h2 class="ink-name">Teach a recogniser</h2><p class="ink-note">Of two labels or more, five drawings each.'
        " A fifth is kept aside to measure on; the new version stands beside the old one, and nothing is replaced.</p>"
    )
    if lacking := tuning.missing():
        st.html(
            view.note(
                f"Fine-tuning needs {', '.join(lacking)}, which `make train` installs; then start the dashboard again."
            )
        )
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        model = st.selectbox(
            "Recogniser", sorted(LABELS), index=sorted(LABELS).index("digits"), width=220, key="teach-model"
        )
        epochs = st.number_input("Passes", 1, 50, 8, width=140)
        if st.button("Teach", icon=":material/school:", disabled=_tuning().is_running()):
            _tuning().start(model, store.url, "--epochs", str(epochs))
            st.rerun()
    _progress()


@st.fragment(run_every=REFRESH_S)
def _progress() -> None:
    current = _tuning()
    if current.process is None:
        return
    st.code(current.output() or "starting ...", language=None, wrap_lines=True)
    if current.is_running():
        if st.button("Stop", icon=":material/stop:"):
            current.stop()
    elif current.outcome() == 0:
        st.success(
            "Done. `make up` packs and serves the new version; compare both on Models, and choose the default there."
        )
    else:
        st.error("It ended without a new version: see above.")


main()
