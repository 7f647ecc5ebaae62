"""Addresses of the server: given, from the environment, or the defaults of `make up`."""

import ipaddress
import os
from urllib.parse import urlsplit

DEFAULT_URL = "http://127.0.0.1:8080"
VARIABLE = "INKSERVE_URL"
MANAGEMENT_DEFAULT_URL = "http://127.0.0.1:8081"
MANAGEMENT_VARIABLE = "INKSERVE_MANAGEMENT_URL"


def server_url(url: str | None = None) -> str:
    """Return an address without a slash at the end: the one given, that of INKSERVE_URL, or else DEFAULT_URL."""
    return (url or os.environ.get(VARIABLE) or DEFAULT_URL).rstrip("/")


def management_url() -> str:
    """Return the address of the management API: that of INKSERVE_MANAGEMENT_URL, or MANAGEMENT_DEFAULT_URL."""
    return (os.environ.get(MANAGEMENT_VARIABLE) or MANAGEMENT_DEFAULT_URL).rstrip("/")


def is_loopback(url: str) -> bool:
    """Return whether an address is one of this machine's own."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name, or no address at all
        return False
