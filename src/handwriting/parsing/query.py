"""The query of a request's address, which the front end's agent passes on as a header: TorchServe itself drops it."""

from collections.abc import Collection
from urllib.parse import parse_qsl

from handwriting.errors import InvalidRequest

QUERY_HEADER = "url_query"  # deploy/frontend sets it, never a client


def read_query(query: str, known: Collection[str]) -> dict[str, str]:
    """Return the parameters of a query by name.

    Args:
        query: as QUERY_HEADER has it; "" without one.
        known: names that there may be.

    Raises:
        InvalidRequest: a name is unknown, or there twice: nothing that was asked for is ignored.
    """
    if not query:
        return {}
    found = parse_qsl(query, keep_blank_values=True)
    names = [name for name, _ in found]
    for name in names:
        if name not in known:
            raise InvalidRequest(f"the address has the parameter {name[:40]!r}; wanted {' or '.join(sorted(known))}")
        if names.count(name) > 1:
            raise InvalidRequest(f"the address has {name} {names.count(name)} times; wanted it once")
    return dict(found)
