"""The dashboard: `streamlit run dashboard/app.py` from the repository root; INKSERVE_URL names the server."""

import sys
from pathlib import Path

import streamlit as st

HERE = Path(__file__).resolve().parent
if str(HERE.parent) not in sys.path:
    sys.path.insert(0, str(HERE.parent))  # streamlit adds only this folder, but `dashboard` is the package

from dashboard.shared import server_watch, ticking  # noqa: E402 - found through the line above

st.set_page_config(page_title="Inkserve", page_icon=HERE / "icon.png", layout="centered")
st.html(HERE / "style.css")

# No folder may be named "pages": Streamlit would run its files without this one.
pages = [
    st.Page("draw/page.py", title="Draw", icon=":material/draw:", url_path="draw", default=True),
    st.Page("batch/page.py", title="Batch", icon=":material/stacks:", url_path="batch"),
    st.Page("live/page.py", title="Live", icon=":material/monitoring:", url_path="live"),
    st.Page("finetune/page.py", title="Fine-tune", icon=":material/school:", url_path="finetune"),
    st.Page("models/page.py", title="Models", icon=":material/deployed_code:", url_path="models"),
]
page = st.navigation(pages, position="hidden")  # Streamlit's own menu is hidden in a drawer on a phone

with st.container(key="ink-header", horizontal=True, vertical_alignment="center", gap="small"):
    st.html('<h1 class="ink-title">Inkserve</h1>', width="content")
    for each in pages:
        st.page_link(each, width="content")
with ticking.page():
    server_watch.watch()
    page.run()
