"""The cost of HTTP for many pictures a request: `python -m measuring.speed.bulk_requests`.

Sends 256 pictures a request to one worker, as npy, ZIP file and form, and alternately decodes and scores the same bytes
in this process, with the same runtime on one thread. Writes docs/results/bulk.md and bulk.json. Needs MNIST.
"""

import io
import statistics
import sys
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from timeit import timeit
from typing import Any

import numpy as np
import requests
from tqdm import tqdm

from deploy.local.settings import NO_PROXY, StackError
from handwriting.checkpoint import load_checkpoint
from handwriting.preprocess import picture_frame, unit_frames
from handwriting.serving.runtime import RUNTIMES, softmax, use_threads
from inkserve.command import CommandError, run
from measuring.common.command_line import parser_of
from measuring.common.results_page import Row, Spread, provenance, table_of, write_results
from measuring.common.temporary_server import serving
from measuring.speed.digit_requests import ARCHIVE, MODEL, WEIGHTS, encoded, mnist_frames, runtime_of

PICTURES = 256
TIMEOUT_S = 30
WARM_UP = 20  # requests
INTRODUCTION = """# Many pictures a request

`{command}` writes this page. It sends {pictures} digits of MNIST's test set a request to
`{model}` with one worker, and alternately decodes and scores the same bytes in one process, with the same runtime on
one thread. {rounds} pairs of each kind on {processor}; the share is the median of the pairs (least to largest).
"""
COLUMNS = {
    "body": "{body}",
    "pictures/s over HTTP": "{http_pictures_per_s:,.0f}",
    "in process": "{in_process_pictures_per_s:,.0f}",
    "HTTP's share": "{ratio:.0%}",
    "quartiles": "{quartiles[0]:.0%} to {quartiles[2]:.0%}",
}


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


def decoded(pictures: Iterable[bytes]) -> np.ndarray:
    """Bring encoded pictures into the normal form: (N, 28, 28) float32."""
    return np.stack([picture_frame(picture, "mnist") for picture in pictures])


def decoded_zip(content: bytes) -> np.ndarray:
    """Bring the pictures of a ZIP file into the normal form."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return decoded(map(archive.read, archive.namelist()))


def measure(url: str, frames: np.ndarray, rounds: int) -> list[Row]:
    """Measure each kind of body, alternately over HTTP and in process."""
    use_threads(1)
    score = runtime_of(load_checkpoint(WEIGHTS), RUNTIMES[0])
    pictures = encoded(frames)
    as_npy, as_zip = npy(frames), zipped(pictures)
    form = {f"picture-{number}": ("a.png", picture, "image/png") for number, picture in enumerate(pictures)}
    bodies: dict[str, dict[str, Any]] = {"npy": {"data": as_npy}, "ZIP file": {"data": as_zip}, "form": {"files": form}}
    decoders = {
        "npy": lambda: unit_frames(np.load(io.BytesIO(as_npy)))[:, 0],
        "ZIP file": lambda: decoded_zip(as_zip),
        "form": lambda: decoded(pictures),
    }
    rows: list[Row] = []
    with requests.Session() as session:
        for kind, body in bodies.items():
            prepared = session.prepare_request(requests.Request("POST", url, **body))  # not measured

            def over_http(prepared: requests.PreparedRequest = prepared) -> None:
                answer = session.send(prepared, timeout=TIMEOUT_S, proxies=NO_PROXY)
                if len(answer.json()["predictions"]) != len(frames):
                    raise StackError(f"{url} answers {answer.status_code}: {answer.text[:200]}")

            def in_process(decode: Callable[[], np.ndarray] = decoders[kind]) -> None:
                softmax(score(decode()))

            for _ in range(WARM_UP):
                over_http()
                in_process()
            pairs = [
                (timeit(over_http, number=1), timeit(in_process, number=1))
                for _ in tqdm(range(rounds), desc=kind, disable=None)
            ]
            rates = [len(frames) / statistics.median(times) for times in zip(*pairs, strict=True)]
            shares = [alone / http for http, alone in pairs]
            facts = {"body": kind, "http_pictures_per_s": rates[0], "in_process_pictures_per_s": rates[1]}
            rows.append(facts | {"ratio": Spread(shares), "quartiles": statistics.quantiles(shares, n=4)})
    return rows


def write_report(folder: Path, rounds: int, rows: Sequence[Row]) -> str:
    """Write the page and its record, and return the page."""
    facts = provenance("python -m measuring.speed.bulk_requests")
    facts |= {"model": MODEL, "pictures": PICTURES, "rounds": rounds}
    lines = [INTRODUCTION.format(**facts), *table_of(COLUMNS, rows)]
    return write_results(folder / "bulk", facts | {"rows": list(rows)}, lines)


def main() -> int:
    """Run from the command line."""
    options = parser_of("measuring.speed.bulk_requests", __doc__, rounds=60).parse_args()
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
