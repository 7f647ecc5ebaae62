"""What batches bring: `make loadtest SHAPE=compare`.

Two servers with the same recogniser, one as its config says, one with a batch size of 1, are loaded in turn, round by
round. Writes compare.md, compare.png and compare.json.
"""

import json
import re
import tempfile
from argparse import Namespace
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

from deploy.archive import pack
from deploy.checksums import ArchiveError
from deploy.local.errors import StackError
from deploy.local.settings import ROOT
from deploy.local.stack import Stack
from inkserve.versions import WEIGHTS, versions_in
from loadtest import running
from loadtest.comparison import COUNTS, OFF, ON, Row, draw_chart, write_page
from loadtest.errors import LoadTestError
from loadtest.outcome import read_failures, read_loads
from loadtest.server import check, describe, machine
from measuring.common.temporary_server import running_stack

WARM_UP = {"users": 16, "seconds": 5}  # Java compiles what runs often
INTERRUPTED = 130


def main(options: Namespace) -> int:
    """Compare, and write what came of it; 130 if interrupted.

    Raises:
        LoadTestError: a server does not start, or Locust fails.
    """
    options.out.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    try:
        with tempfile.TemporaryDirectory() as name, ExitStack() as open_stacks:
            archives = {each: archive(options.model, each, Path(name)) for each in (ON, OFF)}
            stacks = {each: open_stacks.enter_context(running_stack(archives[each])) for each in (ON, OFF)}
            facts = facts_of(options, stacks)
            complete = measure(options, stacks, Path(name), rows)
    except (StackError, ArchiveError) as err:
        raise LoadTestError(str(err)) from err
    if not rows:
        raise LoadTestError("interrupted before the first round was over; nothing is kept")
    write(options, facts | {"complete": complete}, rows)
    return 0 if complete else INTERRUPTED


def archive(model: str, which: str, folder: Path) -> Path:
    """Pack the newest version of a recogniser, with batches or without.

    Raises:
        LoadTestError: there are no weights of it.
    """
    found = versions_in(model, ROOT / "weights")
    if not found:
        raise LoadTestError(f"no weights of {model} in weights; wanted a recogniser of digits")
    place = folder / which
    place.mkdir()
    config = place / f"{model}.yaml"
    text = (ROOT / "config" / f"{model}.yaml").read_text()
    config.write_text(text if which == ON else re.sub(r"(?m)^batchSize: \d+", "batchSize: 1", text))
    return pack(ROOT / "weights" / f"{model}-{found[-1]}{WEIGHTS}", place, config=config)


def facts_of(options: Namespace, stacks: dict[str, Stack]) -> dict[str, object]:
    """Return what the page says of the servers, after a picture was read by each."""
    version = {check(stack.settings.url("INFERENCE_PORT"), options.model) for stack in stacks.values()}.pop()
    settings = {
        which: describe(stack.settings.url("MANAGEMENT_PORT"), options.model, version)
        for which, stack in stacks.items()
    }
    if settings[ON] is None or settings[OFF] is None or settings[OFF].batch_size != 1:
        raise LoadTestError(f"the servers say that they are served as {settings}; wanted batch sizes, the second 1")
    return {
        "model": f"{options.model} {version}",
        "batch_size": settings[ON].batch_size,
        "batch_delay_ms": settings[ON].batch_delay_ms,
        "workers": settings[ON].workers,
        "pictures": options.pictures,
        "machine": machine(),
    }


def measure(options: Namespace, stacks: dict[str, Stack], folder: Path, rows: list[Row]) -> bool:
    """Load both servers in turn, and add what came of each complete round to `rows`; whether all of them were run."""
    for stack in stacks.values():
        warm = Namespace(**vars(options) | WARM_UP)
        if running.measure(warm, stack.settings.url("INFERENCE_PORT"), folder / "warm-up").interrupted:
            return False
    for number in range(options.rounds):
        found: list[Row] = []
        for which in (ON, OFF) if number % 2 == 0 else (OFF, ON):
            stack, prefix = stacks[which], folder / f"{which}-{number}"
            before = count(stack.settings.metrics)
            ran = running.measure(options, stack.settings.url("INFERENCE_PORT"), prefix)
            if ran.interrupted:
                return False
            counted = {name: value - before[name] for name, value in count(stack.settings.metrics).items()}
            facts = {"round": number, "which": which, "locust_cores": ran.cores, "failures": read_failures(prefix)}
            found += [facts | counted | asdict(load) for load in read_loads(prefix)]
        rows += found
    return True


def count(folder: Path) -> dict[str, int]:
    """Return how many requests and batches the workers have counted so far."""
    families = MultiProcessCollector(CollectorRegistry(), str(folder)).collect()
    samples = [each for family in families for each in family.samples]
    return {name: int(sum(each.value for each in samples if each.name == metric)) for name, metric in COUNTS.items()}


def write(options: Namespace, facts: dict[str, object], rows: Sequence[Row]) -> None:
    """Write and print the page."""
    (options.out / "compare.json").write_text(json.dumps(facts | {"rows": rows}, indent=1) + "\n")
    page = options.out / "compare.md"
    page.write_text(write_page(facts, rows))
    draw_chart(rows, options.out / "compare.png")
    print(page.read_text())
