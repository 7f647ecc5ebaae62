"""What carrying many pictures in one request costs: `python -m measuring.speed.bulk_cost`.

Sends 256 pictures a request to one worker, as npy, ZIP file and form, and does by turns the same decoding and scoring
in this process, with the same runtime on one thread. Writes docs/results/many.md and many.json.
"""

import argparse
import io
import json
import statistics
import sys
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import requests
import torch
from tqdm import tqdm

from deploy.local.errors import StackError
from deploy.local.settings import NO_PROXY, ROOT
from handwriting.checkpoint import load_checkpoint
from handwriting.preprocess import picture_frame, unit_frames
from handwriting.serving.runtime import RUNTIMES, make_runtime
from inkserve.client.pictures import encode, from_array
from measuring.common.temporary_server import serving
from measuring.speed.peers import MODEL
from measuring.speed.speed_report import spread, text
from training.data import DataError, load_characters
from training.provenance import commit, processor

PICTURES = 256
TIMEOUT_S = 30
WARM_UP = 20  # requests
INTRODUCTION = """# Many pictures a request

`python -m measuring.speed.bulk_cost`, which writes this page: {pictures} digits of MNIST's test set a request to `{model}` with
one worker, and by turns decoding and scoring of the same bytes in one process, with the same runtime on one thread.
{rounds} pairs of each kind on {processor}; the share is the median of the pairs (least to largest).

| body | pictures/s over HTTP | in process | HTTP's share | quartiles |
|---|---|---|---|---|"""


def npy(frames: np.ndarray) -> bytes:
    """Write frames as an npy file."""
    buffer = io.BytesIO()
    np.save(buffer, frames)
    return buffer.getvalue()


def zipped(pictures: Sequence[bytes]) -> bytes:
    """Write pictures into a ZIP file; they are packed already."""
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


def measure(url: str, frames: np.ndarray, rounds: int) -> list[dict]:
    """Measure each kind of body, over HTTP and in process by turns."""
    torch.set_num_threads(1)
    score = make_runtime(load_checkpoint(ROOT / "weights" / f"{MODEL}-1.0.safetensors"), RUNTIMES[0])
    pictures = [encode(from_array(frame)) for frame in frames]
    as_npy, as_zip = npy(frames), zipped(pictures)
    form = {f"picture-{number}": ("a.png", picture, "image/png") for number, picture in enumerate(pictures)}
    bodies = {"npy": {"data": as_npy}, "ZIP file": {"data": as_zip}, "form": {"files": form}}
    decoders = {
        "npy": lambda: unit_frames(np.load(io.BytesIO(as_npy))),
        "ZIP file": lambda: decoded(unzipped(as_zip)),
        "form": lambda: decoded(pictures),
    }
    rows = []
    with requests.Session() as session:
        for kind, body in bodies.items():
            prepared = session.prepare_request(requests.Request("POST", url, **body))  # the client's part, left out

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


def main() -> int:
    """Run from the command line; 1 if something that is needed is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60, help="pairs of measurements of each kind (default: 60)")
    parser.add_argument("--out", type=Path, default=Path("docs/results"), help="folder (default: docs/results)")
    options = parser.parse_args()
    try:
        frames = load_characters("mnist", "test").images[:PICTURES]
        with serving(ROOT / "model_store" / f"{MODEL}-1.0.mar") as url:
            rows = measure(f"{url}/predictions/{MODEL}", frames, options.rounds)
    except (DataError, StackError, requests.RequestException) as err:
        print(f"many: {err}", file=sys.stderr)
        return 1
    results = {
        "command": "python -m measuring.speed.bulk_cost",
        "commit": commit(),
        "processor": processor(),
        "rows": rows,
    }
    (options.out / "many.json").write_text(json.dumps(results | {"rounds": options.rounds}, indent=1) + "\n")
    lines = [INTRODUCTION.format(pictures=PICTURES, model=MODEL, rounds=options.rounds, processor=processor())]
    for row in rows:
        low, _, high = row["quartiles"]
        share = text(row["ratio"], "{:.0%}".format)
        rates = f"{row['http_pictures_per_s']:,.0f} | {row['in_process_pictures_per_s']:,.0f}"
        lines.append(f"| {row['body']} | {rates} | {share} | {low:.0%} to {high:.0%} |")
        print(f"{row['body']}: {rates.replace(' |', ' pictures/s over HTTP, in process')}, HTTP's share {share}")
    (options.out / "many.md").write_text("\n".join([*lines, ""]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
