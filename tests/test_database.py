"""Kept drawings: addresses of databases, and what their module needs."""

import subprocess
import sys

import pytest

from training.drawing_store import StoreError, masked, with_driver


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_an_address_of_postgresql_gets_the_driver_that_is_installed(scheme):
    assert with_driver(f"{scheme}://me@host/db") == "postgresql+psycopg://me@host/db"
    assert with_driver("sqlite:///drawings.db") == "sqlite:///drawings.db"


@pytest.mark.parametrize("password", ["secret", "s@cret", "s:/cret", "s%40cret"])
def test_a_password_is_not_shown(password):
    assert masked(f"postgres://me:{password}@host:5432/db") == "postgresql+psycopg://me:***@host:5432/db"


def test_a_wrong_address_is_not_shown_either():
    with pytest.raises(StoreError) as caught:
        masked("me:secret@host")
    assert "secret" not in str(caught.value)


def test_kept_drawings_are_read_without_torch_and_streamlit():
    code = "import sys, training.drawing_store; print({'torch', 'streamlit'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "set()"
