"""A terminal with somebody at it, who types and reads."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from support.person import Environment, Person


class Terminal:
    """One terminal. `shown` is what has been on it since the last time that something was waited for."""

    def __init__(self, rows: int = 24, columns: int = 80) -> None:
        self._ours, self.theirs = pty.openpty()
        self.shown = ""
        self.resize(rows, columns)

    def resize(self, rows: int, columns: int) -> None:
        """Give the window another size: who has the terminal is told by a signal."""
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: str) -> None:
        """Type; `\\x03` is Ctrl-C."""
        os.write(self._ours, text.encode())

    def wait_for(self, pattern: str, seconds: float = 30) -> str:
        """Read until something matches; the match."""
        deadline = time.monotonic() + seconds
        while not (found := re.search(pattern, self.shown)):
            left = deadline - time.monotonic()
            assert left > 0 and self._read(left), f"no {pattern!r} in {self.shown!r}"
        self.shown = self.shown[found.end() :]
        return found[0]

    def modes(self) -> list[object]:
        """How it is set: whether it echoes, what Ctrl-C does, and so on."""
        return list(termios.tcgetattr(self._ours))

    def close(self) -> None:
        """Shut the window."""
        if self._ours >= 0:
            os.close(self._ours)
            self._ours = -1

    def _read(self, seconds: float) -> bool:
        if not select.select([self._ours], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self._ours, 65536)
        except OSError:
            # Nobody has it any more.
            return False
        self.shown += data.decode(errors="replace")
        return bool(data)


@contextmanager
def terminal(
    me: Person, *argv: str, cwd: Path, env: Environment | None = None, rows: int = 24, columns: int = 80
) -> Iterator[tuple[Terminal, "subprocess.Popen[str]"]]:
    """A command that somebody has typed at a terminal."""
    screen = Terminal(rows, columns)
    try:
        child = me.start(*argv, cwd=cwd, env={"TERM": "xterm", **(env or {})}, on=screen.theirs)
        os.close(screen.theirs)
        yield screen, child
    finally:
        screen.close()
        with suppress(NameError):
            child.wait(30)
