"""The parts of a page that run again by themselves, where Streamlit sends what a run shows with a delay.

So it is on a busy machine: the script of the page has ended, and its last elements have not been sent. A tick then
makes Streamlit drop them, see dashboard/shared/ticking.py.
"""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
import requests
from playwright.sync_api import Page, expect

from deploy.local.settings import ROOT, free_ports
from tests.browsing import PATIENCE_MS
from tests.waiting import eventually

pytestmark = pytest.mark.browser

SHOWN_MS = 20_000

# The first timer's tick comes 1 s after the start of the page, while what the page ends with is on its way
PAGE = """
import sys
import time

import streamlit as st

sys.path.insert(0, {root!r})
from dashboard.shared import ticking


def count(name):
    st.session_state[name] = st.session_state.get(name, 0) + 1
    st.write(", ".join(f"{{each}} {{st.session_state.get(each, 0)}}" for each in ("first", "second")))


with ticking.page():
    ticking.show(count, 1.0, "first")
    time.sleep(1.15)
    ticking.show(count, 1.0, "second")
    st.write("the end of the page")
"""
# A click is shown outside of the part that ticks
CLICKED = """
import sys

import streamlit as st

sys.path.insert(0, {root!r})
from dashboard.shared import ticking


def tick():
    st.session_state["ticks"] = st.session_state.get("ticks", 0) + 1
    st.write(f"tick {{st.session_state['ticks']}}")


def click():
    st.session_state["clicks"] = st.session_state.get("clicks", 0) + 1


with ticking.page():
    ticking.show(tick, 1.0)
    st.button("Click", on_click=click)
    st.write(f"clicked {{st.session_state.get('clicks', 0)}} times")
"""
SLOWLY = """
import sys

from streamlit.runtime.app_session import AppSession
from streamlit.web import cli


def later(self, callback):
    self._event_loop.call_soon_threadsafe(lambda: self._event_loop.call_later(0.3, callback))


AppSession._call_soon_on_event_loop = later
sys.argv = ["streamlit", "run", *sys.argv[1:]]
cli.main()
"""


@pytest.fixture
def slowly(pages, tmp_path) -> Iterator[Callable[[str], Page]]:
    """Open a page whose server sends what it shows with a delay."""
    (tmp_path / "slowly.py").write_text(SLOWLY)
    port = free_ports(1)[0]
    command = [sys.executable, "slowly.py", "page.py", "--server.address=127.0.0.1", f"--server.port={port}"]
    command += ["--server.headless=true", "--browser.gatherUsageStats=false"]
    servers: list[subprocess.Popen] = []

    def open_page(script: str) -> Page:
        (tmp_path / "page.py").write_text(script.format(root=str(ROOT)))
        servers.append(subprocess.Popen(command, cwd=tmp_path))
        eventually(lambda: answers(port), "the page's server")
        return pages(f"http://127.0.0.1:{port}")

    yield open_page
    for each in servers:
        each.kill()
        each.wait()


def test_a_tick_between_the_end_of_a_page_and_its_sending_loses_nothing(slowly):
    page = slowly(PAGE)
    # What one part shows may be dropped each time, if the other's tick comes before it is sent: both tell
    for name in ("first", "second"):
        shown = page.get_by_text(re.compile(rf"\b{name} ([4-9]|\d\d+)\b"))
        expect(shown.first).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_text("the end of the page")).to_be_visible()


def test_what_a_click_has_changed_is_shown_also_where_a_tick_came_between(slowly):
    page = slowly(CLICKED)
    for count in range(1, 16):  # at other times of the second that is between two ticks
        page.wait_for_timeout(70 * count)
        page.get_by_role("button", name="Click").click()
        expect(page.get_by_text(f"clicked {count} times")).to_be_visible(timeout=SHOWN_MS)


def answers(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/_stcore/health", timeout=5).ok
    except requests.ConnectionError:
        return False
