"""Buttons for quick fingers: each press counts, in its order, and for what the page showed when it was made.

Streamlit joins what arrives while a run of the page cannot be interrupted, for example while a picture is read: two
presses of a `st.button` are then one, and presses of two buttons are taken in the order of the buttons.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import streamlit as st

_show = st.components.v2.component(
    "ink_press_bar",
    html='<div class="ink-presses"></div>',
    js=Path(__file__).with_suffix(".js").read_text(),
    isolate_styles=False,  # they look like the page's other buttons
)


@dataclass(frozen=True)
class Button:
    """A button.

    Attributes:
        name: its text.
        icon: a Material symbol.
        keys: that press it, as the browser names them: `a`, `A`, `Backspace`, `Ctrl+Shift+z`. A key that presses no
            button presses that of the same letter, small or capital.
        hint: the key to show, for buttons whose name isn't their key.
        enabled: whether it can be pressed.
    """

    name: str
    icon: str = ""
    keys: Sequence[str] = ()
    hint: str = ""
    enabled: bool = True


def label_buttons(labels: Sequence[str]) -> Sequence[Button]:
    """Return a button for each label, which its key presses."""
    return [Button(label, keys=[label]) for label in labels]


def press_bar(key: str, rows: Sequence[Sequence[Button]], pressed: Callable[[str, str | None], object]) -> None:
    """Show rows of buttons.

    Args:
        key: a name of its own.
        rows: their buttons, with names that differ.
        pressed: called, before the page runs, for each press with the name of the button, and with the `data-shown` of
            the element that had one then. A key also presses a button that is disabled.
    """
    names = {button.name for row in rows for button in row}

    def take() -> None:
        for name, then in _new(key):
            if name in names:
                pressed(name, then)

    data = {"rows": [[asdict(button) for button in row] for row in rows]}
    _show(key=key, data=data, on_presses_change=take)


def _new(key: str) -> Sequence[tuple[str, str | None]]:
    """Return the presses that have not been taken yet; a bar that is shown anew counts from 0, with another id."""
    told = st.session_state[key].get("presses")
    if not told:
        return []
    bar, taken = st.session_state.get(f"{key}-taken", (None, 0))
    new = told["count"] - (taken if told["bar"] == bar else 0)
    st.session_state[f"{key}-taken"] = (told["bar"], told["count"])
    return told["last"][-new:] if new > 0 else []
