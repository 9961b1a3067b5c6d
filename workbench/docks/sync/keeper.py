"""Keeps one copy the same: `python -m workbench.docks.sync.keeper NAME`. Again and again, until nobody holds it."""

import fcntl
import shlex
import shutil
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

from workbench import process
from workbench.docks import tunnel
from workbench.docks.book import Dock, book
from workbench.docks.holding import Holding
from workbench.docks.sync import confined, copy, unison
from workbench.docks.sync.copy import Status
from workbench.docks.sync.files import patterns, signature
from workbench.docks.sync.program import far_program
from workbench.docks.sync.talk import talk
from workbench.docks.tunnel import Tunnel
from workbench.errors import DockError, WorkbenchError
from workbench.process import Conversation
from workbench.ssh import Connection
from workbench.state import State

LOOK = 0.2
"""Seconds between two looks at what is wanted."""
PAUSE = 2.0
"""Seconds before a connection is made again."""
SLOW = 2.0
"""Seconds between two looks at what changes seldom: the patterns, the folder itself."""
FORGET = "ar* fp* tm* lk* dp*"
"""What unison remembers of two sides that were the same."""
AGAIN = "It is tried again by itself, and by the next `run-notebook`."
"""What follows when one attempt has failed."""


class Keeper:
    """The one process that keeps a copy the same."""

    def __init__(self, state: State) -> None:
        what = copy.read(state)
        if what is None:
            raise DockError("There is nothing to keep the same.", "`run-notebook --dock NAME` begins it.")
        self._state, self._what = state, what
        self._folder = copy.folder_of(state)
        self._status = Status()
        self._holding = Holding(self._folder / copy.HELD)

    def keep(self) -> None:
        """Until nobody holds it; what was saved last is on both sides then, if there is a connection."""
        while self._is_held():
            try:
                dock = book().find(self._what.dock)
                with tunnel.held(dock, engine=False) as there:
                    self._while_connected(dock, there)
            except WorkbenchError as error:
                self._say(phase="waiting", why=error.message, hint=error.hint)
                self._wait(PAUSE)
            except OSError as error:
                # More patterns than a command may have, a full disk: it may go by.
                self._say(phase="waiting", why=f"The copy cannot be kept the same: {error}.", hint="")
                self._wait(PAUSE)
        self._say(phase="ended", percent=None)

    def _while_connected(self, dock: Dock, there: Tunnel) -> None:
        """Pass after pass, and live between them."""
        here = _here(dock)
        program = far_program(Connection(dock.host, there.folder), here, self._what.copy, self._state.folder.name)
        while True:
            self._what = copy.read(self._state) or self._what
            wish = self._wish()
            self._forget_another_folder(there)
            self._pass(dock, there, here, program)
            self._say(phase="live", percent=None, same=time.time(), why="", hint="", settled=wish)
            if not self._is_held():
                return
            self._live(dock, there, here, program)

    def _pass(self, dock: Dock, there: Tunnel, here: str, program: str, *, again: bool = True) -> None:
        """Have both sides be the same once."""
        heard = unison.Heard()
        self._say(phase="live" if self._status.phase == "live" else "copying")
        link = self._start(dock, there, here, program, live=False)
        try:
            while (data := link.receive(LOOK)) != b"":
                heard.hear(data or b"")
                if heard.percent != self._status.percent:
                    self._say(percent=heard.percent)
                self._give_up_where_lost(there)
                if not self._status.same and not self._is_held():
                    raise DockError("The first copy was called off.", "`run-notebook` begins it again.")
            code = link.code()
        finally:
            link.end()
        self._take(heard)
        if code == unison.FATAL or code < 0:
            if heard.lost and again:
                # One side's memory is gone, another disk perhaps: nothing counts as deleted then.
                self._forget(there)
                self._pass(dock, there, here, program, again=False)
                return
            raise DockError(
                f"The copy on {dock.name} cannot be kept the same: {'; '.join(heard.last[-3:]) or 'unison ended'}.",
                AGAIN,
            )

    def _live(self, dock: Dock, there: Tunnel, here: str, program: str) -> None:
        """Look each second, until something else is to be done."""
        heard = unison.Heard()
        wanted, folder = signature(self._what), _inode(self._what.project)
        looked = time.monotonic()
        link = self._start(dock, there, here, program, live=True)
        try:
            while self._is_held() and self._wish() <= self._status.settled:
                data = link.receive(LOOK)
                if data == b"":
                    self._take(heard)
                    raise DockError(
                        f"The connection to {dock.name} was lost: {'; '.join(heard.last[-2:]) or 'unison ended'}.",
                        AGAIN,
                    )
                if data:
                    heard.hear(data)
                    self._take(heard)
                    self._say(same=time.time())
                self._give_up_where_lost(there)
                if time.monotonic() - looked > SLOW:
                    looked = time.monotonic()
                    if (wanted, folder) != (signature(self._what), _inode(self._what.project)):
                        return
        finally:
            link.end()

    def _start(self, dock: Dock, there: Tunnel, here: str, program: str, *, live: bool) -> Conversation:
        """unison here, and by ssh there."""
        what = self._what
        return talk(
            here,
            Path(what.project).resolve(),
            self._folder / copy.MEMORY,
            what.copy,
            ("ssh", *tunnel.sharing(there.folder), *dock.host.words, f"exec {program} {' '.join(unison.SERVER)}"),
            patterns=patterns(what),
            live=live,
            trusted=dock.trusted,
        )

    def _give_up_where_lost(self, there: Tunnel) -> None:
        """A link that is silent says nothing: who keeps the tunnel notices."""
        status = tunnel.read_status(there.folder)
        if not tunnel.kept(there.folder) or (status and not status.up):
            raise DockError(f"{self._what.dock} cannot be reached at the moment.", AGAIN)

    def _forget_another_folder(self, there: Tunnel) -> None:
        """A folder in the place of the one that was kept: what is not in it was not deleted."""
        path = self._folder / "root.json"
        now, before = {"inode": _inode(self._what.project)}, tunnel.read(path)
        if before and before != now:
            self._forget(there)
        tunnel.write(path, now)

    def _forget(self, there: Tunnel) -> None:
        for pattern in FORGET.split():
            for each in (self._folder / copy.MEMORY).glob(pattern):
                each.unlink(missing_ok=True)
        memory = f'"$HOME"/.local/share/workbench/sync/{self._state.folder.name}'
        # Not by the login shell: zsh does not run what has a pattern that matches nothing.
        done = there.run(f"sh -c {shlex.quote(f'cd {memory} && rm -f -- {FORGET}')}")
        if done.code:
            raise DockError(
                f"What {self._what.dock} remembers of the copy cannot be removed: {done.err[-200:].strip()}",
                f"See what it lacks: workbench dock doctor {self._what.dock}",
            )

    def _take(self, heard: unison.Heard) -> None:
        known = (*self._status.conflicts, *heard.conflicts)
        self._say(conflicts=tuple(dict.fromkeys(known))[-unison.NAMES :], failed=tuple(heard.failed))

    def _wish(self) -> float:
        found = tunnel.read(self._folder / copy.SETTLE)
        return float(found["wish"]) if found else 0.0

    def _is_held(self) -> bool:
        """Whether somebody holds it, or did a moment ago, and it is still wanted."""
        return (self._folder / copy.WHAT).exists() and self._holding.is_held()

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while self._is_held() and time.monotonic() < until:
            time.sleep(LOOK)

    def _say(self, **change: object) -> None:
        self._status = replace(self._status, **change)  # type: ignore[arg-type]
        tunnel.write(self._folder / copy.STATUS, asdict(self._status))


def _here(dock: Dock) -> str:
    """unison of this machine. Raises DockError where there is none, or it could not be confined."""
    found = shutil.which("unison")
    if found is None:
        raise DockError(
            "unison, which keeps the project and its copy the same, is not installed here.",
            "Install it: sudo apt install unison (on a Mac: brew install unison)",
        )
    known = unison.version(process.run((found, "-version")).out)
    if known < unison.OLDEST:
        raise DockError(f"unison is too old here ({'.'.join(map(str, known))}).", "Install version 2.52 or newer.")
    if confined.version() < confined.OLDEST and not dock.trusted:
        raise DockError(
            f"This system cannot keep {dock.name} out of your other files (Landlock is not there).",
            f"If you trust that machine as you trust this one: workbench dock trust {dock.name}",
        )
    return str(Path(found).resolve())


def _inode(folder: str) -> int:
    try:
        return Path(folder).stat().st_ino
    except OSError:
        return 0


def main() -> None:
    """Keep the copy of the workbench that the command line names, unless somebody does."""
    state = State.of(sys.argv[1])
    with (copy.folder_of(state) / copy.KEPT).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        Keeper(state).keep()


if __name__ == "__main__":
    main()
