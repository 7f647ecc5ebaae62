"""Fixtures of stores in SQLite and in PostgreSQL; conftest.py hands them on."""

from collections.abc import Iterator

import pytest

from training.drawing_store import Store

SQLITE, POSTGRES = "SQLite", "PostgreSQL"


@pytest.fixture(params=[SQLITE, POSTGRES])
def url(request, tmp_path) -> str:
    """The address of an empty database."""
    if request.param == POSTGRES:
        return request.getfixturevalue("postgres").new_database()
    return f"sqlite:///{tmp_path / 'new' / 'drawings.db'}"


@pytest.fixture
def store(url) -> Iterator[Store]:
    opened = Store(url)
    yield opened
    opened.engine.dispose()


@pytest.fixture
def file_store(tmp_path) -> Iterator[Store]:
    """A store for what does not depend on the database."""
    opened = Store(f"sqlite:///{tmp_path / 'drawings.db'}")
    yield opened
    opened.engine.dispose()
