"""Another machine, reached by the user's own ssh: its configuration, keys, agent and known hosts apply."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from workbench import process
from workbench.errors import DockError
from workbench.process import Done, Feed

LOST = 255
"""ssh's own exit code: there was no connection, or it went."""
CONTROL = "s"
"""Name of the socket by which commands share a connection."""
SAFE = (*("-o", "ForwardAgent=no"), *("-o", "ForwardX11=no"))
OPTIONS = (
    *SAFE,
    *("-o", "ConnectTimeout=15"),
    *("-o", "ServerAliveInterval=5"),
    *("-o", "ServerAliveCountMax=6"),
    *("-o", "ClearAllForwardings=yes"),
)


class Lost(DockError):
    """There is no connection, or no longer."""


@dataclass(frozen=True, slots=True)
class Host:
    """Whom to connect to: a name of `~/.ssh/config`, or a machine's own."""

    destination: str
    """`[user@]host`."""
    port: int | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """The last words of ssh's options, and the machine after them."""
        return (*(("-p", str(self.port)) if self.port is not None else ()), "--", self.destination)

    def __str__(self) -> str:
        return self.destination if self.port is None else f"{self.destination}:{self.port}"


def host(text: str) -> Host:
    """`[USER@]HOST[:PORT]` as a value. Raises DockError for what ssh would take for an option or a command."""
    match = re.fullmatch(
        r"(?P<destination>(?:[A-Za-z0-9_][\w.-]*@)?(?:[A-Za-z0-9_][\w.-]*|\[[0-9A-Fa-f:.]+\]))(?::(?P<port>\d{1,5}))?",
        text,
        re.ASCII,
    )
    if not match:
        raise DockError(f"{text!r} is not the name of a machine.", "Write it as [USER@]HOST[:PORT].")
    return Host(match["destination"].replace("[", "").replace("]", ""), int(match["port"]) if match["port"] else None)


class Connection:
    """A connection that several commands share; it is made by the first, which may ask for a password."""

    def __init__(self, host: Host, folder: Path) -> None:
        self.host = host
        self._socket = folder / CONTROL

    def argv(self, remote: str = "") -> tuple[str, ...]:
        """The command line for a command there. `remote` is read by the user's shell there: fixed text only."""
        # Should we be killed, ssh goes by itself.
        shared = ("-o", "ControlMaster=auto", "-o", f"ControlPath={self._socket}", "-o", "ControlPersist=20")
        return ("ssh", *OPTIONS, *shared, *self.host.words, *((remote,) if remote else ()))

    def plain_argv(self) -> tuple[str, ...]:
        """The same as a person would type it, without the command."""
        return ("ssh", *self.host.words)

    def run(self, remote: str) -> Done:
        """Run a command there. Raises Lost when there is no connection."""
        done = process.run(self.argv(remote))
        if done.code == LOST:
            raise self.lost(done.err)
        return done

    def feed(self, remote: str) -> Feed:
        """Run a command there that reads what is fed to it."""
        return Feed(self.argv(remote))

    def lost(self, words: str) -> Lost:
        """That there is no connection (any more), in ssh's own words."""
        detail = [line for line in words.splitlines() if line.strip()]
        return Lost(
            f"{self.host} cannot be reached by ssh.", f"Try it: ssh {self.host.destination}", detail=detail[-4:]
        )

    def close(self) -> None:
        """End the connection."""
        if self._socket.exists():
            process.run(("ssh", "-o", f"ControlPath={self._socket}", "-O", "exit", *self.host.words), timeout=5)


@contextmanager
def connect(host: Host) -> Iterator[Connection]:
    """A connection to a machine, which is made when it is first used and ended at the end."""
    # Not below TMPDIR: the path of a unix socket may have 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="wb-", dir="/tmp" if Path("/tmp").is_dir() else None))  # noqa: S108 - 0700
    connection = Connection(host, folder)
    try:
        yield connection
    finally:
        try:
            connection.close()
        finally:
            shutil.rmtree(folder, ignore_errors=True)
