"""Warnings of the exporters about themselves, which nothing here can act on."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

KNOWN = [
    # TorchScript is deprecated in favour of torch.export; the results page says so, where a reader of it sees it
    (r"`torch\.jit\.", DeprecationWarning),
    # torch.export copies its own deprecated class
    (r".*LeafSpec.* is deprecated", FutureWarning),
    # ExecuTorch reads its tables in the old way, and calls its runtime's Python experimental
    (r"(open_text|read_text|read_binary) is deprecated", DeprecationWarning),
    (r"This API is experimental", Warning),
]


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the known warnings silent, and no others."""
    with warnings.catch_warnings():
        for message, category in KNOWN:
            warnings.filterwarnings("ignore", message, category)
        yield
