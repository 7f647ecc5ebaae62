"""What the Batch page asks for: pictures, and what shall read them."""

from collections.abc import Sequence

import streamlit as st

from dashboard.batch.page_state import replace
from dashboard.batch.uploads import LIMITS, TYPES
from dashboard.shared.catalogue import Served
from dashboard.shared.choice import FALLBACK, TTL_S
from dashboard.shared.management import Management, ManagementError
from inkserve.client.address import management_url

FILES, FOLDER = "Files or ZIP", "Folder"
CHANGED = "batch-changed"


def choose() -> Served:
    """Offer to upload pictures, and the server's recognisers of characters to read them; return the one chosen."""
    with st.container(horizontal=True, vertical_alignment="top"):
        served = _choose_recogniser()
        kind = st.segmented_control("Upload", [FILES, FOLDER], default=FILES, key="batch-kind")
    _choose_files(folder=kind == FOLDER)
    return served


def _choose_recogniser() -> Served:
    found = _characters(management_url())
    last = st.session_state.get("batch-served", FALLBACK.model)
    index = next((i for i, each in enumerate(found) if last in (str(each), each.model)), 0)
    served = st.selectbox("Recogniser", found, index, lambda each: _label(each, found), width=220)
    st.session_state["batch-served"] = str(served)
    return served


def _choose_files(folder: bool) -> None:
    many = "directory" if folder else True
    label = "A folder of pictures" if folder else "Pictures, or ZIP files of them"
    files = st.file_uploader(
        label, list(TYPES), accept_multiple_files=many, key=f"batch-{many}", on_change=_note_change
    )
    st.html(f'<p class="ink-source">{LIMITS}</p>')
    if st.session_state.pop(CHANGED, False):
        replace([(file.name, file.getvalue()) for file in files])


def _note_change() -> None:
    st.session_state[CHANGED] = True  # files that are gone because the page was left are no change


def _label(served: Served, found: Sequence[Served]) -> str:
    if not served.version:
        return f"{served.model}, default version"
    several = sum(each.model == served.model for each in found) > 1
    return f"{served}{' (default)' if several and served.default else ''}"


@st.cache_data(ttl=TTL_S, max_entries=8, show_spinner=False)
def _characters(url: str) -> Sequence[Served]:
    """Return what reads one character a picture, `reader` left out; the usual one where the server does not say."""
    try:
        found = [each.served for each in Management(url).fleet()]
    except ManagementError:
        found = []
    return [each for each in found if not each.reads_pages] or [FALLBACK]
