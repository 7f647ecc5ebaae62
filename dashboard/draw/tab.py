"""The tab of the browser, which gets its drawing back after a reload; Streamlit's session ends with the page."""

import re
import threading
from collections import OrderedDict

import streamlit as st

from dashboard.draw.sketch import Sketch

MOST_TABS = 100  # whose drawings are kept
TAB = re.compile(r"[0-9a-f]{32}")
KEY = "sketch"
# The id is random, so that nobody else can name it, and the browser keeps it as long as the tab is open.
JS = """
let isTold = false;
export default function ({setStateValue}) {
  if (isTold) return;
  isTold = true;
  let tab = sessionStorage.getItem("ink-tab");
  if (!tab) {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    tab = Array.from(bytes, each => each.toString(16).padStart(2, "0")).join("");
    sessionStorage.setItem("ink-tab", tab);
  }
  setStateValue("id", tab);
}
"""

_tell = st.components.v2.component("ink_tab", html="<span></span>", js=JS)


class Tabs:
    """The drawings of the tabs that were seen last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sketches: OrderedDict[str, Sketch] = OrderedDict()

    def swap(self, tab: str, sketch: Sketch) -> Sketch:
        """Return a copy of the drawing that a tab had before a reload, else the sketch; keep what is returned.

        A copy, as a duplicated tab has the id of the first one.
        """
        with self._lock:
            earlier = self._sketches.pop(tab, None)
            if earlier is not None and sketch.is_untouched:
                sketch = earlier.put_back()
            self._sketches[tab] = sketch
            while len(self._sketches) > MOST_TABS:
                self._sketches.popitem(last=False)
        return sketch


def tab_sketch() -> Sketch:
    """Return this tab's drawing."""
    st.session_state.setdefault(KEY, Sketch())
    _tell(key="tab", on_id_change=_note)
    sketch: Sketch = st.session_state[KEY]
    return sketch


def _note() -> None:
    tab = st.session_state["tab"]["id"]
    if isinstance(tab, str) and TAB.fullmatch(tab):
        st.session_state[KEY] = _tabs().swap(tab, st.session_state[KEY])


@st.cache_resource(show_spinner=False)
def _tabs() -> Tabs:
    return Tabs()
