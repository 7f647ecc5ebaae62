"""The confusion matrix of a batch as a chart."""

from collections.abc import Sequence

import altair as alt
import pandas as pd
import streamlit as st

from dashboard.batch.score import Score

WITH_NUMBERS = 16  # labels at most: more numbers would not fit a phone
CELL_PX, SMALL_CELL_PX, AXIS_PX = 30, 14, 60
DENSE = 0.5  # of the darkest cell: from here on, numbers are written in the page's colour
COLOURS = {"light": ("#27408b", "#1d2433", "#fbf8f1"), "dark": ("#9db4ff", "#ebe6da", "#14171f")}  # cell, ink, page


def show_confusion(found: Score, labels: Sequence[str]) -> None:
    """Draw how often each label was read as each; the right ones are on the diagonal."""
    seen = {label for pair in found.confusion for label in pair}
    shown = [label for label in labels if label in seen]
    table = pd.DataFrame(
        [(truth, label, found.confusion[truth, label]) for truth in shown for label in shown],
        columns=["Folder", "Read as", "Pictures"],
    )
    cell, ink, page = COLOURS[st.context.theme.type or "light"]
    most = max(found.confusion.values())
    base = alt.Chart(table).encode(
        x=alt.X("Read as:N", sort=shown, axis=alt.Axis(labelAngle=0, orient="top")),
        y=alt.Y("Folder:N", sort=shown, axis=alt.Axis(labelOverlap=False)),
        tooltip=["Folder", "Read as", "Pictures"],
    )
    squares = base.mark_rect(color=cell, stroke=page, strokeWidth=1).encode(
        opacity=alt.Opacity("Pictures:Q", scale=alt.Scale(type="sqrt", domain=[0, most], range=[0.04, 1]), legend=None)
    )
    numbers = base.mark_text(fontSize=11).encode(
        text=alt.Text("Pictures:Q", format="d"),
        color=alt.condition(alt.datum.Pictures > most * DENSE**2, alt.value(page), alt.value(ink)),
        opacity=alt.condition(alt.datum.Pictures > 0, alt.value(1), alt.value(0)),
    )
    numbered = len(shown) <= WITH_NUMBERS
    chart = squares + numbers if numbered else squares
    height = AXIS_PX + len(shown) * (CELL_PX if numbered else SMALL_CELL_PX)
    st.altair_chart(
        chart.properties(height=height),
        alt=f"Confusion matrix: {found.right} of {found.read} pictures on the diagonal",
    )
