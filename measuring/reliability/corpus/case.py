"""One case of the corpus: a request with a name, and the expected answer."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from measuring.reliability.expected import Expected
from measuring.reliability.http_wire import Request

Content = bytes | Callable[[], bytes]  # a large body is made only when it is sent


@dataclass(frozen=True)
class Case:
    """A request and the expected answer.

    Attributes:
        name: says what is unusual about the request.
        expected: the answer.
        template: the request; its body is missing where `make_body` makes it.
        make_body: makes a large body.
    """

    name: str
    expected: Expected
    template: Request
    make_body: Callable[[], bytes] | None = None

    @property
    def request(self) -> Request:
        """The complete request."""
        return replace(self.template, body=self.make_body()) if self.make_body else self.template

    @property
    def is_large(self) -> bool:
        """Whether it costs the server much time; a campaign sends it once."""
        return self.make_body is not None

    def to(self, endpoint: str, path: str) -> "Case":
        """Return the same request to another path."""
        return replace(self, name=f"{endpoint}: {self.name}", template=replace(self.template, path=path))


def case(name: str, content: Content, expected: Expected, kind: str | None = None) -> Case:
    """Make a case of a body for `digits`, with a content type or without."""
    headers = () if kind is None else (("Content-Type", kind),)
    if callable(content):
        return Case(name, expected, Request(headers=headers), content)
    return Case(name, expected, Request(content, headers=headers))


def cases(
    expected: Expected, contents: Mapping[str, Content], prefix: str = "", kind: str | None = None
) -> Iterator[Case]:
    """Make cases of several bodies with the same expected answer."""
    return (case(f"{prefix}{name}", content, expected, kind) for name, content in contents.items())
