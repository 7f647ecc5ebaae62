"""The parts of a page that run again by themselves, where Streamlit sends what a run shows with a delay.

So it is on a busy machine: the script of the page has ended, and its last elements have not been sent. A tick then
makes Streamlit drop them, see dashboard/shared/ticking.py.
"""

import re
import subprocess
import sys

import pytest
import requests
from playwright.sync_api import expect

from deploy.local.settings import ROOT, free_ports
from tests.browsing import PATIENCE_MS
from tests.waiting import eventually

pytestmark = pytest.mark.browser

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


def test_a_tick_between_the_end_of_a_page_and_its_sending_loses_nothing(pages, tmp_path):
    (tmp_path / "page.py").write_text(PAGE.format(root=str(ROOT)))
    (tmp_path / "slowly.py").write_text(SLOWLY)
    port = free_ports(1)[0]
    command = [sys.executable, "slowly.py", "page.py", "--server.address=127.0.0.1", f"--server.port={port}"]
    command += ["--server.headless=true", "--browser.gatherUsageStats=false"]
    with subprocess.Popen(command, cwd=tmp_path) as server:
        try:
            eventually(lambda: answers(port), "the page's server")
            page = pages(f"http://127.0.0.1:{port}")
            # What one part shows may be dropped each time, if the other's tick comes before it is sent: both tell
            for name in ("first", "second"):
                shown = page.get_by_text(re.compile(rf"\b{name} ([4-9]|\d\d+)\b"))
                expect(shown.first).to_be_visible(timeout=PATIENCE_MS)
            expect(page.get_by_text("the end of the page")).to_be_visible()
        finally:
            server.kill()


def answers(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/_stcore/health", timeout=5).ok
    except requests.ConnectionError:
        return False
