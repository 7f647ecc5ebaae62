"""The corpus: requests by name, each with the answer that is wanted."""

import functools
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from measuring.reliability import archives, documents, forms, pictures, protocol, slow
from measuring.reliability.judge import Wanted
from measuring.reliability.wire import Content, Request

ENDPOINTS = {"digits": "/predictions/digits", "reader": "/predictions/reader", "explanations": "/explanations/digits"}


@dataclass(frozen=True)
class Entry:
    """One request of the corpus.

    Attributes:
        name: says what is odd about it.
        wanted: of its answer.
        message: to send, with a body unless `content` is one.
        content: of the body, where it is so large that it is made only when it is sent.
    """

    name: str
    wanted: Wanted
    message: Request
    content: Content | None = None

    @property
    def request(self) -> Request:
        """The request, whole."""
        return replace(self.message, body=self.content()) if callable(self.content) else self.message

    @property
    def is_large(self) -> bool:
        """Tell whether it takes the server much time, so that a campaign sends it once."""
        return callable(self.content)


@functools.cache
def corpus() -> Sequence[Entry]:
    """Return all entries."""
    return tuple(entries())


def entries() -> Iterator[Entry]:
    """Make all entries."""
    for name, picture in itertools.chain(pictures.readable(), pictures.damaged(), pictures.empty(), pictures.bombs()):
        for endpoint, path in ENDPOINTS.items():
            yield entry(f"{endpoint}: {name}", picture.wanted, picture.content, path)
    for name, picture in slow.slow():
        for endpoint in ("digits", "reader"):
            yield entry(f"{endpoint}: {name}", picture.wanted, picture.content, ENDPOINTS[endpoint])
    for name, file in itertools.chain(archives.zip_files(), archives.npy_files()):
        yield entry(name, file.wanted, file.content)
    all_documents = (documents.good_documents(), documents.bad_documents(), documents.large_documents())
    for name, document in itertools.chain(*all_documents):
        yield entry(name, document.wanted, document.content, kind="application/json")
    for name, form in itertools.chain(forms.forms(), forms.other_kinds()):
        yield entry(name, form.wanted, form.content, kind=form.kind)
    yield from (Entry(name, message.wanted, message.request) for name, message in protocol.messages())


def entry(
    name: str, wanted: Wanted, content: Content, path: str = ENDPOINTS["digits"], kind: str | None = None
) -> Entry:
    """Make an entry of a body."""
    headers = () if kind is None else (("Content-Type", kind),)
    if callable(content):
        return Entry(name, wanted, Request(path=path, headers=headers), content)
    return Entry(name, wanted, Request(content, path, headers))
