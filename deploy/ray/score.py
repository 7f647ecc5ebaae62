"""Read all pictures of a source into Parquet files, on the processors of one machine or of a Ray cluster.

    python -m deploy.ray.score scans/ --out results/
    python -m deploy.ray.score s3://bucket/scans --out s3://bucket/results --cluster auto

Each shard of up to 1,000 pictures is one file, which appears when it is complete. The same command again, after
whatever has ended it, reads the shards that are missing. A picture that cannot be read is a row with its error.
"""

import argparse
import datetime
import hashlib
import json
import logging
import pickle  # nosec
import socket
import sys
import tempfile
import zipfile
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
import ray
from pyarrow import fs
from tqdm import tqdm

from deploy.ray.shards import Picture, Shard, cut, grouped, open_address
from handwriting.preprocess import MAX_BYTES
from inkserve.command import CommandError, run

ROOT = Path(__file__).resolve().parents[2]
LOCAL = "local"  # Ray's word for a cluster of its own, whatever else runs on this machine or ran there
TOGETHER = 32  # pictures that the network sees at once, as on the server
AHEAD = 2 * TOGETHER  # pictures that are read from files while the network works
CONNECT_TIMEOUT_S = 10
Item = TypeVar("Item")
PLAN = "_plan.json"  # in the folder of the results: what they are of
NO_TIME = "NotRead"  # error of a picture that a request had no time for
SCHEMA = pa.schema(
    {
        "name": pa.string(),
        "label": pa.string(),
        "confidence": pa.float64(),
        "top": pa.list_(pa.struct({"label": pa.string(), "probability": pa.float64()})),
        "notes": pa.list_(pa.string()),
        "error": pa.string(),
        "message": pa.string(),
        "model": pa.string(),
        "version": pa.string(),
        "read_at": pa.timestamp("ms", "UTC"),
    }
)


class Scorer:
    """Reads shards with the preprocessing and the network of an archive, in a process of its own.

    It also gets their files. With Ray tasks for that, two processors did a quarter less: pictures went through further
    processes and Ray's store.
    """

    def __init__(self, archive: bytes, out: str) -> None:
        """Unpack and load the archive.

        Args:
            archive: the .mar file.
            out: address of the folder of results.
        """
        self._folder = tempfile.TemporaryDirectory(prefix="inkserve-")
        path = Path(self._folder.name) / "archive.mar"
        path.write_bytes(archive)
        with zipfile.ZipFile(path) as packed:
            packed.extractall(self._folder.name)
        sys.path.insert(0, self._folder.name)  # the archive's own code
        from handwriting.serving.unpacked import Archive  # noqa: PLC0415

        self._archive = Archive(Path(self._folder.name))
        self._out = out

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Read the pictures of a shard, write their file, and return how many there are and how many failed."""
        shard: Shard = pickle.loads(row["shard"])  # noqa: S301  # nosec
        rows = list(self._rows(ahead(shard.read(), AHEAD)))
        files, folder = open_address(self._out)
        path, unfinished = f"{folder}/{file_name(shard.number)}", f"{folder}/.{file_name(shard.number)}.unfinished"
        pq.write_table(pa.Table.from_pylist(rows, SCHEMA), unfinished, filesystem=files)
        files.move(unfinished, path)
        return {
            "number": shard.number,
            "pictures": len(rows),
            "failed": sum(each["error"] is not None for each in rows),
        }

    def _rows(self, pictures: Iterable[Picture]) -> Iterator[dict[str, Any]]:
        for together in grouped(pictures, lambda each: len(content_of(each)), TOGETHER, MAX_BYTES):
            answers = self._archive.read([content_of(each) for each in together])
            read_at = datetime.datetime.now(datetime.UTC)
            for (name, found), answer in zip(together, answers, strict=True):
                if not isinstance(found, bytes):
                    answer = {"error": {"type": "UnusablePicture", "message": str(found)}}  # noqa: PLW2901
                elif answer.get("error", {}).get("type") == NO_TIME:
                    [answer] = self._archive.read([found])  # noqa: PLW2901
                yield self._row(name, answer, read_at)

    def _row(self, name: str, answer: dict[str, Any], read_at: datetime.datetime) -> dict[str, Any]:
        error = answer.get("error") or (answer if "message" in answer else {})
        return {
            "name": name,
            "label": answer.get("label"),
            "confidence": answer.get("confidence"),
            "top": answer.get("top"),
            "notes": answer.get("notes"),
            "error": error.get("type"),
            "message": error.get("message"),
            "model": self._archive.model,
            "version": self._archive.version,
            "read_at": read_at,
        }


def file_name(number: int) -> str:
    """Return the name of a shard's results."""
    return f"part-{number:06}.parquet"


def content_of(picture: Picture) -> bytes:
    """Return the bytes of a picture, none if there is a reason in their place."""
    return picture[1] if isinstance(picture[1], bytes) else b""


def ahead(items: Iterable[Item], count: int) -> Iterator[Item]:
    """Yield items, while a thread gets up to `count` further ones."""
    source, end = iter(items), object()
    with ThreadPoolExecutor(1) as thread:
        waiting = deque(thread.submit(next, source, end) for _ in range(count))
        while (item := waiting.popleft().result()) is not end:
            waiting.append(thread.submit(next, source, end))
            yield item


def plan(source: str, archive: Path, shards: Sequence[Shard]) -> dict[str, Any]:
    """Return what the results are of; results of another plan must not be mixed with them."""
    names = [
        shard.items if isinstance(shard.items, list) else [shard.items.start, shard.items.stop] for shard in shards
    ]
    pictures = sum(len(shard.items) for shard in shards)
    listed = _sha256(json.dumps(names).encode())
    return {
        "source": source,
        "pictures": pictures,
        "shards": len(shards),
        "list": listed,
        "archive": _sha256(archive.read_bytes()),
    }


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def missing(out: str, wanted: dict[str, Any], shards: Sequence[Shard]) -> list[Shard]:
    """Return the shards without results, and note the plan with the first run.

    Raises:
        CommandError: the folder has results of something else.
    """
    files, folder = open_address(out)
    files.create_dir(folder, recursive=True)
    path = f"{folder}/{PLAN}"
    if files.get_file_info(path).type == fs.FileType.NotFound:
        with files.open_output_stream(path) as stream:
            stream.write(json.dumps(wanted, indent=1).encode())
    with files.open_input_stream(path) as stream:
        noted = json.loads(stream.read())
    if different := [name for name, value in wanted.items() if noted.get(name) != value]:
        told = ", ".join(f"{name} {noted.get(name)!r}, now {wanted[name]!r}" for name in different)
        raise CommandError(f"{out} has results of something else ({told}); choose another folder")
    present = {each.base_name for each in files.get_file_info(fs.FileSelector(folder))}
    return [shard for shard in shards if file_name(shard.number) not in present]


def connect(cluster: str = LOCAL) -> None:
    """Start Ray on this machine, or connect to a cluster; Ray itself prints errors only.

    Raises:
        CommandError: the cluster does not answer, or does not take us.
    """
    host, _, port = cluster.rpartition(":")
    try:
        if port.isdigit() and "/" not in host:  # Ray itself would wait for minutes
            socket.create_connection((host, int(port)), CONNECT_TIMEOUT_S).close()
        ray.init(cluster, log_to_driver=False, logging_level="ERROR", configure_logging=True)
    except (OSError, RuntimeError) as err:
        reason = getattr(err, "strerror", None) or str(err.__cause__ or err).splitlines()[0]
        raise CommandError(f"the Ray cluster {cluster} does not take this command: {reason}") from err
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)


def score(source: str, out: str, archive: Path, actors: int) -> tuple[int, int]:
    """Read what is missing; return how many pictures were read now, and how many of those failed."""
    shards = cut(source)
    wanted = plan(source, archive, shards)
    left = missing(out, wanted, shards)
    pictures = sum(len(shard.items) for shard in left)
    actors = max(1, min(actors, len(left)))  # started at once, as each takes a while
    dataset = ray.data.from_items(
        [{"shard": pickle.dumps(each)} for each in left], override_num_blocks=max(1, len(left))
    ).map(
        Scorer,
        fn_constructor_args=(archive.read_bytes(), out),
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=actors, initial_size=actors),
        num_cpus=1,
    )
    done = failed = 0
    with tqdm(total=wanted["pictures"], initial=wanted["pictures"] - pictures, unit="picture", disable=None) as bar:
        for row in dataset.iter_rows() if left else ():
            done, failed = done + row["pictures"], failed + row["failed"]
            bar.update(row["pictures"])
    return done, failed


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m deploy.ray.score", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "source",
        help="a folder, ZIP file or Parquet file (column `picture`), or its address, such as s3://bucket/folder",
    )
    parser.add_argument("--out", required=True, help="folder or address for the results")
    parser.add_argument(
        "--archive",
        type=Path,
        default=ROOT / "model_store" / "digits-1.0.mar",
        help="of the recogniser (default: %(default)s)",
    )
    parser.add_argument(
        "--cluster",
        default=LOCAL,
        help="address of a Ray cluster, or auto for one that this machine belongs to; by default this machine alone",
    )
    parser.add_argument("--actors", type=int, help="processes that read; by default one for each processor")
    options = parser.parse_args()
    if not options.archive.is_file():
        raise CommandError(f"{options.archive} does not exist; make it with `make archive`")
    connect(options.cluster)
    actors = options.actors or max(1, int(ray.cluster_resources().get("CPU", 1)))
    done, failed = score(options.source, options.out, options.archive, actors)
    print(f"{done:,} pictures read now, {failed:,} with an error; the results are in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(run("score", main, "interrupted; the same command goes on with the shards that are missing"))
