"""The corpus of bad and rare input: requests by name, each with the expected answer.

| module | cases |
|---|---|
| picture_files | rare, damaged, empty and oversized pictures |
| slow_pictures | pictures within all limits that are slow to decode or to search |
| zip_npy | ZIP and npy files |
| json_documents | JSON documents |
| multipart_forms | forms, and bodies under a wrong content type |
| http_messages | methods, paths, queries, headers, lengths |
"""

import functools
import itertools
from collections.abc import Sequence

from measuring.reliability.corpus import (
    http_messages,
    json_documents,
    multipart_forms,
    picture_files,
    slow_pictures,
    zip_npy,
)
from measuring.reliability.corpus.case import Case

ENDPOINTS = {"digits": "/predictions/digits", "reader": "/predictions/reader", "explanations": "/explanations/digits"}


@functools.cache
def corpus() -> Sequence[Case]:
    """Return all cases."""
    all_pictures = itertools.chain(
        picture_files.readable(), picture_files.damaged(), picture_files.empty(), picture_files.bombs()
    )
    return (
        *(each.to(endpoint, path) for each in all_pictures for endpoint, path in ENDPOINTS.items()),
        *(each.to(name, ENDPOINTS[name]) for each in slow_pictures.slow_pictures() for name in ("digits", "reader")),
        *zip_npy.zip_files(),
        *zip_npy.npy_files(),
        *json_documents.documents(),
        *multipart_forms.forms(),
        *multipart_forms.wrong_types(),
        *http_messages.messages(),
    )
