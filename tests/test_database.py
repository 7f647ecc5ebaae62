"""Addresses of databases."""

import pytest
from sqlalchemy.exc import ArgumentError

from training.database import masked, with_driver


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_an_address_of_postgresql_gets_the_driver_that_is_installed(scheme):
    assert with_driver(f"{scheme}://me@host/db") == "postgresql+psycopg://me@host/db"
    assert with_driver("sqlite:///drawings.db") == "sqlite:///drawings.db"


@pytest.mark.parametrize("password", ["secret", "s@cret", "s:/cret", "s%40cret"])
def test_a_password_is_not_shown(password):
    assert masked(f"postgres://me:{password}@host:5432/db") == "postgresql+psycopg://me:***@host:5432/db"


def test_what_is_no_address_is_not_shown_either():
    with pytest.raises(ArgumentError) as caught:
        masked("me:secret@host")
    assert "secret" not in str(caught.value)
