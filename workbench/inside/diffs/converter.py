"""The worker process, as the server sees it."""

import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

WORKER = (sys.executable, "-P", "-m", "workbench.inside.diffs.worker")
LIMIT = 30.0
"""Seconds that one conversion may take."""
LOADING = 60.0
"""Seconds that the process may take until it can convert, from a cold disk of a busy machine."""


class Lost(Exception):
    """The worker has ended without an answer. The message is one sentence."""


class Overdue(Lost):
    """It was ended, as it took too long."""


class Converter:
    """A process that is started when it is first asked, and again after its end. For one thread; `kill` for any."""

    def __init__(self, root: Path, command: Sequence[str] = WORKER, limit: float = LIMIT) -> None:
        self._argv = (*command, str(root), str(limit))
        self._limit = limit
        self._process: subprocess.Popen[bytes] | None = None
        self._asked = 0

    @property
    def pid(self) -> int | None:
        """Of the process, if there is one."""
        return self._process.pid if self._process else None

    def ask(self, **request: str) -> dict[str, Any]:
        """Send a request, wait for its answer (see `worker`). Raises Lost, and OSError if there can be no process."""
        if self._process and self._process.poll() is not None:
            self._ended(self._process)
        if self._process is None:
            self._process = self._started()
            self._say(self._process, {}, max(self._limit, LOADING))
        return self._say(self._process, request, self._limit)

    def kill(self) -> None:
        """End the process in the midst of its work."""
        if process := self._process:
            process.kill()

    def end(self) -> None:
        """End the process, which has nothing to do."""
        if self._process:
            self._ended(self._process)

    def _started(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            self._argv,
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            process_group=0,  # Ctrl-C is for the server, which lets this process finish
        )

    def _say(self, process: "subprocess.Popen[bytes]", request: dict[str, str], limit: float) -> dict[str, Any]:
        """A line to the process, a line back."""
        overdue = threading.Event()

        def end() -> None:
            overdue.set()
            process.kill()

        timer = threading.Timer(limit, end)
        timer.daemon = True
        timer.start()
        self._asked += 1
        answer = _exchange(process, json.dumps({"id": self._asked, **request}))
        timer.cancel()
        if answer:
            return dict(json.loads(answer))
        code = self._ended(process)
        if overdue.is_set():
            raise Overdue(f"Its conversion took more than {limit:g} s and was ended.")
        raise Lost(f"The process that converts has ended with code {code}.")

    def _ended(self, process: "subprocess.Popen[bytes]") -> int:
        """Close what leads to a process, which tells it to end, and wait for that; the exit code."""
        self._process = None
        with suppress(BrokenPipeError), process:  # a line that it has not read
            pass
        return process.wait()


def _exchange(process: "subprocess.Popen[bytes]", line: str) -> bytes:
    """What a process answers to a line; nothing when it has ended."""
    assert process.stdin and process.stdout  # noqa: S101 - for the type checker
    try:
        process.stdin.write(f"{line}\n".encode())
        process.stdin.flush()
        return process.stdout.readline()
    except BrokenPipeError:
        return b""
