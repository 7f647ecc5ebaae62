"""A button for each label, most of which a key presses, too."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

RESERVED = "CR"  # keys that Streamlit keeps for itself


def label_buttons(labels: Sequence[str], key: str, chosen: Callable[..., object], *arguments: Any) -> None:  # noqa: ANN401
    """Show the buttons; `chosen` is called with the arguments and the label."""
    keys = shortcuts(labels)
    with st.container(key=key, horizontal=True, gap="small"):
        for label in labels:
            shortcut = keys.get(label)
            st.button(label, key=f"{key}-{label}", shortcut=shortcut, on_click=chosen, args=(*arguments, label))


def shortcuts(labels: Sequence[str]) -> dict[str, str]:
    """Return the key of each label that can have one; with Shift for a capital that has a small letter beside it."""
    keys = {}
    for label in labels:
        if label.upper() in RESERVED:
            continue
        is_second = label.isupper() and label.lower() in labels
        keys[label] = f"Shift+{label}" if is_second else label
    return keys
