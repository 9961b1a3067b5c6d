"""Keeps one tunnel: `python -m workbench.docks.keeper HOST`. Connects again and again, until nobody holds it."""

import fcntl
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from workbench import process, ssh
from workbench.docks import tunnel
from workbench.docks.holding import Holding
from workbench.docks.tunnel import Status
from workbench.process import Conversation
from workbench.ssh import Host

BEAT = 2.0
"""Seconds between two bytes that are sent there and back."""
SILENCE = 6.0
"""Seconds without an answer after which the connection is taken for lost."""
LOOK = 0.2
"""Seconds between two looks at what is wanted."""
STEADY, LATE = 10.0, 2.0
"""Seconds that a connection lasts which did not fail; between two tries at most."""


class Keeper:
    """The one process that has the tunnel to a machine."""

    def __init__(self, host: Host, folder: Path, socket: str) -> None:
        self._host, self._folder, self._socket = host, folder, socket
        self._ports: set[int] = set()
        self._failed: set[int] = set()
        self._latency: float | None = None
        self._since = time.time()
        self._holding = Holding(folder / tunnel.HELD)

    def keep(self) -> None:
        """Until nobody holds it."""
        why, pause = "", LOOK
        while self._holding.is_held():
            self._say(up=False, why=why)
            talk = process.converse(self._argv(), log=self._folder / tunnel.LOG)
            try:
                why = self._while_up(talk)
            finally:
                talk.end()
                self._end_master()
            self._ports.clear()
            self._failed.clear()
            self._say(up=False, why=why)
            # A machine that refuses us is not to be asked five times a second.
            pause = LOOK if time.time() - self._since > STEADY else min(2 * pause, LATE)
            time.sleep(pause)

    def _argv(self) -> tuple[str, ...]:
        """`cat` there answers the bytes by which we see that the connection lives."""
        # A bare machine has no engine.
        socket = ("-L", f"{self._folder / tunnel.SOCKET}:{self._socket}") if self._socket else ()
        shared = ("-o", f"ControlPath={self._folder / ssh.CONTROL}")
        return ("ssh", *tunnel.options(), *shared, *socket, *self._host.words, "exec cat")

    def _while_up(self, talk: Conversation) -> str:
        """Serve until the connection ends; why it did."""
        self._since, sent, heard = time.time(), 0.0, time.monotonic()
        answered = False
        while True:
            now = time.monotonic()
            if now - sent > BEAT and (not sent or answered):
                sent, answered = now, False
                if not talk.send(b"."):
                    return "ssh ended"
            answer = talk.receive(LOOK)
            if answer == b"":
                return "the connection ended"
            if answer:
                answered, heard = True, time.monotonic()
                self._latency = heard - sent
            elif time.monotonic() - heard > SILENCE and sent > heard - SILENCE:
                return "the other side is silent"
            if self._latency is not None and answered:
                self._serve_ports()
                self._say(up=not self._socket or (self._folder / tunnel.SOCKET).exists())
            if not self._holding.is_held():
                return ""

    def _serve_ports(self) -> None:
        """Forward what is wanted, and no more what nobody wants any longer."""
        wanted = self._wanted()
        self._failed &= wanted
        for port in wanted - self._ports - self._failed:
            (self._ports if self._forward("forward", port) else self._failed).add(port)
        for port in self._ports - wanted:
            self._forward("cancel", port)
            self._ports.discard(port)

    def _wanted(self) -> set[int]:
        found = set()
        folder = self._folder / tunnel.PORTS
        for path in folder.iterdir() if folder.is_dir() else ():
            with suppress(FileNotFoundError, ValueError), path.open("a") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink()
                except BlockingIOError:
                    found.add(int(path.name))
        return found

    def _forward(self, what: str, port: int) -> bool:
        place = f"127.0.0.1:{port}:127.0.0.1:{port}"
        control = ("-o", f"ControlPath={self._folder / ssh.CONTROL}")
        return process.run(("ssh", *control, "-O", what, "-L", place, *self._host.words), timeout=10).code == 0

    def _end_master(self) -> None:
        """The connection of the first command, which may be what carries ours, and is as dead."""
        control = self._folder / ssh.CONTROL
        if control.exists():
            with suppress(process.TookTooLong):
                process.run(("ssh", "-o", f"ControlPath={control}", "-O", "exit", *self._host.words), timeout=2)
            control.unlink(missing_ok=True)

    def _say(self, *, up: bool, why: str = "") -> None:
        import os

        status = Status(
            up, self._since, os.getpid(), self._latency, tuple(sorted(self._ports)), tuple(sorted(self._failed)), why
        )
        tunnel.write(self._folder / tunnel.STATUS, asdict(status))


def main() -> None:
    """Keep the tunnel to the machine that the command line names, unless somebody does."""
    host = ssh.host(sys.argv[1])
    folder = tunnel.folder_of(host)
    far = tunnel.read(folder / tunnel.FAR)
    with (folder / tunnel.KEPT).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        try:
            if far:
                Keeper(host, folder, str(far["socket"])).keep()
        finally:
            for name in (tunnel.STATUS, tunnel.FAR, tunnel.SOCKET):
                (folder / name).unlink(missing_ok=True)


if __name__ == "__main__":
    main()
