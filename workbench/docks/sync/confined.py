"""Becomes a program that may write only where it is told: `python -m …confined IN OUT HELPER FOLDER… -- PROGRAM …`.

By Landlock, which needs no rights. What the program speaks with may be hostile, and the program believe it: so the
kernel keeps it from writing anywhere else, from reading what is the user's, from making links, and from starting more
than it needs. IN and OUT are open files, which it finds as 3 and 4.

What Landlock does not cover: it may see that a file elsewhere exists, and change its mode, owner and times where the
user may; not what is in it. The project itself is open to it, with what never takes part, such as `.git`.
"""

import ctypes
import os
import signal
import stat
import struct
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

CREATE, ADD, ENTER, BENEATH = 444, 445, 446, 1
"""Numbers of the system calls, the same on every architecture; the one kind of rule."""
NO_NEW_PRIVILEGES, WITH_PARENT = 38, 1
"""Of prctl."""
OLDEST = 3
"""The first version (Linux 6.2) that can forbid to cut a file short."""
EXECUTE, WRITE, READ, LIST = 1 << 0, 1 << 1, 1 << 2, 1 << 3
MAKE_DEVICE, MAKE_SOCKET, MAKE_FIFO, MAKE_BLOCK, MAKE_LINK = 1 << 6, 1 << 9, 1 << 10, 1 << 11, 1 << 12
REFER, TRUNCATE, CONTROL_DEVICE = 1 << 13, 1 << 14, 1 << 15
FIRST = (1 << 13) - 1
"""The rights of the first version."""
OF_FILES = EXECUTE | WRITE | READ | TRUNCATE | CONTROL_DEVICE
ALL_NET, ALL_SCOPES = 0b11, 0b11
STRANGE = EXECUTE | MAKE_DEVICE | MAKE_SOCKET | MAKE_FIFO | MAKE_BLOCK | MAKE_LINK | CONTROL_DEVICE
"""What a synchroniser of plain files and folders never needs."""
LIBRARIES = ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/etc/ld.so.cache", "/usr/share/locale")
PROGRAMS = ("/bin/sh", "/bin/cat")
LOADERS = ("lib64/ld-*", "lib/ld-*", "lib/*/ld-*")
"""What it starts: the two that join it to its other side, and the loader of them all."""
KEPT = ("UNISON", "UNISONLOCALHOSTNAME", "HOME", "PATH", "LC_ALL")
"""Variables that it gets."""
TRUSTED = "WORKBENCH_DOCK_TRUSTED"
"""The variable that says `1` where the user trusts the other side, and the program need not be confined."""

_libc = ctypes.CDLL(None, use_errno=True)


def version() -> int:
    """Of the kernel's Landlock; 0 where there is none."""
    if sys.platform != "linux":
        return 0
    try:
        return _call(CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    except OSError:
        return 0


def confine(folders: Iterable[str], programs: Iterable[str]) -> None:
    """Confine this process, and all that it becomes or starts. Raises OSError where that fails."""
    known = version()
    if known < OLDEST:
        raise OSError(f"this system has no Landlock of version {OLDEST}")
    handled = FIRST | REFER | TRUNCATE | (CONTROL_DEVICE if known >= 5 else 0)
    fields = [handled, *([ALL_NET] if known >= 4 else []), *([ALL_SCOPES] if known >= 6 else [])]
    rules = struct.pack(f"={len(fields)}Q", *fields)
    ruleset = _call(CREATE, ctypes.c_char_p(rules), ctypes.c_size_t(len(rules)), ctypes.c_uint32(0))
    for folder in folders:
        _allow(ruleset, folder, handled & ~STRANGE)
    _allow(ruleset, "/dev/null", READ | WRITE)
    for path in LIBRARIES:
        _allow(ruleset, path, READ | LIST)
    loaders = (str(path) for pattern in LOADERS for path in Path("/").glob(pattern))
    for path in (*PROGRAMS, *loaders, *programs):
        _allow(ruleset, path, READ | LIST | EXECUTE)
    if _libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no_new_privs")
    _call(ENTER, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    if not Path(path).exists():
        return
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        allowed = rights if stat.S_ISDIR(os.fstat(descriptor).st_mode) else rights & OF_FILES
        rule = struct.pack("=Qi", allowed, descriptor)
        _call(ADD, ctypes.c_int(ruleset), ctypes.c_int(BENEATH), ctypes.c_char_p(rule), ctypes.c_uint32(0))
    finally:
        os.close(descriptor)


def _call(number: int, *arguments: object) -> int:
    result = int(_libc.syscall(ctypes.c_long(number), *arguments))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def main(words: Sequence[str]) -> None:
    """Become the program. It ends with whoever started it."""
    reads, writes, helper, *rest = words
    where = rest.index("--")
    folders, argv = rest[:where], rest[where + 1 :]
    free = [os.dup(int(each)) for each in (reads, writes)]
    for wanted, found in zip((3, 4), free, strict=True):
        os.dup2(found, wanted)
        os.set_inheritable(wanted, True)
    parent = os.getppid()
    if sys.platform == "linux":
        _libc.prctl(WITH_PARENT, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:
            sys.exit(1)
    if os.environ.get(TRUSTED) != "1":
        confine(folders, (helper, argv[0]))
    os.closerange(5, 256)
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    os.execve(argv[0], argv, kept)  # noqa: S606 - no shell


if __name__ == "__main__":
    main(sys.argv[1:])
