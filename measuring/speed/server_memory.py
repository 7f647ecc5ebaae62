"""Memory of the server with all recognisers loaded: `python -m measuring.speed.server_memory`.

Prints the memory (PSS: shared pages count once) after each recogniser has answered.
"""

import sys

from deploy.local.served_versions import versions
from deploy.local.settings import ROOT
from deploy.local.torchserve import ask
from inkserve.command import run
from measuring.common.temporary_server import process_of, running_stack
from measuring.speed.peer_servers import Running


def main() -> int:
    """Run from the command line."""
    archives = sorted((ROOT / "model_store").glob("*.mar"))
    with running_stack(*archives) as stack:
        for version in versions(stack.settings):
            ask(stack.settings, version)
        used = Running("", process_of(stack)).memory_mib()
    print(f"{used:,.0f} MiB with {', '.join(archive.stem for archive in archives)} loaded")
    return 0


if __name__ == "__main__":
    sys.exit(run("server_memory", main))
