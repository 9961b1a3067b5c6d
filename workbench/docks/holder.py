"""Holds a tunnel for a shell: `python -m workbench.docks.holder NAME PID`. Ends with the shell, or when told to."""

import sys
import time

import psutil

from workbench.docks import tunnel
from workbench.docks.book import book

LOOK = 1.0
"""Seconds between two looks at whether the shell lives."""


def main() -> None:
    """Hold it for as long as the process PID is the one that it is now."""
    name, pid = sys.argv[1], int(sys.argv[2])
    shell = psutil.Process(pid)
    with tunnel.held(book().find(name)):
        while shell.is_running() and shell.status() != psutil.STATUS_ZOMBIE:
            time.sleep(LOOK)


if __name__ == "__main__":
    main()
