"""What a workbench on a dock needs here for as long as it runs: the tunnel, its port, and its project kept the same."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

from workbench.docks import tunnel
from workbench.docks.book import book
from workbench.docks.sync import copy
from workbench.errors import WorkbenchError
from workbench.state import State

LOOK = 1.0
"""Seconds between two looks at whether all is still there."""
PAUSE = 5.0
"""Seconds before it is tried again to have it."""
BEGIN = 20.0
"""Seconds that are waited for it at the beginning."""


@contextmanager
def attending(state: State, note: Callable[[str], None]) -> Iterator[None]:
    """Have all of it for as long as this lasts, again and again where it was lost."""
    attendance = _Attendance(state, note)
    thread = Thread(target=attendance.run, name="dock", daemon=True)
    thread.start()
    attendance.there.wait(BEGIN)
    try:
        yield
    finally:
        attendance.over.set()
        thread.join()


class _Attendance:
    def __init__(self, state: State, note: Callable[[str], None]) -> None:
        self.there, self.over = Event(), Event()
        self._state, self._note = state, note
        self._dock = book().find(state.dock() or "")

    def run(self) -> None:
        said = ""
        while not self.over.is_set():
            try:
                self._attend()
            except (WorkbenchError, OSError) as error:
                text = f"{error.message} {error.hint}" if isinstance(error, WorkbenchError) else str(error)
                if text != said:
                    self._note(text)
                said = text
                self.over.wait(PAUSE)
            else:
                said = ""

    def _attend(self) -> None:
        """Until it is over, or something is no longer there."""
        port = self._port()
        with tunnel.held(self._dock) as there, there.forward(port), copy.held(self._state):
            self.there.set()
            while not self.over.wait(LOOK):
                if not tunnel.kept(there.folder) or port != self._port():
                    return
                copy.begin(self._state)

    def _port(self) -> int:
        seed = self._state.seed()
        return seed.port if seed else 0
