"""unison, told how to keep a project and its copy the same, and what it says. Pure.

Where both sides changed a file, the newer one stays under the name, and the other one beside it; what is replaced or
deleted is kept for a while in unison's own folder on that side. It takes what is gone for deleted only where it has
seen it on both sides before.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

OLDEST = (2, 52)
"""The first version whose peers may be of other versions."""
SERVER = ("-server", "__new-rpc-mode")
"""What a client of today says to the program on the other side."""
OPTIONS = (
    *("-ui", "text", "-batch", "-auto", "-dumbtty", "-log=false", "-contactquietly"),
    *("-times", "-links", "false", "-prefer", "newer", "-copyonconflict", "-confirmbigdel"),
    # Ours is the lock that counts: one of unison's stays when it is killed.
    "-ignorelocks",
    *("-backup", "Name *", "-backuploc", "central", "-maxbackups", "2"),
)
LIVE = ("-repeat", "1", "-terse")
"""Look at both sides each second. Idle, it says nothing."""
FATAL = 3
"""The exit code where nothing could be done."""
NAMES = 20
"""Of files, at most that are remembered."""
LONG = 1 << 16
"""Bytes of a line that are looked at."""
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")
"""What a name would say to a terminal."""
_LOST = re.compile(r"(?:[A-Z][\w ]*: )*(?:The archive file|Archive file|Archive format|New archives) ")
"""A file may well be called `archive`: the whole beginning of what is said counts."""


@dataclass(slots=True)
class Heard:
    """What unison has said so far."""

    percent: int | None = None
    conflicts: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    changed: bool = False
    """Whether anything was copied or deleted."""
    lost: bool = False
    """Whether it speaks of what it remembers of both sides: where it then fails, that is gone, or fits no longer."""
    last: list[str] = field(default_factory=list)
    """Its last lines."""
    _rest: bytes = b""

    def hear(self, data: bytes) -> None:
        """Take in what it has written."""
        *lines, rest = re.split(rb"[\r\n]", self._rest + data)
        for line in lines:
            self._line(_CONTROL.sub("?", line[:LONG].decode("utf-8", "replace").rstrip()))
        self._rest = rest[:LONG]
        if (found := _percent(self._rest.decode("utf-8", "replace"))) is not None:
            self.percent = found

    def _line(self, line: str) -> None:
        if (found := _percent(line)) is not None:
            self.percent = found
            return
        if not line.strip():
            return
        if match := re.match(r"\S[\w ]{0,9} +(?:<-\?->|<====|====>) (?P<kind>.{10}) (?P<name>.+)", line):
            self._add(self.conflicts, match["name"])
        elif line.startswith("  failed: "):
            self._add(self.failed, line.removeprefix("  failed: "))
        elif line.startswith("[END]"):
            self.changed = True
        elif _LOST.match(line):
            self.lost = True
        self.last = [*self.last[-7:], line]

    def _add(self, names: list[str], name: str) -> None:
        if name in names:
            names.remove(name)
        names.append(name)
        del names[:-NAMES]


def arguments(root: str, far: str, joint: str, patterns: Iterable[str], *, live: bool) -> tuple[str, ...]:
    """The words after the program's name. `far` is relative to the home there; `joint` is run in the place of ssh."""
    return (root, f"ssh://dock/{far}", "-sshcmd", joint, *OPTIONS, *patterns, *(LIVE if live else ()))


def version(text: str) -> tuple[int, ...]:
    """The version in what `unison -version` prints; empty for none."""
    found = re.search(r"unison version (\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else ()


def _percent(line: str) -> int | None:
    found = re.match(r"\s*(\d{1,3})%", line)
    return int(found[1]) if found else None
