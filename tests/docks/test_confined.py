"""What a hostile dock could have the synchroniser do here: nothing outside of the project and unison's own folder."""

import json
import os
import struct
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from workbench import process
from workbench.docks.sync import confined, unison
from workbench.docks.sync.keeper import JOINT

LACKING = confined.version() < confined.OLDEST and not os.environ.get("WORKBENCH_TEST_REQUIRE")
pytestmark = pytest.mark.skipif(LACKING, reason="this kernel has no Landlock that could confine a program")

ATTEMPTS = {
    "write by an absolute name": "open(outside / 'new', 'w')",
    "write by ..": "open(root / '../outside/new', 'w')",
    "append": "open(outside / 'secret', 'a')",
    "overwrite": "open(outside / 'secret', 'r+')",
    "cut short": "os.truncate(outside / 'secret', 0)",
    "delete": "os.unlink(outside / 'secret')",
    "make a folder": "os.mkdir(outside / 'folder')",
    "remove a folder": "os.rmdir(outside / 'empty')",
    "rename away": "os.rename(root / 'mine', outside / 'mine')",
    "take away": "os.rename(outside / 'secret', root / 'secret')",
    "rename there": "os.rename(outside / 'secret', outside / 'other')",
    "hard link there": "os.link(root / 'mine', outside / 'mine')",
    "hard link here": "os.link(outside / 'secret', root / 'secret')",
    "symbolic link there": "os.symlink('/etc', outside / 'etc')",
    "symbolic link here": "os.symlink(outside, root / 'link')",
    "through a link to a folder": "open(root / 'to-folder/new', 'w')",
    "through a link to a file": "open(root / 'to-file', 'w')",
    "through a link that was swapped in": "open(root / 'swapped/new', 'w')",
    "delete through a link": "os.unlink(root / 'to-folder/secret')",
    "fifo": "os.mkfifo(root / 'fifo')",
    "socket": "socket.socket(socket.AF_UNIX).bind(str(root / 'socket'))",
    "read a file of the user's": "open(outside / 'secret').read()",
    "list a folder of the user's": "os.listdir(outside)",
    "start a program": "subprocess.run(['/usr/bin/env'])",
    "start a program of the project's": "subprocess.run([str(root / 'program')])",
    "connect": "socket.create_connection(('127.0.0.1', 9), timeout=5)",
}
"""Statements, each of which is to be refused."""
CONTROLS = (
    "open(root / 'new', 'w').write('x')",
    "os.rename(root / 'new', root / 'folder/newer')",
    "os.utime(root / 'folder/newer', (1, 1))",
    "os.chmod(root / 'folder/newer', 0o600)",
    "os.unlink(root / 'folder/newer')",
    "os.mkdir(root / 'made')",
    "os.rmdir(root / 'made')",
    "open(memory / 'archive', 'w').write('x')",
)
"""Statements, each of which a synchroniser needs."""
CHILD = """
import errno, json, os, socket, subprocess, sys
from pathlib import Path
from workbench.docks.sync import confined
root, memory, outside = map(Path, sys.argv[1:4])
attempts, controls = json.loads(sys.argv[4])
# What Python itself would read late.
import encodings.idna
confined.confine([str(root), str(memory)], ["/bin/sh"])
for each in controls:
    exec(each)
told = {}
for name, each in attempts.items():
    try:
        exec(each)
        told[name] = "done"
    except OSError as error:
        told[name] = errno.errorcode[error.errno]
print(json.dumps(told))
"""


@dataclass(frozen=True)
class Place:
    root: Path
    memory: Path
    outside: Path

    def untouched(self) -> bool:
        names = sorted(path.name for path in self.outside.iterdir())
        return names == ["empty", "secret"] and (self.outside / "secret").read_text() == "secret"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    found = Place(tmp_path / "root", tmp_path / "memory", tmp_path / "outside")
    for folder in (found.root / "folder", found.memory, found.outside / "empty"):
        folder.mkdir(parents=True)
    (found.outside / "secret").write_text("secret")
    (found.root / "mine").write_text("mine")
    (found.root / "program").write_text("#!/bin/sh\n")
    (found.root / "program").chmod(0o755)
    for name, target in (("to-folder", found.outside), ("to-file", found.outside / "secret")):
        (found.root / name).symlink_to(target)
    (found.root / "swapped").symlink_to(found.outside)
    yield found
    assert found.untouched()


def test_nothing_outside_can_be_touched_by_whatever_name(place: Place) -> None:
    words = (str(place.root), str(place.memory), str(place.outside), json.dumps([ATTEMPTS, CONTROLS]))
    done = subprocess.run([sys.executable, "-c", CHILD, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert len(told) >= 20
    assert {name: how for name, how in told.items() if how not in ("EACCES", "EPERM", "EXDEV")} == {}


def _checked(number: int) -> bytes:
    """A number as unison's connection carries it, with its check."""
    return struct.pack("<I", number) + bytes([((number * 791538121) >> 23) + 17 & 255])


def _number(number: int) -> bytes:
    return b"\0" if number == 0 else b"\1" + bytes([number]) if number < 128 else b"\2" + struct.pack(">h", number)


def _text(text: str) -> bytes:
    return _number(len(text)) + text.encode()


def _packet(tag: str, payload: bytes) -> bytes:
    body = tag.encode() + struct.pack(">q", len(payload)) + payload
    return _checked(len(body)) + body


def _request(id: int, command: str, *arguments: str) -> bytes:
    """What either side of unison may ask of the other one."""
    return (
        _checked(id)
        + _packet("rsp", b"\3" + _text(command))
        + _packet(f"{command}-args", b"".join(map(_text, arguments)))
    )


HOSTILE = textwrap.dedent(
    """
    import sys, time
    out = sys.stdout.buffer
    out.write(b"Unison RPC\\nVERSIONS 1\\n"); out.flush()
    sys.stdin.buffer.readline()
    out.write(b"OK\\n" + bytes.fromhex(sys.argv[1])); out.flush()
    time.sleep(2)
    """
)


def _meet(place: Place, *requests: bytes) -> None:
    """Real unison, started as the keeper does it, whose other side asks for this."""
    joint = place.memory.parent / "joint"
    joint.write_text(JOINT)
    joint.chmod(0o700)
    words = unison.arguments(str(place.root), "copy", str(joint), (), live=False)
    program = str(Path(_which("unison")).resolve())
    run = (sys.executable, "-m", "workbench.docks.sync.confined")

    def near(reads: int, writes: int) -> tuple[str, ...]:
        return (*run, str(reads), str(writes), str(joint), str(place.root), str(place.memory), "--", program, *words)

    far = (sys.executable, "-c", HOSTILE, b"".join(requests).hex())
    memory = {"UNISON": str(place.memory), "HOME": str(place.memory), "PATH": "/usr/bin:/bin"}
    talk = process.join(near, far, env=process.environment(memory), log=place.memory.parent / "log")
    try:
        while talk.receive(10) != b"":
            pass
    finally:
        talk.end()


def _which(name: str) -> str:
    import shutil

    found = shutil.which(name)
    assert found, f"{name} is not installed"
    return found


def test_a_hostile_side_gets_nothing_outside(place: Place) -> None:
    asks = [
        ("mkdir", str(place.outside), "absolute"),
        ("mkdir", str(place.root), "../outside/dots"),
        ("mkdir", str(place.root), "to-folder/through"),
        ("mkdir", str(place.root), "swapped/through"),
        ("makeSymlink", str(place.outside), "link", "/etc/passwd"),
        ("makeSymlink", str(place.root), "planted", "/etc/passwd"),
    ]
    for number, (command, *arguments) in enumerate(asks):
        _meet(place, _request(7 + number, command, "/x", *arguments))
    assert not (place.root / "planted").is_symlink()


def test_the_same_requests_are_carried_out_inside(place: Place) -> None:
    """Or the test before this one would prove nothing."""
    _meet(place, _request(7, "mkdir", "/x", str(place.root), "by-the-other-side"))
    assert (place.root / "by-the-other-side").is_dir()
