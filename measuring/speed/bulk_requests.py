"""The cost of HTTP for many pictures a request: `python -m measuring.speed.bulk_requests`.

Sends 256 pictures a request to one worker, as npy, ZIP file and form, and alternately decodes and scores the same bytes
in this process, with the same runtime on one thread. Writes docs/results/bulk.md and bulk.json. Needs MNIST.
"""

import argparse
import io
import statistics
import sys
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import requests
import torch
from tqdm import tqdm

from deploy.local.settings import NO_PROXY, StackError
from handwriting.checkpoint import load_checkpoint
from handwriting.preprocess import picture_frame, unit_frames
from handwriting.serving.runtime import RUNTIMES, make_runtime
from inkserve.command import CommandError, run
from measuring.common.results_page import RESULTS, provenance, spread, spread_text, table, write_json, write_page
from measuring.common.temporary_server import serving
from measuring.speed.digit_requests import ARCHIVE, MODEL, WEIGHTS, encoded, mnist_frames

Row = Mapping[str, Any]

PICTURES = 256
TIMEOUT_S = 30
WARM_UP = 20  # requests
INTRODUCTION = """# Many pictures a request

`{command}` writes this page. It sends {pictures} digits of MNIST's test set a request to
`{model}` with one worker, and alternately decodes and scores the same bytes in one process, with the same runtime on
one thread. {rounds} pairs of each kind on {processor}; the share is the median of the pairs (least to largest).
"""
COLUMNS = ("body", "pictures/s over HTTP", "in process", "HTTP's share", "quartiles")


def npy(frames: np.ndarray) -> bytes:
    """Write frames as an npy file."""
    buffer = io.BytesIO()
    np.save(buffer, frames)
    return buffer.getvalue()


def zipped(pictures: Sequence[bytes]) -> bytes:
    """Write pictures into a ZIP file without compression: PNG is compressed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number, picture in enumerate(pictures):
            archive.writestr(f"{number}.png", picture)
    return buffer.getvalue()


def unzipped(content: bytes) -> list[bytes]:
    """Read the pictures of a ZIP file."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return [archive.read(name) for name in archive.namelist()]


def decoded(pictures: Sequence[bytes]) -> np.ndarray:
    """Bring encoded pictures into the normal form: (N, 1, 28, 28) float32."""
    return np.stack([picture_frame(picture, "mnist") for picture in pictures])[:, None]


def seconds_of(work: Callable[[], object]) -> float:
    """Time some work."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(url: str, frames: np.ndarray, rounds: int) -> list[Row]:
    """Measure each kind of body, alternately over HTTP and in process."""
    torch.set_num_threads(1)
    score = make_runtime(load_checkpoint(WEIGHTS), RUNTIMES[0])
    pictures = encoded(frames)
    as_npy, as_zip = npy(frames), zipped(pictures)
    form = {f"picture-{number}": ("a.png", picture, "image/png") for number, picture in enumerate(pictures)}
    bodies: dict[str, dict[str, Any]] = {"npy": {"data": as_npy}, "ZIP file": {"data": as_zip}, "form": {"files": form}}
    decoders = {
        "npy": lambda: unit_frames(np.load(io.BytesIO(as_npy))),
        "ZIP file": lambda: decoded(unzipped(as_zip)),
        "form": lambda: decoded(pictures),
    }
    rows: list[Row] = []
    with requests.Session() as session:
        for kind, body in bodies.items():
            prepared = session.prepare_request(
                requests.Request("POST", url, **body)
            )  # the client's work is not measured

            def over_http(prepared: requests.PreparedRequest = prepared) -> None:
                answer = session.send(prepared, timeout=TIMEOUT_S, proxies=NO_PROXY)
                if len(answer.json()["predictions"]) != len(frames):
                    raise StackError(f"{url} answers {answer.status_code}: {answer.text[:200]}")

            @torch.inference_mode()
            def in_process(decode: Callable[[], np.ndarray] = decoders[kind]) -> None:
                score(torch.from_numpy(decode())).softmax(dim=1).numpy()

            for _ in range(WARM_UP):
                over_http()
                in_process()
            pairs = [
                (seconds_of(over_http), seconds_of(in_process)) for _ in tqdm(range(rounds), desc=kind, disable=None)
            ]
            rows.append(
                {
                    "body": kind,
                    "http_pictures_per_s": len(frames) / statistics.median(http for http, _ in pairs),
                    "in_process_pictures_per_s": len(frames) / statistics.median(alone for _, alone in pairs),
                    "ratio": spread([alone / http for http, alone in pairs]),
                    "quartiles": statistics.quantiles([alone / http for http, alone in pairs], n=4),
                }
            )
    return rows


def write_report(folder: Path, rounds: int, rows: Sequence[Row]) -> str:
    """Write the page and its record, and return the page."""
    facts = provenance("python -m measuring.speed.bulk_requests")
    facts |= {"model": MODEL, "pictures": PICTURES, "rounds": rounds}
    write_json(folder / "bulk.json", facts | {"rows": list(rows)})
    return write_page(folder / "bulk.md", [INTRODUCTION.format(**facts), *table(COLUMNS, map(table_row, rows))])


def table_row(row: Row) -> Sequence[str]:
    """Return a kind of body as a row of the table."""
    low, _, high = row["quartiles"]
    rates = [f"{row['http_pictures_per_s']:,.0f}", f"{row['in_process_pictures_per_s']:,.0f}"]
    return [row["body"], *rates, spread_text(row["ratio"], "{:.0%}".format), f"{low:.0%} to {high:.0%}"]


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m measuring.speed.bulk_requests",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=60, help="pairs of measurements of each kind (default: 60)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder (default: docs/results)")
    options = parser.parse_args()
    frames, _ = mnist_frames(PICTURES)
    try:
        with serving(ARCHIVE) as url:
            rows = measure(f"{url}/predictions/{MODEL}", frames, options.rounds)
    except requests.RequestException as err:
        raise CommandError(f"a request failed: {err}") from err
    print(write_report(options.out, options.rounds, rows))
    return 0


if __name__ == "__main__":
    sys.exit(run("bulk_requests", main))
