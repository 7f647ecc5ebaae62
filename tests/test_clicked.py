"""A click that the page's own rerun would lose."""

from streamlit.testing.v1 import AppTest


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
