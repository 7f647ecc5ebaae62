"""The corpus of bad and rare input: requests by name, each with the expected answer.

| module | cases |
|---|---|
| picture_files | rare, damaged, empty and oversized pictures |
| slow_pictures | pictures within all limits that are slow to decode or to search |
| sandboxed_files | files whose decoders run in a process of their own: readable ones and bombs |
| zip_npy | ZIP and npy files |
| json_documents | JSON documents |
| multipart_forms | forms, and bodies under a wrong content type |
| http_messages | methods, paths, queries, headers, lengths |
"""

import functools
from collections.abc import Callable, Iterator, Sequence

from measuring.reliability.corpus import http_messages as http
from measuring.reliability.corpus import (
    json_documents,
    multipart_forms,
    picture_files,
    sandboxed_files,
    slow_pictures,
    zip_npy,
)
from measuring.reliability.corpus.case import Case

ENDPOINTS = {"digits": "/predictions/digits", "reader": "/predictions/reader", "explanations": "/explanations/digits"}
PICTURES = (
    picture_files.readable, picture_files.damaged, picture_files.empty, picture_files.bombs,
    sandboxed_files.readable_apart, sandboxed_files.bombs_apart,
)  # fmt: skip
OTHERS: Sequence[Callable[[], Iterator[Case]]] = (
    zip_npy.zips_with_odd_names, zip_npy.zips_with_wrong_headers, zip_npy.zip_bombs, zip_npy.npy_files,
    json_documents.good_documents, json_documents.bad_documents, json_documents.large_documents,
    multipart_forms.good_forms, multipart_forms.odd_parts, multipart_forms.broken_forms, multipart_forms.wrong_types,
    http.methods, http.paths, http.queries, http.headers, http.lengths, http.raw_bytes,
)  # fmt: skip


@functools.cache
def corpus() -> Sequence[Case]:
    """Return all cases."""
    return (
        *(each.to(name, path) for make in PICTURES for each in make() for name, path in ENDPOINTS.items()),
        *(each.to(name, ENDPOINTS[name]) for each in slow_pictures.slow_pictures() for name in ("digits", "reader")),
        *(each for make in OTHERS for each in make()),
    )
