"""A hostile dock cannot write outside the project: by a program that tries, and by a unison that is told to."""

import os
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from support.require import absent

import workbench
from workbench.docks.sync import confined
from workbench.docks.sync.talk import talk as start

ENVIRONMENT = {"PYTHONPATH": str(Path(workbench.__file__).parents[1]), "PYTHONDONTWRITEBYTECODE": "1"}
CHILD = """\
import ctypes, errno, os, socket, sys
from workbench.docks.sync import confined
root, memory, outside, port, attempt = sys.argv[1:]
attempt = compile(attempt, "attempt", "exec")
def file(path, flags=os.O_WRONLY | os.O_CREAT):
    return os.write(os.open(path, flags, 0o644), b"mine")
def mount(what, where):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(what.encode(), where.encode(), None, 4096, None):
        raise OSError(ctypes.get_errno(), "mount")
    libc.umount2(where.encode(), 2)
held = os.open(f"{root}/folder", os.O_PATH)
os.chdir(root)
confined.confine([root, memory], [])
print("confined", flush=True)
sys.stdin.readline()
try:
    exec(attempt)
except OSError as error:
    print(errno.errorcode[error.errno])
else:
    print("done")
"""
"""Confines itself, waits for a line, makes one attempt, says how that went."""
REFUSALS = ("EACCES", "EPERM", "EXDEV")

REFUSED = {
    "write by name": 'file(f"{outside}/kept", os.O_WRONLY)',
    "write and read": 'file(f"{outside}/kept", os.O_RDWR)',
    "append by name": 'file(f"{outside}/kept", os.O_WRONLY | os.O_APPEND)',
    "create by name": 'file(f"{outside}/new")',
    "create without a name": 'file(outside, os.O_WRONLY | getattr(os, "O_TMPFILE", 0))',
    "write by ../": 'file("../outside/kept")',
    "create by ../": 'file("folder/../../outside/new")',
    "write through a link to a file": 'file("to-file")',
    "write through a link to a folder": 'file("to-folder/kept")',
    "create through a link to a folder": 'file("to-folder/new")',
    "create where a link to nothing leads": 'file("to-new")',
    "through its own descriptors": 'file("/proc/self/cwd/../outside/kept")',
    "open, cut short": 'os.open(f"{outside}/kept", os.O_WRONLY | os.O_TRUNC)',
    "cut short": 'os.truncate(f"{outside}/kept", 0)',
    "remove": 'os.unlink(f"{outside}/kept")',
    "remove through a link": 'os.unlink("to-folder/kept")',
    "remove a folder": 'os.rmdir(f"{outside}/empty")',
    "make a folder": 'os.mkdir(f"{outside}/new")',
    "make a folder by ../": 'os.mkdir("../new")',
    "make a folder through a link": 'os.mkdir("to-folder/new")',
    "rename outside": 'os.rename(f"{outside}/kept", f"{outside}/new")',
    "rename out": 'os.rename("file", f"{outside}/new")',
    "rename out, over a file": 'os.replace("file", f"{outside}/kept")',
    "rename a folder out": 'os.rename("folder", f"{outside}/new")',
    "rename in": 'os.rename(f"{outside}/kept", "new")',
    "rename a folder in": 'os.rename(f"{outside}/empty", "new")',
    "hard link out": 'os.link("file", f"{outside}/new")',
    "hard link in": 'os.link(f"{outside}/kept", "new")',
    "hard link of a program in": 'os.link("/bin/sh", "new")',
    "symlink outside": 'os.symlink("/etc/passwd", f"{outside}/new")',
    "symlink within, out": 'os.symlink(outside, "new")',
    "symlink within, in": 'os.symlink("file", "folder/new")',
    "named pipe outside": 'os.mkfifo(f"{outside}/new")',
    "named pipe within": 'os.mkfifo("new")',
    "socket outside": 'socket.socket(socket.AF_UNIX).bind("../outside/new")',
    "socket within": 'socket.socket(socket.AF_UNIX).bind("new")',
    "character device within": 'os.mknod("new", 0o20644, os.makedev(1, 1))',
    "block device within": 'os.mknod("new", 0o60644, os.makedev(8, 0))',
    "character device outside": 'os.mknod(f"{outside}/new", 0o20644, os.makedev(1, 1))',
    "read a key": 'os.open(f"{outside}/.ssh/id", os.O_RDONLY)',
    "read a key by ../": 'os.open("../outside/.ssh/id", os.O_RDONLY)',
    "read a key through a link": 'os.open("to-folder/.ssh/id", os.O_RDONLY)',
    "list a folder": "os.listdir(outside)",
    "read accounts": 'os.open("/etc/passwd", os.O_RDONLY)',
    "read another process": 'os.open(f"/proc/{os.getppid()}/environ", os.O_RDONLY)',
    "mount over the root": 'mount(outside, f"{root}/folder")',
    "a program": 'os.execv("/usr/bin/env", ["env"])',
    "Python": "os.execv(sys.executable, [sys.executable])",
    "a program of its own": 'file("new"); os.chmod("new", 0o755); os.execv("new", ["new"])',
}
"""What it tries, confined to `root` and `memory`."""

ALLOWED = {
    "create": 'file("new")',
    "create in a folder": 'file("folder/new")',
    "create in the memory": 'file(f"{memory}/new")',
    "overwrite": 'file("file", os.O_WRONLY | os.O_TRUNC)',
    "append": 'file("file", os.O_WRONLY | os.O_APPEND)',
    "cut short": 'os.truncate("file", 1)',
    "read": 'assert open("file").read() == "ours"',
    "rename": 'os.rename("file", "new")',
    "rename into a folder": 'os.rename("file", "folder/new")',
    "rename over": 'file("new"); os.replace("new", "file")',
    "move to the memory": 'os.rename("file", f"{memory}/new")',
    "rename a folder": 'os.rename("folder", "new")',
    "remove": 'os.unlink("file")',
    "remove a link": 'os.unlink("to-file")',
    "make a folder and remove it": 'os.mkdir("new"); os.rmdir("new")',
    "times": 'os.utime("file", (1, 1))',
    "mode": 'os.chmod("file", 0o600)',
    "read a library's folder": 'os.listdir("/usr/lib")',
    "/dev/null": 'file("/dev/null", os.O_WRONLY)',
}

UNCOVERED = {
    "mode": ('os.chmod(f"{outside}/kept", 0o640)', lambda path: path.stat().st_mode & 0o777 == 0o640),
    "times": ('os.utime(f"{outside}/kept", (1, 1))', lambda path: path.stat().st_mtime == 1),
    "whether it exists": ('os.stat(f"{outside}/kept")', Path.exists),
}
"""What Landlock does not cover (as of version 7, see https://docs.kernel.org/userspace-api/landlock.html)."""


@pytest.fixture(autouse=True)
def _landlock() -> None:
    if confined.version() < confined.OLDEST:
        absent(f"this system has no Landlock of version {confined.OLDEST}")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with `root`, `memory`, and `outside` with what is the user's."""
    for each in ("root/folder", "memory", "outside/.ssh", "outside/empty"):
        (tmp_path / each).mkdir(parents=True)
    for each in ("root/file", "outside/kept", "outside/.ssh/id"):
        (tmp_path / each).write_text("ours")
    (tmp_path / "root/to-file").symlink_to(tmp_path / "outside/kept")
    (tmp_path / "root/to-folder").symlink_to("../outside")
    (tmp_path / "root/to-new").symlink_to(tmp_path / "outside/new")
    return tmp_path


def snapshot(folder: Path) -> dict[str, tuple[object, ...]]:
    """All that is there: kinds, modes, times, what is in it."""
    found = {}
    for path in (folder, *sorted(folder.rglob("*"))):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        facts = (status.st_mode, status.st_uid, status.st_nlink, status.st_mtime_ns, content)
        found[str(path.relative_to(folder))] = facts
    return found


class Child:
    """A confined process that is about to make an attempt."""

    def __init__(self, place: Path, attempt: str, port: int = 0) -> None:
        folders = (str(place / each) for each in ("root", "memory", "outside"))
        self._process = subprocess.Popen(
            (sys.executable, "-P", "-c", CHILD, *folders, str(port), attempt),
            env={**os.environ, **ENVIRONMENT},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout
        assert self._process.stdout.readline() == "confined\n"

    def result(self) -> str:
        """Have it make the attempt: `done`, or the name of the error."""
        out, _ = self._process.communicate("go\n", timeout=60)
        assert self._process.returncode == 0
        return out.strip()


@pytest.mark.parametrize("name", REFUSED)
def test_refused(place: Path, name: str) -> None:
    before, root = snapshot(place / "outside"), set(snapshot(place / "root"))
    result = Child(place, REFUSED[name]).result()
    assert result in REFUSALS
    assert snapshot(place / "outside") == before
    assert not (place / "new").exists()
    assert set(snapshot(place / "root")) - root <= ({"new"} if name == "a program of its own" else set())


@pytest.mark.parametrize("name", ALLOWED)
def test_allowed(place: Path, name: str) -> None:
    before = snapshot(place / "outside")
    assert Child(place, ALLOWED[name]).result() == "done"
    assert snapshot(place / "outside") == before


@pytest.mark.parametrize("attempt", ['file("folder/kept")', 'file("folder/new")', 'os.mkdir("folder/new")'])
def test_a_folder_swapped_for_a_link_before_the_write(place: Path, attempt: str) -> None:
    child, before = Child(place, attempt), snapshot(place / "outside")
    (place / "root/folder").rmdir()
    (place / "root/folder").symlink_to(place / "outside")
    assert child.result() in REFUSALS
    assert snapshot(place / "outside") == before


def test_a_folder_that_it_holds_is_moved_out(place: Path) -> None:
    child = Child(place, 'os.close(os.open("new", os.O_WRONLY | os.O_CREAT, dir_fd=held))')
    (place / "root/folder").rename(place / "outside/moved")
    before = snapshot(place / "outside")
    assert child.result() in REFUSALS
    assert snapshot(place / "outside") == before


@pytest.mark.parametrize(
    ("needed", "attempt"),
    [
        (4, 'socket.create_connection(("127.0.0.1", int(port)), 5)'),
        (4, 'socket.create_server(("127.0.0.1", 0))'),
        (6, 'socket.socket(socket.AF_UNIX).connect("\\0workbench-test-" + port)'),
        (6, "os.kill(os.getppid(), 0)"),
    ],
)
def test_refused_by_newer_kernels(place: Path, needed: int, attempt: str) -> None:
    if confined.version() < needed:
        pytest.skip(f"only Landlock of version {needed} knows of that")
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as local:
        port = server.getsockname()[1]
        local.bind(f"\0workbench-test-{port}")
        local.listen()
        assert Child(place, attempt, port).result() in REFUSALS


@pytest.mark.parametrize("name", UNCOVERED)
def test_what_the_kernel_does_not_refuse(place: Path, name: str) -> None:
    """To be honest: should one of these fail some day, the kernel has learned it, and it belongs above."""
    attempt, happened = UNCOVERED[name]
    assert Child(place, attempt).result() == "done"
    assert happened(place / "outside/kept")
    assert (place / "outside/kept").read_text() == "ours"


def test_it_is_given_no_more_than_it_needs(place: Path) -> None:
    """Neither the other variables of the user nor files that happen to be open."""
    secret = os.open(place / "outside/.ssh/id", os.O_RDONLY)
    pipe = os.pipe()
    try:
        argv = (
            "-P",
            "-m",
            "workbench.docks.sync.confined",
            str(pipe[0]),
            str(pipe[1]),
            "/bin/cat",
            str(place / "root"),
        )
        look = "export -p; for each in 3 4 5 6 7 8 9; do (: <&$each) 2>/dev/null && echo open $each; done; exit 0"
        # A shell can speak of those below 10 only.
        low = f"import os, sys; os.dup2({secret}, 9); os.execv(sys.argv[1], sys.argv[1:])"
        done = subprocess.run(
            (sys.executable, "-c", low, sys.executable, *argv, "--", "/bin/sh", "-c", look),
            env={**os.environ, **ENVIRONMENT, "SECRET": "mine", "HOME": "/h", "UNISON": "/u"},
            pass_fds=(*pipe, secret),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
        )
    finally:
        for each in (*pipe, secret):
            os.close(each)
    said = done.stdout.splitlines()
    assert [line for line in said if line.startswith("open")] == ["open 3", "open 4"]
    names = {line.split()[1].partition("=")[0] for line in said if line.startswith("export")}
    assert names <= {*confined.KEPT, "PWD", "OLDPWD"}


# A hostile server of unison. After the greeting, each side may ask the other one to run a function of its own on
# whatever names it likes: so does unison, and a confined unison still obeys. The format is that of RPC version 1.


def _number(value: int) -> bytes:
    if value == 0:
        return b"\0"
    return b"\1" + struct.pack("b", value) if value < 128 else b"\2" + struct.pack(">h", value)


def _word(text: str) -> bytes:
    return _number(len(text.encode())) + text.encode()


def _head(number: int) -> bytes:
    """A number and its check."""
    return struct.pack("<I", number) + bytes([((number * 791538121) >> 23) + 17 & 255])


def _tagged(tag: str, content: bytes) -> bytes:
    return _head(len(tag) + 8 + len(content)) + tag.encode() + struct.pack(">q", len(content)) + content


def order(number: int, function: str, *words: str) -> bytes:
    """Run a function there."""
    content = b"".join(_word(each) for each in words)
    return _head(number) + _tagged("rsp", b"\3" + _word(function)) + _tagged(f"{function}-args", content)


def orders(commands: Sequence[Sequence[str]]) -> bytes:
    return b"".join(order(7 + index, *command) for index, command in enumerate(commands))


SERVER = """\
import os, select, sys, time
out, orders, log = sys.stdout.buffer, bytes.fromhex(sys.argv[1]), open(sys.argv[2], "ab", 0)
out.write(b"Unison RPC\\nVERSIONS 1\\n")
out.flush()
log.write(sys.stdin.buffer.raw.readline())
out.write(b"OK\\n" + orders)
out.flush()
until = time.time() + 2
while time.time() < until:
    if select.select([0], [], [], 0.1)[0]:
        data = os.read(0, 65536)
        if not data:
            break
        log.write(data)
"""


def attack(place: Path, *commands: Sequence[str], trusted: bool = False, until: Path | None = None) -> bytes:
    """Have unison, started as it is for a dock, talk to a server that gives orders; what it said to that one."""
    program = shutil.which("unison") or absent("unison is not installed")
    said = place / "said"
    said.touch()
    far = (sys.executable, "-c", SERVER, orders(commands).hex(), str(said))
    found = str(Path(program).resolve())
    talk = start(found, place / "root", place / "memory", "copy", far, trusted=trusted)
    heard = b""
    try:
        end = time.monotonic() + 30
        while time.monotonic() < end and (data := talk.receive(0.2)) != b"":
            heard += data or b""
            if until and until.exists():
                break
        else:
            assert time.monotonic() < end, heard
    finally:
        talk.end()
    assert said.read_bytes().startswith(b"VERSION 1\n"), heard
    return said.read_bytes()


def test_a_hostile_server_makes_nothing_outside(place: Path) -> None:
    before, outside = snapshot(place / "outside"), str(place / "outside")
    root = str(place / "root")
    said = attack(
        place,
        ("mkdir", "/x", outside, "made"),
        ("mkdir", "/x", root, "../outside/made-by-dots"),
        ("mkdir", "/x", root, "to-folder/made-through-a-link"),
        ("makeSymlink", "/x", outside, "link", "/etc/passwd"),
        ("makeSymlink", "/x", root, "link", outside),
        # It did all of those before.
        ("mkdir", "/x", root, "made-within"),
        until=place / "root/made-within",
    )
    assert (place / "root/made-within").is_dir(), said
    assert snapshot(place / "outside") == before
    assert not (place / "root/link").is_symlink()


def test_one_that_is_not_confined_obeys(place: Path) -> None:
    """The orders are real: this is what a dock that is trusted may do."""
    outside, root = place / "outside", str(place / "root")
    attack(
        place,
        ("mkdir", "/x", str(outside), "made"),
        ("mkdir", "/x", root, "../outside/made-by-dots"),
        ("mkdir", "/x", root, "to-folder/made-through-a-link"),
        ("makeSymlink", "/x", root, "link", str(outside)),
        ("mkdir", "/x", root, "made-within"),
        trusted=True,
        until=place / "root/made-within",
    )
    assert {"made", "made-by-dots", "made-through-a-link"} <= {each.name for each in outside.iterdir()}
    assert (place / "root/link").is_symlink()
