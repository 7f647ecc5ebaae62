"""Memory of the whole server with all recognisers loaded: `python -m measuring.speed.memory`."""

import sys

from deploy.local import torchserve
from deploy.local.errors import StackError
from deploy.local.settings import ROOT
from measuring.common.temporary_server import running_stack
from measuring.speed.peers import Running


def main() -> int:
    """Print the memory (PSS: what processes share counts once) after each recogniser has answered; 1 on a failure."""
    archives = sorted((ROOT / "model_store").glob("*.mar"))
    try:
        with running_stack(*archives) as stack:
            for version in torchserve.versions(stack.settings):
                torchserve.ask(stack.settings, version)
            main_process = stack.record.find("torchserve")
            if main_process is None:
                raise StackError("TorchServe has ended")
            used = Running("", main_process).memory_mib()
    except StackError as err:
        print(f"memory: {err}", file=sys.stderr)
        return 1
    print(f"{used:,.0f} MiB with {', '.join(archive.stem for archive in archives)} loaded")
    return 0


if __name__ == "__main__":
    sys.exit(main())
