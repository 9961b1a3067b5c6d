"""The second machine of the set-up, `tests/provision/dock.py`: its engine, the way to it, and the cable to cut.

There is one for all, and a test may cut its cable: tests that use it do so `alone()`. The mark
`pytest.mark.xdist_group("dock")` keeps them from waiting for each other.
"""

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.engines import Engine
from support.person import Person
from support.require import require

CABLE = "wbdock0"
AWS_LOGIN = ("AWS", "123456789012-auth-token")
LOCKED_LOGIN = ("ada", "correct horse")

SSH_CONFIG = """\
Host dock
  HostName {address}
  User {user}
  IdentityFile {folder}/id_ed25519
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
  StrictHostKeyChecking yes
"""
"""Whole paths, because OpenSSH's `~` is the account's home."""


@dataclass(frozen=True)
class Dock:
    """A machine at `address` whose `engine` the tests can ask without ssh."""

    address: str
    engine: Engine
    ssh: Path
    """Folder of what lets somebody in."""

    def docker(self, *words: str) -> str:
        """Ask its engine, not by ssh; standard output."""
        return self.engine.docker(*words)

    def give_ssh(self, person: Person, user: str | None = None) -> dict[str, str]:
        """Let somebody in by `ssh dock`, as `user` or by the own name; the environment that their programs need."""
        folder = person.home / ".ssh"
        folder.mkdir(mode=0o700, exist_ok=True)
        for name in ("id_ed25519", "known_hosts"):
            shutil.copy(self.ssh / name, folder / name)
        config = folder / "config"
        text = SSH_CONFIG.format(address=self.address, user=user or person.name or "root", folder=folder)
        config.write_text(text)
        config.chmod(0o600)
        person.give(folder)
        return {"PATH": f"{self.ssh / 'bin'}{os.pathsep}{person.environment({})['PATH']}"}

    @contextmanager
    def online(self) -> Iterator[None]:
        """Have a way to the outside, for packages: otherwise it has none."""
        inside = ("ip", "-n", "workbench-dock", "route")
        rules = (
            ("nat", "POSTROUTING", "-s", "10.219.45.0/30", "!", "-o", CABLE, "-j", "MASQUERADE"),
            ("filter", "FORWARD", "-i", CABLE, "-j", "ACCEPT"),
            ("filter", "FORWARD", "-o", CABLE, "-j", "ACCEPT"),
        )
        _run(*inside, "replace", "default", "via", "10.219.45.1")
        for table, chain, *rule in rules:
            _run("iptables", "-w", "-t", table, "-I", chain, *rule)
        try:
            yield
        finally:
            _run(*inside, "delete", "default")
            for table, chain, *rule in rules:
                _run("iptables", "-w", "-t", table, "-D", chain, *rule)

    def home(self, person: Person) -> Path:
        """Somebody's home there, as it is seen from here."""
        return self.ssh.parent / "dock/home" / (person.name or "root")

    def crossed(self) -> int:
        """Bytes that have gone through the cable so far, both ways together."""
        found = json.loads(_run("ip", "-s", "-j", "link", "show", "dev", CABLE))[0]["stats64"]
        return int(found["rx"]["bytes"]) + int(found["tx"]["bytes"])

    @contextmanager
    def cut(self) -> Iterator[None]:
        """Have no packet come through, and nobody be told: connections stay open, and silent."""
        try:
            _filter("-I")
            yield
        finally:
            _filter("-D")


def dock() -> Dock:
    """The second machine, or the end of the test when it is not there."""
    address, host = require("dock"), require("dock-engine")
    env = {"WORKBENCH_ENGINE": "docker", "DOCKER_HOST": host, "WORKBENCH_BASE_IMAGE": require("base-image")}
    return Dock(address, Engine("docker", env, host), Path(require("dock-ssh")))


@contextmanager
def alone() -> Iterator[Dock]:
    """The second machine, for one test at a time of all that run in parallel."""
    there = dock()
    with (there.ssh / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield there


def _filter(change: str) -> None:
    for chain, way in (("INPUT", "-i"), ("OUTPUT", "-o"), ("FORWARD", "-i"), ("FORWARD", "-o")):
        _run("iptables", "-w", change, chain, way, CABLE, "-j", "DROP")


def _run(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL).stdout
