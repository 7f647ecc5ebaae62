"""Pictures/s of `make score` by number of processes, with Ray and without: `python -m measuring.speed.ray_reading`.

Without Ray, one process of Python's own pool for each processor reads the same shards with the same code. All variants
run in turn, in each round; a run's time has the loading of the network in it, for both. Writes docs/results/ray.md and
ray.json. Needs MNIST and the packages of `make score`.
"""

import multiprocessing
import os
import pickle  # nosec
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from deploy.ray.score import Scorer, connect, score
from deploy.ray.shards import cut
from inkserve.command import run
from measuring.common.command_line import parser_of
from measuring.common.results_page import Row, Spread, provenance, ratios, table_of, write_results
from measuring.speed.digit_requests import ARCHIVE, encoded, mnist_frames

FRAMES, COPIES = 10_000, 3
INTRODUCTION = """# Reading in bulk

`{command}` writes this page. {pictures:,} frames of 28 x 28 px in a ZIP file are read by `{archive}` into Parquet
files, by Ray and by a pool of processes without Ray, with the same code; {rounds} rounds in which all run in turn on
{processor}. Median (least to largest). A ratio is within a round.
"""
COLUMNS = {
    "processes": "{processes}",
    "pictures/s with Ray": "{with_ray:,.0f}",
    "without": "{without:,.0f}",
    "with Ray to without": "{ratio:.2f}",
    "to one process with Ray": "{to_one:.2f}",
}
_scorers: list[Scorer] = []  # of a process of the pool


def write_source(path: Path) -> int:
    """Write a ZIP file of digits, and return how many there are."""
    contents = encoded(mnist_frames(FRAMES)[0])
    with zipfile.ZipFile(path, "w") as archive:
        for copy in range(COPIES):
            for number, content in enumerate(contents):
                archive.writestr(f"{copy}/{number:05}.png", content)
    return COPIES * len(contents)


def with_ray(source: Path, out: Path, processes: int) -> None:
    """Read with Ray, which runs already."""
    score(str(source), str(out), ARCHIVE, processes)


def without(source: Path, out: Path, processes: int) -> None:
    """Read with a pool of processes."""
    out.mkdir()
    rows = [{"shard": pickle.dumps(each)} for each in cut(str(source))]
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes, _start, (ARCHIVE.read_bytes(), str(out))) as pool:
        for _ in pool.imap_unordered(_read, rows):
            pass


def _start(archive: bytes, out: str) -> None:
    _scorers.append(Scorer(archive, out))


def _read(row: dict[str, Any]) -> dict[str, Any]:
    return _scorers[0](row)


def measure(source: Path, pictures: int, rounds: int, folder: Path) -> list[Row]:
    """Return the pictures/s of each run."""
    rows: list[Row] = []
    variants: list[tuple[str, Callable[[Path, Path, int], None]]] = [("with_ray", with_ray), ("without", without)]
    for number in range(rounds):
        for processes in range(1, (os.cpu_count() or 1) + 1):
            for name, read in variants if number % 2 else reversed(variants):
                begun_s = time.perf_counter()
                read(source, folder / f"{number}-{processes}-{name}", processes)
                rate = pictures / (time.perf_counter() - begun_s)
                print(f"round {number}, {processes} processes, {name}: {rate:,.0f} pictures/s", flush=True)
                rows.append({"round": number, "processes": processes, "variant": name, "pictures_per_s": rate})
    return rows


def write_report(folder: Path, facts: dict[str, Any], rows: Sequence[Row]) -> str:
    """Write the page and its record, and return the page."""

    def of(processes: int, variant: str) -> list[Row]:
        return [each for each in rows if (each["processes"], each["variant"]) == (processes, variant)]

    found = []
    for processes in sorted({each["processes"] for each in rows}):
        ours, others = of(processes, "with_ray"), of(processes, "without")
        found.append(
            {
                "processes": processes,
                "with_ray": Spread(each["pictures_per_s"] for each in ours),
                "without": Spread(each["pictures_per_s"] for each in others),
                "ratio": Spread(ratios(ours, others, "pictures_per_s")),
                "to_one": Spread(ratios(ours, of(1, "with_ray"), "pictures_per_s")),
            }
        )
    lines = [INTRODUCTION.format(**facts), *table_of(COLUMNS, found)]
    return write_results(folder / "ray", facts | {"rows": list(rows)}, lines)


def main() -> int:
    """Run from the command line."""
    options = parser_of("measuring.speed.ray_reading", __doc__, rounds=5).parse_args()
    connect()
    with tempfile.TemporaryDirectory(prefix="inkserve-") as folder:
        source = Path(folder) / "digits.zip"
        pictures = write_source(source)
        rows = measure(source, pictures, options.rounds, Path(folder))
    facts = provenance("python -m measuring.speed.ray_reading")
    facts |= {"pictures": pictures, "rounds": options.rounds, "archive": ARCHIVE.name}
    print(write_report(options.out, facts, rows))
    return 0


if __name__ == "__main__":
    sys.exit(run("ray_reading", main))
