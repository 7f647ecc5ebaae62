"""What a picture costs before its recogniser: `python -m measuring.speed.preparation`.

Times, on one thread and in one process, the fastest decoder for a file, and all that turns it into a frame, with and
without the ink network. All are run in turn, round by round, in CPU time. Writes docs/results/preparation.json.
"""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple
from unittest import mock

import cv2
import numpy as np

from handwriting.preprocess import FORMS, find_ink, ink, read_picture
from handwriting.preprocess.frame import to_frame
from handwriting.preprocess.ink_network import Seen, look_at
from inkserve.client.pictures import encode, from_array
from inkserve.command import run
from measuring.common.command_line import parser_of
from measuring.common.example_digits import drawings
from measuring.common.papers import KINDS, scene_of
from measuring.common.results_page import Spread, provenance, write_json

FORM = FORMS["mnist"]
TIMES = 20  # that everything is run in a round
JPEG = [cv2.IMWRITE_JPEG_QUALITY, 90]
MEGAPIXELS_12 = (4032, 3024)


class Measured(NamedTuple):
    """A kind of picture, how the fastest decoder reads it, and the pictures.

    Attributes:
        flags: of cv2.imdecode; a large JPEG is decoded at a quarter of its size, which is plenty.
        contents: encoded pictures.
    """

    flags: int
    contents: Sequence[bytes]


def pictures() -> Mapping[str, Measured]:
    """Make the pictures: the project's own drawings, clean and on paper."""
    own = [cv2.imdecode(np.frombuffer(each.content, np.uint8), cv2.IMREAD_GRAYSCALE) for each in drawings()[:6]]
    inked = [cv2.resize(255 - each, (28, 28), interpolation=cv2.INTER_AREA) for each in own]

    def photographs(size: tuple[int, int] | None, kinds: Sequence[str]) -> list[np.ndarray]:
        made = []
        for number, frame in enumerate(inked):
            generator = np.random.default_rng(number)
            scene = scene_of(frame, KINDS[kinds[number % len(kinds)]], generator)
            grey = np.round(np.clip(scene.grey, 0, 1) * 255).astype(np.uint8)
            made.append(grey if size is None else cv2.resize(grey, size, interpolation=cv2.INTER_CUBIC))
        return made

    papers = ("ruled", "squared", "in printed boxes", "a sheet on a desk", "a shadow", "plain paper")
    crops = [cv2.resize(each, (60, 60), interpolation=cv2.INTER_AREA) for each in photographs(None, papers)]
    scans = photographs((1200, 900), papers)
    phones = [cv2.cvtColor(each, cv2.COLOR_GRAY2BGR) for each in photographs(MEGAPIXELS_12, papers)]
    return {
        "drawing of 320 px, PNG": Measured(cv2.IMREAD_GRAYSCALE, [each.content for each in drawings()[:6]]),
        "crop of 60 px, PNG": Measured(cv2.IMREAD_GRAYSCALE, [encode(from_array(each)) for each in crops]),
        "scan of 1200 x 900 px, PNG": Measured(cv2.IMREAD_GRAYSCALE, [encode(from_array(each)) for each in scans]),
        "photograph of 12 megapixels, JPEG": Measured(
            cv2.IMREAD_REDUCED_GRAYSCALE_4, [cv2.imencode(".jpg", each, JPEG)[1].tobytes() for each in phones]
        ),
    }


def frame_of(content: bytes) -> None:
    """Turn a picture into a frame, as a handler does."""
    to_frame(find_ink(read_picture(content).grey).ink, FORM)


def cpu_ms(call: Callable[[bytes], object], contents: Sequence[bytes], times: int) -> float:
    """Return the CPU time of a call in ms, the mean over pictures."""
    started_s = time.process_time()
    for _ in range(times):
        for content in contents:
            call(content)
    return (time.process_time() - started_s) / times / len(contents) * 1000


def seen_before() -> Callable[[np.ndarray], Seen]:
    """Return a stand-in for the ink network that answers at once with what it has seen in a view before."""
    kept: dict[bytes, Seen] = {}

    def look(view: np.ndarray) -> Seen:
        key = view.tobytes()
        if key not in kept:
            kept[key] = look_at(view)
        return kept[key]

    return look


def main() -> int:
    """Run from the command line."""
    options = parser_of("measuring.speed.preparation", __doc__, rounds=5).parse_args()
    cv2.setNumThreads(1)
    made = pictures()
    rows = []
    look = seen_before()
    for number in range(options.rounds):
        for kind, (flags, contents) in made.items():
            times = TIMES if len(contents[0]) < 10**6 else 2

            def decode(content: bytes, flags: int = flags) -> None:
                cv2.imdecode(np.frombuffer(content, np.uint8), flags)

            with mock.patch.object(ink, "look_at", look):
                cpu_ms(frame_of, contents, 1)  # so that every view has been seen
                without_ms = cpu_ms(frame_of, contents, times)
            row = {
                "round": number,
                "kind": kind,
                "decoding_ms": cpu_ms(decode, contents, times),
                "frame_ms": cpu_ms(frame_of, contents, times),
                "without_network_ms": without_ms,
            }
            rows.append(row)
    for kind in made:
        own = [row for row in rows if row["kind"] == kind]
        decoding, whole, without = (
            Spread(row[key] for row in own) for key in ("decoding_ms", "frame_ms", "without_network_ms")
        )
        ratio = Spread(row["frame_ms"] / row["decoding_ms"] for row in own)
        print(f"{kind:34} decoding {decoding:.2f} ms, to a frame {whole:.2f} ms, without the network {without:.2f} ms")
        print(f"{'':34} {ratio:.1f} times the decoding")
    write_json(options.out / "preparation.json", provenance("python -m measuring.speed.preparation") | {"rows": rows})
    return 0


if __name__ == "__main__":
    sys.exit(run("preparation", main))
