"""One case of the corpus: a request with a name, and the expected answer."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from measuring.reliability.expected import Expected
from measuring.reliability.http_wire import Request

Bodies = Mapping[str, bytes | Callable[[], bytes]]  # by name; a large one is made only when it is sent


@dataclass(frozen=True)
class Case:
    """A request and the expected answer; the name says what is unusual about the request."""

    name: str
    expected: Expected
    request: Request

    @property
    def is_large(self) -> bool:
        """Whether it costs the server much time; a campaign sends it once."""
        return callable(self.request.body)

    def to(self, endpoint: str, path: str) -> "Case":
        """Return the same request to another path."""
        return replace(self, name=f"{endpoint}: {self.name}", request=replace(self.request, path=path))


def cases(prefix: str, kind: str | None, *groups: tuple[Expected, Bodies]) -> Iterator[Case]:
    """Make cases of bodies for `digits`.

    Args:
        prefix: of their names.
        kind: content type; None for none.
        groups: expected answers with the bodies that get them.
    """
    headers = () if kind is None else (("Content-Type", kind),)
    for expected, bodies in groups:
        yield from (Case(prefix + name, expected, Request(body, headers=headers)) for name, body in bodies.items())
