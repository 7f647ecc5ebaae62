"""Memory of the server with all recognisers loaded: `python -m measuring.speed.server_memory`.

Prints the memory (shared pages count once) after each recogniser has answered. With --photographs it then sends so
many pictures of 12 megapixels to `digits`, and prints the memory in between: whether it has a level or a slope.
"""

import argparse
import itertools
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from deploy.local.served_versions import versions
from deploy.local.settings import ROOT
from deploy.local.torchserve import ask
from inkserve.client import Recogniser
from inkserve.command import run
from measuring.common.load_pictures import photographs
from measuring.common.temporary_server import process_of, running_stack
from measuring.speed.peer_servers import Running

CLIENTS = 2
LOOKS = 10  # at the memory, while photographs are sent


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=int, default=0, help="of 12 megapixels, such as 2000 (default: none)")
    options = parser.parse_args()
    archives = sorted((ROOT / "model_store").glob("*.mar"))
    with running_stack(*archives) as stack:
        for version in versions(stack.settings):
            ask(stack.settings, version)
        server = Running("", process_of(stack))
        print(f"{server.memory_mib():,.0f} MiB with {', '.join(archive.stem for archive in archives)} loaded")
        if options.photographs:
            send(stack.settings.url("INFERENCE_PORT"), server, options.photographs)
    return 0


def send(url: str, server: Running, count: int) -> None:
    """Send photographs, and print the memory after each tenth of them."""
    contents = [each.content for each in photographs()]
    step = max(1, count // LOOKS)
    sent, found_mib = [], []
    with Recogniser("digits", url) as recogniser, ThreadPoolExecutor(CLIENTS) as pool:
        for start in range(0, count, step):
            turn = itertools.islice(itertools.cycle(contents), start, min(count, start + step))
            labels = [each.label for each in pool.map(recogniser.predict, turn)]
            sent.append(start + len(labels))
            found_mib.append(server.memory_mib())
            print(f"{found_mib[-1]:,.0f} MiB after {sent[-1]:,} photographs", flush=True)
    if len(sent) > 2:  # noqa: PLR2004 - points of a line
        print(f"slope of the second half: {1000 * slope(sent, found_mib):+,.1f} MiB for each 1,000 photographs")


def slope(sent: Sequence[int], found_mib: Sequence[float]) -> float:
    """Return the slope of the line through the later half of the points, MiB a photograph."""
    half = len(sent) // 2
    return float(np.polyfit(sent[half:], found_mib[half:], 1)[0])


if __name__ == "__main__":
    sys.exit(run("server_memory", main))
