"""The program `clipia`, also as `python -m clipia_queue`."""

from __future__ import annotations

import signal
import sys

from clipia_queue._clipia_queue import run_program


def main() -> int:
    """Runs the program with the command line of this process, and returns its exit code."""
    # Python's own handler would only record Ctrl-C, and would not run while the program does.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return run_program(["clipia", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
