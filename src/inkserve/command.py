"""How a command ends: with 0, with one line on standard error and 1, or with 130 after Ctrl-C."""

import os
import sys
from collections.abc import Callable

INTERRUPTED = 130  # as shells report a command that Ctrl-C ended


class CommandError(Exception):
    """A command cannot do what it was asked; the message says why, for the person who typed it."""


def run(name: str, main: Callable[[], int | None], interrupted: str = "interrupted") -> int:
    """Run a command's main function and return its exit code.

    Args:
        name: of the command, which begins the line on standard error.
        main: returns the exit code; None means 0.
        interrupted: what to say after Ctrl-C.
    """
    try:
        code = main() or 0
        sys.stdout.flush()
        return code
    except CommandError as err:
        print(f"{name}: {err}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of the output has enough, as `head` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes it once more at its end
        return 1
    except KeyboardInterrupt:
        print(f"\n{name}: {interrupted}", file=sys.stderr)
        return INTERRUPTED
