"""The tunnel to a dock: one ssh that has the socket of its engine answer here, and ports of workbenches.

A process of its own keeps it, and makes the connection again when it was lost: see `keeper`. It ends when nobody holds
the tunnel any more. What is said between the two lies in a folder in memory, by locks that go with their process.
"""

import fcntl
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from workbench import process, ssh
from workbench.docks.book import Dock
from workbench.errors import DockError
from workbench.ssh import Connection, Host, Lost

HELD, KEPT, STATUS, PORTS, LOG, FAR, SOCKET = "held", "kept", "status.json", "ports", "log", "far.json", "engine.sock"
PATIENCE = 30.0
"""Seconds in which a tunnel must be there, once the first connection was."""
PROBE = """sh -c '
printf "%s\\n" "$HOME" "$(id -u)" "$(id -g)" "$(id -un)"
run=${XDG_RUNTIME_DIR:-/run/user/$(id -u)}
for each in "${DOCKER_HOST#unix://}" /var/run/docker.sock "$run/docker.sock" "$HOME/.docker/run/docker.sock" \\
    "$run/podman/podman.sock" /run/podman/podman.sock; do
    if [ -S "$each" ] && [ -w "$each" ]; then printf "%s\\n" "$each"; break; fi
    [ ! -S "$each" ] || denied=$each
done
[ -z "${denied-}" ] || printf "%s\\n" "denied $denied"
'"""
"""Fixed text: who we are there, and the first socket of an engine that may be used."""


class Taken(DockError):
    """Somebody listens here on a port that was to be forwarded."""


@dataclass(frozen=True, slots=True)
class Far:
    """What is on the other side: who we are there, and where its engine answers; empty for nowhere."""

    home: str
    uid: int
    gid: int
    user: str
    socket: str = ""
    denied: str = ""
    """A socket that is there, and that this user may not use."""


@dataclass(frozen=True, slots=True)
class Status:
    """How the tunnel is. `latency` in seconds, of a byte there and back; `ports` those that answer here."""

    up: bool
    since: float
    pid: int
    latency: float | None = None
    ports: tuple[int, ...] = ()
    failed: tuple[int, ...] = ()
    """Ports that could not be had here."""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Tunnel:
    """A tunnel that somebody holds."""

    host: Host
    folder: Path
    far: Far

    @property
    def engine(self) -> str:
        """Where the engine answers here, as `DOCKER_HOST` says it."""
        return f"unix://{self.folder / SOCKET}"

    @property
    def kind(self) -> str:
        """`docker` or `podman`, by the name of the socket; what answers decides."""
        return "podman" if "podman" in self.far.socket else "docker"

    def run(self, remote: str) -> process.Done:
        """Run a command there, by a connection of its own where the shared one is just being made again."""
        return process.run(("ssh", *sharing(self.folder), *self.host.words, remote), timeout=PATIENCE)

    @contextmanager
    def forward(self, port: int, patience: float = PATIENCE) -> Iterator[None]:
        """Have a port of the other side's loopback answer at the same one here. Raises Taken when it is."""
        wanted = self.folder / PORTS / str(port)
        wanted.parent.mkdir(mode=0o700, exist_ok=True)
        with wanted.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
            deadline = time.monotonic() + patience
            while True:
                status = read_status(self.folder)
                if status and port in status.ports:
                    break
                if status and port in status.failed:
                    raise Taken(f"Port {port} on 127.0.0.1 is taken.", "Choose another one with `--port`.")
                if time.monotonic() > deadline:
                    raise DockError(f"{self.host} does not answer.", f"The tunnel's log: {self.folder / LOG}")
                time.sleep(0.05)
            yield


@contextmanager
def held(dock: Dock, *, engine: bool = True) -> Iterator[Tunnel]:
    """A tunnel to a dock, for as long as this is held. The first connection may ask for a password or a host key.

    Raises DockError when the machine cannot be reached, or has no `engine` that lets this user in.
    """
    folder = folder_of(dock.host)
    with (folder / HELD).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        far = _open(dock, folder)
        if engine and not far.socket:
            raise _no_engine(dock, far)
        yield Tunnel(dock.host, folder, far)


def probe(connection: Connection) -> Far:
    """What is on the other side."""
    done = connection.run(PROBE)
    lines = done.out.splitlines()
    if done.code or len(lines) < 4:
        raise Lost(f"{connection.host} lets you in, but runs no commands.", f"Try it: ssh {connection.host} true")
    sockets = [line for line in lines[4:] if line.startswith("/")]
    denied = [line.partition(" ")[2] for line in lines[4:] if line.startswith("denied ")]
    return Far(lines[0], int(lines[1]), int(lines[2]), lines[3], "".join(sockets[:1]), "".join(denied[:1]))


def folder_of(host: Host) -> Path:
    """The folder of the tunnel to a machine (0700), with a short path: a unix socket's may have 107 characters."""
    root = runtime_root()
    found = root / hashlib.sha256(str(host).encode()).hexdigest()[:12]
    for each in (root, found):
        each.mkdir(mode=0o700, parents=True, exist_ok=True)
        if each.stat().st_uid != os.getuid() or each.is_symlink():
            raise DockError(f"{each} belongs to somebody else.", "Set XDG_RUNTIME_DIR to a folder of yours.")
        each.chmod(0o700)
    return found


def runtime_root() -> Path:
    """Where the tunnels of this user lie: in memory, where the system has such a place."""
    given = os.environ.get("XDG_RUNTIME_DIR")
    return Path(given, "workbench") if given else Path(f"/tmp/workbench-{os.getuid()}")  # noqa: S108 - 0700, and checked


def kept(folder: Path) -> bool:
    """Whether a keeper has the tunnel."""
    with (folder / KEPT).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def read_status(folder: Path) -> Status | None:
    """What the keeper says; None where there is none."""
    found = read(folder / STATUS)
    with suppress(TypeError):
        return Status(**{**found, "ports": tuple(found["ports"]), "failed": tuple(found["failed"])}) if found else None
    return None


def write(path: Path, document: dict[str, Any]) -> None:
    """Replace a document of the folder in one step."""
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_text(json.dumps(document), "utf-8")
    part.replace(path)


def read(path: Path) -> dict[str, Any] | None:
    """A document of the folder."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _begin(dock: Dock, folder: Path) -> Far:
    """Make the first connection, by which questions are answered, and hand it to a keeper."""
    connection = Connection(dock.host, folder)
    far = probe(connection)
    write(folder / FAR, asdict(far))
    argv = (sys.executable, "-P", "-m", "workbench.docks.keeper", str(dock.host))
    process.detach(argv, env=process.environment(), cwd=Path("/"), log=folder / LOG)
    return far


def _no_engine(dock: Dock, far: Far) -> DockError:
    if far.denied:
        return DockError(
            f"The engine of {dock.name} does not let {far.user} in ({far.denied}).",
            f"Join its group there and log in again: ssh {dock.host} sudo usermod -aG docker {far.user}",
        )
    return DockError(
        f"No engine answers on {dock.name}: it has no socket of Docker or Podman.",
        f"Start or install one there: workbench dock doctor {dock.name}",
    )


def _open(dock: Dock, folder: Path) -> Far:
    """Wait until the tunnel is up; begin it where nobody keeps it, or whoever did has just ended."""
    deadline = time.monotonic() + PATIENCE
    begun = False
    while True:
        found = read(folder / FAR)
        if found is None or not kept(folder):
            if begun and time.monotonic() < deadline:
                # The keeper needs a moment to begin.
                time.sleep(0.05)
                continue
            _begin(dock, folder)
            begun, deadline = True, time.monotonic() + PATIENCE
            continue
        status = read_status(folder)
        if status and status.up:
            return Far(**found)
        if time.monotonic() > deadline:
            why = f" ({status.why})" if status and status.why else ""
            raise DockError(f"The tunnel to {dock.name} does not open{why}.", f"Its log: {folder / LOG}")
        time.sleep(0.05)


def sharing(folder: Path) -> tuple[str, ...]:
    """What ssh is told for a command that goes by the tunnel's connection."""
    return (
        *ssh.SAFE,
        *("-o", "ConnectTimeout=5"),
        *("-o", "ServerAliveInterval=3"),
        *("-o", "ServerAliveCountMax=3"),
        *("-o", "BatchMode=yes"),
        *("-o", "ControlMaster=no"),
        *("-o", f"ControlPath={folder / ssh.CONTROL}"),
        *("-o", "ClearAllForwardings=yes"),
    )


def options() -> tuple[str, ...]:
    """What ssh is told for a tunnel: to notice soon that the other side is gone, and to ask nobody."""
    return (
        *ssh.SAFE,
        *("-o", "ConnectTimeout=5"),
        *("-o", "ServerAliveInterval=3"),
        *("-o", "ServerAliveCountMax=3"),
        *("-o", "BatchMode=yes"),
        *("-o", "ControlMaster=auto"),
        *("-o", "ControlPersist=no"),
        *("-o", "ExitOnForwardFailure=yes"),
        *("-o", "StreamLocalBindUnlink=yes"),
        *("-o", "StreamLocalBindMask=0177"),
    )
