"""A click that the page's own rerun would lose."""

import time

from streamlit.testing.v1 import AppTest

from dashboard.shared.clicked import FRESH_S


def page():
    import streamlit as st  # noqa: PLC0415 - AppTest runs this function alone

    from dashboard.shared.clicked import clicked  # noqa: PLC0415

    if st.session_state.pop("interrupted", False):
        st.rerun()
    st.session_state["clicks"] = st.session_state.get("clicks", 0) + clicked("Go", "go")


def test_a_click_is_kept_when_the_page_is_rerun_before_its_button_and_counts_once():
    app = AppTest.from_function(page).run()
    app.session_state["interrupted"] = True
    app.button(key="go").click().run()
    assert app.session_state["clicks"] == 1
    assert app.run().session_state["clicks"] == 1


def test_a_click_of_a_page_that_was_left_long_ago_does_nothing():
    app = AppTest.from_function(page).run()
    app.session_state["clicked-go"] = time.monotonic() - FRESH_S - 1
    assert app.run().session_state["clicks"] == 0
