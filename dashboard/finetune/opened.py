"""The store of this process, opened once for each database."""

import streamlit as st

from dashboard.finetune.store import Store, database_url


def opened_store() -> Store:
    """Return the store that the environment names.

    Raises:
        StoreError: it cannot be opened.
    """
    return _opened(database_url())


@st.cache_resource(show_spinner=False)
def _opened(url: str) -> Store:
    return Store(url)
