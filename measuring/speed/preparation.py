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

from handwriting.preprocess import find_character, ink, read_picture
from handwriting.preprocess.ink_network import Seen, look_at
from inkserve.command import run
from measuring.common.command_line import parser_of
from measuring.common.example_digits import drawings
from measuring.common.load_pictures import crops, photographs, scans
from measuring.common.results_page import Spread, provenance, write_json

FORM = "mnist"
TIMES = 20  # that everything is run in a round
USED = 6  # pictures of each kind


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
    grey = cv2.IMREAD_GRAYSCALE
    made = {
        "drawing of 320 px, PNG": (grey, drawings()),
        "crop of 60 px, PNG": (grey, crops()),
        "scan of 1200 x 900 px, PNG": (grey, scans()),
        "photograph of 12 megapixels, JPEG": (cv2.IMREAD_REDUCED_GRAYSCALE_4, photographs()),
    }
    return {kind: Measured(flags, [each.content for each in some[:USED]]) for kind, (flags, some) in made.items()}


def frame_of(content: bytes) -> None:
    """Turn a picture into the frames of its readings, as a handler does."""
    find_character(read_picture(content), FORM)


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

    def look(view: np.ndarray, beyond: np.ndarray) -> Seen:
        key = view.tobytes() + beyond.tobytes()
        if key not in kept:
            kept[key] = look_at(view, beyond)
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
