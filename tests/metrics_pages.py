"""Metrics pages made for the tests of the Live page, and what a sampler makes of them."""

from collections.abc import Iterator
from contextlib import contextmanager

from dashboard.live.sampler import Sample
from inkserve.management import ModelVersion, Worker
from inkserve.metrics import read_page
from tests.answering import AnsweringServer, answering, described


def page(batches: int, up: bool = True, refused: int = 0, version: str = "1.0") -> str:
    """A metrics page after batches of two requests, each of which took 1 to 2.5 ms, and waited 3 ms.

    A client had each answer after 5 to 6.3 ms.
    """
    labels = f'model="digits",version="{version}"'
    lines = [f"torchserve_up {float(up)}"]
    lines.append(f'handwriting_requests_total{{{labels},outcome="ok"}} {2 * batches - refused}')
    if refused:
        lines.append(f'handwriting_requests_total{{{labels},outcome="InvalidImage"}} {refused}')
    lines += [
        f"handwriting_handler_seconds_{name}{{{labels}}} {n * batches}" for name, n in (("count", 1), ("sum", 0.002))
    ]
    for bound, count in {"1.0": 0, "2.0": batches, "4.0": batches, "+Inf": batches}.items():
        lines.append(f'handwriting_batch_requests_bucket{{{labels},le="{bound}"}} {count}')
    lines += [f"handwriting_batch_requests_{name}{{{labels}}} {n * batches}" for name, n in (("count", 1), ("sum", 2))]
    if up:
        for bound, count in {"0.005": 0, "0.0063": 2 * batches, "+Inf": 2 * batches}.items():
            more = f'{labels},status="200",size="4KiB",le="{bound}"'
            lines.append(f"inkserve_request_seconds_bucket{{{more}}} {count}")
        for status, count in (("200", 2 * batches - refused), ("400", refused)):
            if count or status == "200":
                lines.append(f'inkserve_request_seconds_count{{{labels},status="{status}",size="4KiB"}} {count}')
        lines += [
            f"inkserve_queue_seconds_{name}{{{labels}}} {n * batches}" for name, n in (("count", 2), ("sum", 0.006))
        ]
    return "\n".join(lines) + "\n"


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.time_s = 1000.0

    def __call__(self) -> float:
        return self.time_s


@contextmanager
def serving_pages() -> Iterator[AnsweringServer]:
    """Run a server with a metrics page without requests, and a management API with `digits`."""
    with answering((200, {})) as server:
        server.documents["/metrics"] = page(0).encode()
        server.models(digits=[described()])
        yield server


def environment(server: AnsweringServer) -> dict[str, str]:
    return {"INKSERVE_METRICS_URL": f"{server.url}/metrics", "INKSERVE_MANAGEMENT_URL": server.url}


def samples(counts: list[int], **labels: str) -> list[Sample]:
    """One sample a second with totals as if this many batches had been counted."""
    return [Sample(1000.0 + i, True, read_page(page(count, **labels), 0).values) for i, count in enumerate(counts)]


def worker(name: str = "9000", pid: int = 11) -> Worker:
    return Worker(name, pid, True, 2**20)


def version(*workers: Worker, name: str = "1.0") -> ModelVersion:
    return ModelVersion("digits", name, True, workers, len(workers))
