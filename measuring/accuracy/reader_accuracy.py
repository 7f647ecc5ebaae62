"""The character error rate of `reader` over HTTP, on pages that measuring.common.composed_pages composes."""

import argparse
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any

import numpy as np
import requests
from scipy.stats import bootstrap
from tqdm import tqdm

from inkserve.client import ServerDown
from inkserve.client.pictures import encode, from_array
from inkserve.client.tokens import inference_token
from measuring.accuracy.reader_page import Reading, write_report
from measuring.common.composed_pages import LOOK_ALIKES, Page, pages
from measuring.common.temporary_server import serving
from training.card import Card
from training.provenance import commit

READER = "reader"
KINDS = {"digits": "lines of MNIST test digits", "mixed": "lines of EMNIST ByMerge test characters"}
PAGES = 300  # of each kind
SEED = 0  # pages of other seeds were used to develop the reader
CLIENTS = 2
TIMEOUT_S = 30
RESAMPLES = 2000


def evaluate_reader(options: argparse.Namespace) -> None:
    """Measure, print, and write docs/results/reader.

    Raises:
        DataError: a test set is missing.
        StackError: the server does not start.
        ServerDown: it fails on a page.
    """
    count = options.limit or PAGES
    made = {title: (pages(kind, count, SEED), count) for kind, title in KINDS.items()}
    readings = read_all(options, made)
    card = Card.read(options.weights / f"characters-{options.version}.json")
    results = {
        "model": READER,
        "version": options.version,
        "weights_sha256": card.sha256,
        "commit": commit(),
        "command": "make evaluate MODEL=reader",
        "seed": SEED,
        "sets": [summarise(title, each) for title, each in readings.items()],
    }
    page = write_report(options.out, results, readings)
    print(page, f"wrote {options.out}", sep="\n")


def read_all(
    options: argparse.Namespace, made: Mapping[str, tuple[Iterable[Page], int]]
) -> Mapping[str, Sequence[Reading]]:
    """Send pages of several kinds to a server, which is started where the options name none.

    Args:
        options: of the command line.
        made: pages of each kind, and how many.
    """
    archive = options.model_store / f"{READER}-{options.version}.mar"
    server = nullcontext(options.url) if options.url else serving(archive)
    with server as url:
        address = f"{url}/predictions/{READER}/{options.version}"
        return {title: read(address, title, some, count) for title, (some, count) in made.items()}


def read(address: str, title: str, made: Iterable[Page], count: int) -> list[Reading]:
    """Send pages, and return them with their answers, in order.

    Raises:
        ServerDown: a page was not read.
    """
    with requests.Session() as session, ThreadPoolExecutor(CLIENTS) as pool:
        session.auth = inference_token()

        def ask(page: Page) -> Reading:
            response = session.post(address, data=encode(from_array(page.picture)), timeout=TIMEOUT_S)
            if response.status_code == requests.codes.bad_request:  # no writing found: nothing was read
                return Reading(page, {"text": "", "lines": []})
            if not response.ok:
                raise ServerDown(f"{address} answers {response.status_code}: {response.text[:200]}")
            return Reading(page, response.json())

        return list(pool.map(ask, tqdm(made, desc=title, total=count, unit="page", disable=None)))


def summarise(title: str, readings: Sequence[Reading]) -> dict[str, Any]:
    """Sum up one kind of pages; the interval is a bootstrap over pages."""
    lengths = np.array([len(reading.page.text) for reading in readings])
    errors = np.array([reading.errors for reading in readings])
    with_case = sum(reading.errors_with_case for reading in readings)
    return {
        "set": title,
        "pages": len(readings),
        "lines": sum(reading.page.text.count("\n") + 1 for reading in readings),
        "characters": int(lengths.sum()),
        "look_alikes": sum(each.upper() in LOOK_ALIKES for reading in readings for each in reading.page.text),
        "error_rate": error_rate(errors, lengths),
        "error_rate_interval_95": interval(errors, lengths),
        "error_rate_with_case": with_case / int(lengths.sum()),
        "pages_without_error": int((errors == 0).sum()),
    }


def error_rate(errors: np.ndarray, lengths: np.ndarray) -> float:
    """Return errors per character."""
    return float(errors.sum() / lengths.sum())


def interval(errors: np.ndarray, lengths: np.ndarray) -> list[float]:
    """Return the 95 % bootstrap interval of the error rate over pages."""
    if len(errors) < 2:  # noqa: PLR2004
        return [0.0, 1.0]
    found = bootstrap(
        (errors, lengths), error_rate, paired=True, vectorized=False, n_resamples=RESAMPLES, method="percentile", rng=0
    ).confidence_interval
    return [float(found.low), float(found.high)]
