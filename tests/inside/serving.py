"""The server as a process in a folder of its own, as an engine starts it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from support.kernel import Jupyter

TOKEN = "0123456789abcdef" * 4


@dataclass
class Serving:
    """A running server. `log` is what it has written."""

    process: subprocess.Popen[bytes]
    port: int
    run: Path
    log_file: Path
    jupyter: Jupyter = field(init=False)

    def __post_init__(self) -> None:
        self.jupyter = Jupyter(f"http://127.0.0.1:{self.port}", TOKEN)

    @property
    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8")

    def status(self, path: str, **headers: str) -> int:
        """HTTP status of a request without a token."""
        return requests.get(f"http://127.0.0.1:{self.port}{path}", headers=headers, timeout=30).status_code

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, wait; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(30)


def free_port() -> int:
    """A port that nobody uses just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(true: Callable[[], bool], patience: float = 20.0) -> None:
    """Wait until something is true."""
    end = time.monotonic() + patience
    while not true():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.02)


def deliver(run: Path, **more: Any) -> None:
    """Hand over a token, and what else a delivery may hold, whole or not at all."""
    part = run / "part"
    part.write_text(json.dumps({"token": TOKEN, "env": {}, "files": {}, **more}), encoding="utf-8")
    part.replace(run / "delivery.json")


def begin(folder: Path, port: int, root: Path, env: Path | None = None, **more: str) -> Serving:
    """Start a server; it waits for a delivery."""
    run = folder / "run"
    run.mkdir(mode=0o700, parents=True, exist_ok=True)
    told = {
        "WORKBENCH_NAME": "demo",
        "WORKBENCH_ROOT": str(root),
        "WORKBENCH_RUN": str(run),
        "WORKBENCH_PORT": str(port),
        "WORKBENCH_ENV": str(env or ""),
        "HOME": str(folder / "home"),
        **more,
    }
    # The folders of the tests themselves are not this server's.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    log = folder / "log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "workbench.inside.server"],
            env={**inherited, **told},
            cwd=Path(__file__).parents[2],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    return Serving(process, port, run, log)


@contextmanager
def serving(
    folder: Path,
    port: int,
    root: Path,
    env: Path | None = None,
    delivery: Mapping[str, Any] | None = None,
    **more: str,
) -> Iterator[Serving]:
    """A server that answers. `more`: variables that it is told."""
    server = begin(folder, port, root, env, **{"WORKBENCH_INSTALL": "1" if env else "", **more})
    try:
        deliver(server.run, **(delivery or {}))
        wait_until_answering(server)
        yield server
    finally:
        server.process.kill()
        server.process.wait()


def wait_until_answering(server: Serving, patience: float = 60.0) -> None:
    """Wait for a 200."""
    end = time.monotonic() + patience
    while True:
        assert server.process.poll() is None, server.log
        assert time.monotonic() < end, f"no answer within {patience} s: {server.log}"
        try:
            if server.status("/api") == 200:
                return
        except requests.ConnectionError:
            time.sleep(0.05)
