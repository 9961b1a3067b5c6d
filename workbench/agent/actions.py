"""The verbs that change the life of a workbench or of a service: one at a time, in a thread of its own, watched."""

import re
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import Event as Signal
from threading import Thread
from typing import Any

from workbench import cancel, labels, recreate, relaunch, show
from workbench.agent import services
from workbench.engines.base import Engine
from workbench.errors import NoEngineError, WorkbenchError
from workbench.flow import current_environ, leave_services
from workbench.model import Event, Running
from workbench.recreate import Phase
from workbench.state import State, state_root

TEXTS: Mapping[Phase, str] = {
    "preparing": "preparing",
    "building": "building",
    "stopping": "stopping JupyterLab; saves are finished first",
    "starting": "starting JupyterLab",
    "restoring": "putting the old one back",
}
WAITING = ("preparing", "building", "starting")
"""Phases in which there is something to cancel."""
NUMBER = re.compile(r"\[(?:(\S+) +)?\d+/(\d+)\]")
"""The stage of a build that a step is of, and how many steps that has."""

Opened = Callable[[], AbstractContextManager[Engine]]


@dataclass(frozen=True, slots=True)
class Action:
    """What is being done."""

    verb: str
    device: str | None
    phase: Phase
    text: str
    since: float
    can_cancel: bool
    done: int = 0
    total: int = 0
    service: str = ""
    """The one that it is done to; empty for the workbench itself."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of the last action."""

    verb: str
    device: str | None
    ok: bool
    message: str
    hint: str
    at: float
    service: str = ""


class Actions:
    """`now` and `last` are read by the thread that serves, and written by the one that acts."""

    def __init__(self, state: State, opened: Opened, note: Callable[[str], None]) -> None:
        self.now: Action | None = None
        self.last: Outcome | None = None
        self._state, self._opened, self._note = state, opened, note
        self._asked = Signal()
        self._thread: Thread | None = None

    def begin(self, verb: str, running: Running, device: Any = None) -> None:
        """Carry out a verb from now on."""
        self._begin(Action(verb, device, "preparing", TEXTS["preparing"], time.time(), can_cancel=True), running)

    def begin_service(self, verb: str, running: Running, name: str) -> None:
        """Restart a service from now on; that cannot be cancelled."""
        text = f"restarting {name}"
        self._begin(Action(verb, None, "starting", text, time.time(), can_cancel=False, service=name), running)

    def cancel(self) -> bool:
        """Have the action end and be undone; False when it is past that."""
        now = self.now
        if now is None or not now.can_cancel:
            return False
        self._asked.set()
        return True

    def wait(self) -> None:
        """Until nothing is being done."""
        if self._thread:
            self._thread.join()

    def document(self) -> dict[str, Any]:
        """The action and the last outcome, as the inside reads them."""
        now, last = self.now, self.last
        return {"action": asdict(now) if now else None, "last": asdict(last) if last else None}

    def phase(self, phase: Phase) -> None:
        """The next part begins; ends here if it was cancelled."""
        if phase != "restoring":
            cancel.check()
        self._tell(phase=phase, text=TEXTS[phase], can_cancel=phase in WAITING, done=0, total=0)

    def note(self, text: str) -> None:
        """One line, for the log."""
        self._note(text)

    def command(self, argv: tuple[str, ...]) -> None:
        """Nobody here has asked to see commands."""

    def work(self, events: Iterator[Event]) -> None:
        """A build, step by step."""
        totals: dict[str | None, int] = {}
        done = 0
        for news in events:
            cancel.check()
            done += news.kind in ("done", "cached")
            if news.kind != "step":
                continue
            if number := NUMBER.match(news.text):
                totals[number[1]] = int(number[2])
            if name := show.step(news.text):
                text, total = f"{TEXTS['building']}: {name}", sum(totals.values())
                self._tell(phase="building", text=text, can_cancel=True, done=min(done, total), total=total)

    def ask(self, question: str) -> bool | None:
        """Nobody can answer."""
        return None

    def _begin(self, action: Action, running: Running) -> None:
        self._asked.clear()
        self.now = action
        self._thread = Thread(target=self._carry_out, args=(action, running), name=action.verb, daemon=True)
        self._thread.start()

    def _tell(self, **change: Any) -> None:
        if self.now:
            self.now = replace(self.now, **change)

    def _carry_out(self, action: Action, running: Running) -> None:
        self._note(f"{action.verb} {action.device or action.service}".rstrip())
        ok, message, hint = True, "", ""
        try:
            with cancel.on(self._asked), self._opened() as engine:
                self._act(action, engine, running)
        except WorkbenchError as error:
            ok, (message, hint) = False, public(error)
            self._note(f"{action.verb} failed: {show.error(error)}")
        except Exception:  # whatever it was, the one who asked must hear of it
            ok, message, hint = False, "Something unexpected happened.", "`workbench panel` names the agent's log."
            self._note(f"{action.verb} failed: {traceback.format_exc()}")
        self.last = Outcome(action.verb, action.device, ok, message, hint, time.time(), action.service)
        self.now = None

    def _act(self, action: Action, engine: Engine, running: Running) -> None:
        if action.verb == "restart":
            recreate.restart(engine, running, self.note, self.phase)
        elif action.verb == "stop":
            self._stop(engine, running)
        elif action.verb == "restart_service":
            services.restart(engine, self._state, action.service)
        else:
            device: Any = action.device
            environ = current_environ()
            relaunch.relaunch(engine, self._state, self, environ, device=device, rebuild=action.verb == "rebuild")

    def _stop(self, engine: Engine, running: Running) -> None:
        with self._state.lock(lambda: None):
            self.phase("stopping")
            for each in engine.find({labels.NAME: running.name, labels.OWNER: running.owner}):
                engine.stop(each.id)
            leave_services(engine, self._state, self.note)


def public(error: WorkbenchError) -> tuple[str, str]:
    """What the inside is told of a failure: message and hint, without the engine's address and this user's folders."""
    if isinstance(error, NoEngineError):
        return "The engine does not answer.", "`workbench doctor` on its machine looks at it."
    return _plain(error.message), _plain(error.hint)


def _plain(text: str) -> str:
    for folder in (str(state_root()), str(Path.home())):
        text = text.replace(folder, "~")
    return text
