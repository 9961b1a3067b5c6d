"""The dock: a second machine with an engine, a registry and an sshd, made of namespaces.

It shares the kernel and the file system with this one; what a machine has for itself (network, name, /run, accounts'
homes, the folder of the run) is its own. It is locked down: its one cable leads to the tests' network, and it has no
route beyond that.
"""

import json
import os
import pwd
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from provision import docker, network
from provision.ground import Ground
from provision.network import listens
from provision.outside import SYSTEM_PATH
from provision.programs import StepFailed, ask, background, try_to
from provision.registry import registry
from provision.user import USER

NAME = "workbench-dock"
OUTER, INNER = "wbdock0", "wbdock1"
OUTER_ADDRESS, ADDRESS = "10.219.45.1", "10.219.45.2"
NETWORK = ("nsenter", f"--net=/run/netns/{NAME}", "--")
ENVIRONMENT = {"PATH": SYSTEM_PATH, "LANG": "C.UTF-8"}
"""No proxy of this machine's: the dock could not reach it."""

REGISTRY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
LOGIN = ("AWS", "123456789012-auth-token")
HOSTS = f"127.0.0.1 localhost dock {REGISTRY}\n{OUTER_ADDRESS} tests\n"

# Debian's docker comes before whatever else a machine has. The folder of the run lies in one that everybody may write
# to, hence StrictModes; the accounts have no passwords, which PAM need not know.
SSHD = """\
ListenAddress {address}:22
HostKey {place}/host_key
AuthorizedKeysFile {place}/authorized_keys
AllowUsers root {user}
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
UsePAM no
AllowTcpForwarding yes
AllowStreamLocalForwarding yes
MaxStartups 100
MaxSessions 100
PidFile none
SetEnv PATH=/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin
Subsystem sftp internal-sftp
"""
SSH = '#!/bin/sh\n[ -f "$HOME/.ssh/config" ] && set -- -F "$HOME/.ssh/config" "$@"\nexec /usr/bin/ssh "$@"\n'
"""OpenSSH takes the home from the account, whatever $HOME says; people of the tests have homes of their own."""


@contextmanager
def dock(ground: Ground, group: str) -> Iterator[None]:
    """Run the second machine; members of `group` may use its engine."""
    _remove()  # what a killed run left
    place = ground.work / "dock"
    try:
        _connect(ground)
        _write_files(ground, place)
        with (
            _machine(ground, place) as enter,
            _engine(ground, place, group, enter),
            _sshd(ground, place, enter),
            registry(ground, "DOCK_REGISTRY", 80, LOGIN, NETWORK),
        ):
            ground.offer("DOCK_REGISTRY", REGISTRY)  # its name on the dock
            ground.offer("DOCK", ADDRESS)
            yield
    finally:
        _remove()


def _connect(ground: Ground) -> None:
    if not ground.enter:
        raise StepFailed("the tests have no network of their own that it could be joined to")
    tests, inside = ("ip", "-n", network.NAME), ("ip", "-n", NAME)
    steps = [
        ("ip", "netns", "add", NAME),
        (*tests, "link", "add", OUTER, "type", "veth", "peer", "name", INNER, "netns", NAME),
        (*tests, "address", "add", f"{OUTER_ADDRESS}/30", "dev", OUTER),
        (*tests, "link", "set", OUTER, "up"),
        (*inside, "link", "set", "lo", "up"),
        (*inside, "address", "add", f"{ADDRESS}/30", "dev", INNER),
        (*inside, "link", "set", INNER, "up"),
    ]
    for step in steps:
        ask(step)


def _write_files(ground: Ground, place: Path) -> None:
    """All that the machine reads: its /etc, its engine's and its sshd's configuration, keys, and empty homes."""
    homes = {name: place / "home" / name for name in ("root", USER)}
    for name, home in homes.items():
        home.mkdir(parents=True)
        ask(["chown", f"{name}:", home])
    etc = place / "etc"
    etc.mkdir()
    (etc / "hosts").write_text(HOSTS)
    (etc / "passwd").write_text("".join(_account(entry, homes) for entry in pwd.getpwall()))
    (etc / "shadow").write_text("".join(f"{name}:*:::::::\n" for name in homes))
    (place / "dockerd.json").write_text(json.dumps({"insecure-registries": [REGISTRY]}))
    (place / "sshd.conf").write_text(SSHD.format(address=ADDRESS, place=place, user=USER))
    _write_keys(ground.work / "dock-ssh", place)


def _account(entry: pwd.struct_passwd, homes: dict[str, Path]) -> str:
    home = homes.get(entry.pw_name, entry.pw_dir)
    return f"{entry.pw_name}:x:{entry.pw_uid}:{entry.pw_gid}:{entry.pw_gecos}:{home}:{entry.pw_shell}\n"


def _write_keys(theirs: Path, place: Path) -> None:
    """The dock's key and what lets people in; `theirs` is the other half, and is not on the dock."""
    (theirs / "bin").mkdir(parents=True)
    for key in (theirs / "id_ed25519", place / "host_key"):
        ask(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "tests", "-f", key])
    (place / "authorized_keys").write_text((theirs / "id_ed25519.pub").read_text())
    (theirs / "known_hosts").write_text(f"dock,{ADDRESS} {(place / 'host_key.pub').read_text()}")
    (theirs / "bin" / "ssh").write_text(SSH)
    (theirs / "bin" / "ssh").chmod(0o755)


@contextmanager
def _machine(ground: Ground, place: Path) -> Iterator[tuple[str, ...]]:
    """Its mounts and its name, held by a process that sleeps; gives the command prefix that leads to them."""
    pid = place / "pid"
    # Programs that replace themselves by the next one: a signal for the child reaches what it has become.
    command: list[str | Path] = [*NETWORK, "unshare", "--mount", "--uts", "--propagation", "private"]
    command += ["sh", "-c", 'echo $$ >"$0" && exec sleep infinity', pid]
    with background(command, place / "sleep.log", lambda: _ends_line(pid), env=ENVIRONMENT):
        enter = ("nsenter", f"--target={pid.read_text().strip()}", "--net", "--mount", "--uts", "--")
        _furnish(enter, ground, place)
        yield enter


def _ends_line(path: Path) -> bool:
    return path.exists() and path.read_text().endswith("\n")


def _furnish(enter: Sequence[str], ground: Ground, place: Path) -> None:
    """Hide what is this machine's, the folder of the run too: projects of the tests' people are not on the dock."""
    steps: list[tuple[str | Path, ...]] = [
        ("mount", "-t", "tmpfs", "-o", "mode=755", "dock", "/run"),
        ("mkdir", "/run/sshd", "/run/dock"),
        ("mount", "--bind", place, "/run/dock"),
        ("mount", "-t", "tmpfs", "-o", "mode=755", "dock", ground.work),
        ("mkdir", place),
        ("mount", "--move", "/run/dock", place),
        *(("mount", "--bind", file, f"/etc/{file.name}") for file in sorted((place / "etc").iterdir())),
        ("hostname", "dock"),
    ]
    for step in steps:
        ask([*enter, *step])


@contextmanager
def _engine(ground: Ground, place: Path, group: str, enter: Sequence[str]) -> Iterator[None]:
    """Run a dockerd at the usual place of the dock, and at one that the tests can see."""
    socket = place / "docker.sock"
    host = f"unix://{socket}"
    command: list[str | Path] = [*enter, "dockerd", "--config-file", place / "dockerd.json", "--group", group]
    command += ["--data-root", ground.cache / "dock", "--storage-driver", "overlay2"]
    command += ["--host", "unix:///var/run/docker.sock", "--host", host]
    with (
        background(command, place / "dockerd.log", lambda: docker.answers(socket), env=ENVIRONMENT),
        docker.stocked(ground, host),
    ):
        ground.offer("DOCK_HOST", host)
        yield


@contextmanager
def _sshd(ground: Ground, place: Path, enter: Sequence[str]) -> Iterator[None]:
    command: list[str | Path] = [*enter, "/usr/sbin/sshd", "-D", "-e", "-f", place / "sshd.conf"]
    with background(command, place / "sshd.log", lambda: listens(ground.enter, ADDRESS, 22), env=ENVIRONMENT):
        ground.offer("DOCK_SSH", ground.work / "dock-ssh")
        yield


def _remove() -> None:
    if Path(f"/run/netns/{NAME}").exists():
        _end_processes()
        try_to(("ip", "netns", "delete", NAME))


def _end_processes(patience: float = 20) -> None:
    """End who is there still: sessions of ssh, and all of a killed run. A dockerd ends its containers and helpers."""
    _signal(signal.SIGTERM, spare="containerd")
    deadline = time.monotonic() + patience
    while _pids() and time.monotonic() < deadline:
        time.sleep(0.1)
    _signal(signal.SIGKILL)


def _signal(number: signal.Signals, spare: str = "none of them") -> None:
    for pid in _pids():
        with suppress(OSError):  # it has ended meanwhile
            if not Path(f"/proc/{pid}/comm").read_text().startswith(spare):
                os.kill(pid, number)


def _pids() -> list[int]:
    return [int(word) for word in ask(("ip", "netns", "pids", NAME)).split()]
