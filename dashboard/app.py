"""The dashboard: `streamlit run dashboard/app.py` from the repository root; INKSERVE_URL names the server."""

import sys
from pathlib import Path

import streamlit as st

HERE = Path(__file__).resolve().parent
if str(HERE.parent) not in sys.path:
    sys.path.insert(0, str(HERE.parent))  # streamlit adds this folder only; `dashboard` itself is the package

from dashboard import connection  # noqa: E402 - found through the line above

st.set_page_config(page_title="Inkserve", page_icon=HERE / "icon.png", layout="centered")
st.html(HERE / "style.css")

# Not in a folder "pages": Streamlit would run those by itself, without this file, for the first visitor of /batch.
pages = [
    st.Page("screens/draw.py", title="Draw", icon=":material/draw:", default=True),
    st.Page("screens/batch.py", title="Batch", icon=":material/stacks:"),
    st.Page("screens/live.py", title="Live", icon=":material/monitoring:"),
    st.Page("screens/teach.py", title="Teach", icon=":material/school:"),
    st.Page("screens/models.py", title="Models", icon=":material/deployed_code:"),
]
page = st.navigation(pages, position="hidden")  # Streamlit's own folds into a drawer on a phone

with st.container(key="ink-header", horizontal=True, vertical_alignment="center", gap="small"):
    st.html('<h1 class="ink-title">Inkserve</h1>', width="content")
    for each in pages:
        st.page_link(each, width="content")
connection.watch()
st.session_state["canvas-was-there"] = st.session_state.pop("canvas-is-there", False)  # see screens/draw.py
page.run()
