"""Addresses of databases: which driver they mean, and how they are shown."""

import re

from sqlalchemy.engine import make_url

VARIABLE = "DATABASE_URL"
DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}  # SQLAlchemy's own choice is psycopg2


def with_driver(address: str) -> str:
    """Name the driver that is installed in an address that names none, such as postgres://user@host/database."""
    scheme, separator, rest = address.partition("://")
    return f"{DRIVERS.get(scheme, scheme)}{separator}{rest}"


def masked(address: str) -> str:
    """Return an address as it may be printed: with its driver, and *** for its password.

    Raises:
        sqlalchemy.exc.ArgumentError: it is no address.
    """
    shown = make_url(with_driver(address)).render_as_string(hide_password=True)
    return re.sub(r"\*\*\*@.*@", "***@", shown)  # an @ in a password should be %40; where it is not, the rest is a host
