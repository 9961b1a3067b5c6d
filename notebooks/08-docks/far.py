"""The other machine of this lesson, by plain ssh: what `workbench dock` does for you on your machine."""

from __future__ import annotations

import http.client
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path

from engine.client import HANDED, Failed, docker, fresh, tiny

NAME = "bigbox"
DESK = Path("/desk")
"""What the machine's administrator hands out, and takes."""
SSH = Path.home() / ".ssh"
KEY, KNOWN = SSH / "lesson_key", SSH / "known_hosts"
SOCKET = SSH / "engine.sock"
HERE = os.environ["DOCKER_HOST"]
PATIENCE = 4.0
"""Seconds in which a server that was just started should answer."""
CONFIG = f"""\
# Of this lesson. Nobody can answer a question in a notebook: a machine that is not known is refused.
Host {NAME}
    User ada
    IdentityFile {KEY}
    IdentitiesOnly yes
    UserKnownHostsFile {KNOWN}
    HostKeyAlias {NAME}
    StrictHostKeyChecking yes
    ControlPath {SSH}/shared-%p
    ConnectTimeout 5
    LogLevel ERROR
"""
PROJECT = {
    "files": [
        ".git/config",
        ".gitignore",
        ".venv/bin/python",
        "data/levels.parquet",
        "harbour.key",
        "pyproject.toml",
        "runs/monday.ckpt",
        "runs/monday.csv",
        "src/__pycache__/tide.pyc",
        "src/tide.py",
        "tide.ipynb",
    ],
    ".gitignore": ["data/"],
    ".dockerignore": ["*.key"],
    "exclude": ["*.ckpt"],
}
"""A project that is to go there: its files, and what it says of them."""


def begin() -> None:
    """Forget what an earlier run of this lesson has left: keys, connections, containers, images."""
    if SOCKET.exists():
        _empty()
    _ssh("-O", "exit")
    shutil.rmtree(SSH, ignore_errors=True)
    SSH.mkdir(mode=0o700)
    (SSH / "config").write_text(CONFIG)
    (DESK / "authorized_keys").unlink(missing_ok=True)
    castoff()
    fresh()
    tiny()


def key_of(port: int = 22) -> str:
    """The key that a machine shows which answers for bigbox at a port: a line for known_hosts."""
    line = _run("ssh-keyscan", "-t", "ed25519", "-p", port, NAME).stdout.strip()
    return f"{NAME} {line.partition(' ')[2]}" if line else ""


def fingerprint(line: str) -> str:
    """The short form of a key, which people compare."""
    done = _run("ssh-keygen", "-l", "-f", "-", text=f"{line}\n")
    return done.stdout.split()[1] if done.stdout else ""


def tunnel() -> None:
    """Open one connection to the machine, by which its engine answers here."""
    _ssh("-O", "exit")
    SOCKET.unlink(missing_ok=True)
    words = ("-M", "-f", "-N", "-o", "ExitOnForwardFailure=yes", "-L", f"{SOCKET}:/var/run/docker.sock")
    print(f"$ ssh {' '.join(words)} {NAME}")
    said = _ssh(*words)
    print(said or f"The engine of {NAME} answers here, at {SOCKET}.")


def forward(port: int) -> None:
    """Have a port of the machine's loopback answer here, by the connection that is there already."""
    words = ("-O", "forward", "-L", f"{port}:127.0.0.1:{port}")
    print(f"$ ssh {' '.join(words)} {NAME}")
    if said := _ssh(*words):
        print(said)


def source_dock() -> None:
    """Have `docker` in cells go to the machine, as `source dock bigbox` does in a shell."""
    os.environ["DOCKER_HOST"] = f"unix://{SOCKET}"


def castoff() -> None:
    """Have it go to the engine here again."""
    os.environ["DOCKER_HOST"] = HERE


def there(*words: object) -> str:
    """What `docker …` prints of the machine's engine. Raises Failed with its own words."""
    done = _run(HANDED / "docker", "--host", f"unix://{SOCKET}", *words)
    if done.returncode:
        raise Failed(done.stderr.strip())
    return done.stdout.strip()


def layers(image: str, ask=docker) -> list[str]:
    """The layers of an image, lowest first: here, or `layers(image, there)`. An empty list: it is not there."""
    try:
        [found] = json.loads(ask("image", "inspect", image))
    except Failed:
        return []
    return [each.removeprefix("sha256:")[:12] for each in found["RootFS"]["Layers"]]


def send(image: str, only: list[str] | None = None) -> int:
    """Send an image by ssh: all of its layers, or `only` these. The bytes that went."""
    saved = subprocess.run(
        [str(HANDED / "docker"), "--host", HERE, "save", image], capture_output=True, check=True
    ).stdout
    content = saved if only is None else _without(saved, {*layers(image)} - {*only})
    done = subprocess.run(["ssh", NAME, "docker load"], input=content, capture_output=True, check=False)
    print((done.stdout or done.stderr).decode().strip())
    print(f"{len(content) / 1e6:.2f} MB sent")
    return len(content)


def get(address: str) -> str:
    """The page at `http://HOST:PORT/`, or `no answer`."""
    end = time.monotonic() + PATIENCE
    while True:
        connection = http.client.HTTPConnection(address.removeprefix("http://").rstrip("/"), timeout=PATIENCE)
        try:
            connection.request("GET", "/")
            return connection.getresponse().read().decode().strip()
        except (OSError, http.client.HTTPException):
            if time.monotonic() > end:
                return "no answer"
            time.sleep(0.2)
        finally:
            connection.close()


def _without(saved: bytes, leave: set[str]) -> bytes:
    """An archive of `docker save` without the files of some layers."""
    target = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(saved)) as archive, tarfile.open(fileobj=target, mode="w") as rest:
        [manifest] = json.load(archive.extractfile("manifest.json"))
        config = json.load(archive.extractfile(manifest["Config"]))
        known = [each.removeprefix("sha256:")[:12] for each in config["rootfs"]["diff_ids"]]
        gone = {file for file, layer in zip(manifest["Layers"], known, strict=True) if layer in leave}
        for member in archive:
            if member.name not in gone:
                rest.addfile(member, archive.extractfile(member) if member.isreg() else None)
    return target.getvalue()


def _empty() -> None:
    """Remove all that the engine there has."""
    try:
        if found := there("ps", "--all", "--quiet").split():
            there("rm", "--force", *found)
        there("system", "prune", "--all", "--force", "--volumes")
    except Failed:
        return


def _ssh(*words: str) -> str:
    """Run ssh; what it said when it failed."""
    # Not by a pipe: the ssh that stays would keep it open.
    with tempfile.TemporaryFile("w+") as said:
        done = subprocess.run(["ssh", *words, NAME], stdin=subprocess.DEVNULL, stdout=said, stderr=said, check=False)
        said.seek(0)
        return said.read().strip() if done.returncode else ""


def _run(*words: object, text: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*map(str, words)], input=text, capture_output=True, text=True, check=False)
