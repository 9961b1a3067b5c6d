"""A workbench that stops with its command: its log and its agent, through restarts and changes of its container."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING

from workbench import comeback, labels, recreate
from workbench.errors import DockError, NoEngineError, WorkbenchError
from workbench.flow import leave_services
from workbench.model import Running

if TYPE_CHECKING:
    from workbench.flow import Launched

LOOK = 1.0
"""Seconds between two looks at whether a machine can be reached again."""


class Foreground:
    """Serves from its making on."""

    def __init__(self, launched: "Launched", note: Callable[[str], None]) -> None:
        from workbench.agent.process import attended, opened
        from workbench.agent.service import Agent

        found, running = launched.survey, launched.running
        if running is None:
            raise AssertionError("nothing runs")
        self._engine, self._state, self._note, self._running = found.engine, found.state, note, running
        # A workbench that was stopped has an old log, which is not news.
        self._tail = 0 if launched.outcome == "resumed" else None
        self._held = ExitStack()
        self._held.enter_context(attended(found.state))
        self._agent = Agent(found.state, partial(opened, running.name, running.engine), attached=True)
        if not found.settings.as_is:
            Thread(target=self._agent.run, name="agent", daemon=True).start()

    def log(self) -> Iterator[str]:
        """The server's log, until the workbench is stopped and not started again."""
        running: Running | None = self._running
        while running:
            yield from self._lines(running)
            before, running = running, self._now_or_later()
            # One that was restarted goes on with its log; another one has its own, under the same id on some engines.
            self._tail = 0 if running and (running.id, running.plan) == (before.id, before.plan) else None

    def stop(self) -> str:
        """Stop what runs now, once nothing else is being done with it; the workbench's name."""
        self._agent.end()
        try:
            if running := self._now():
                self._engine.stop(running.id)
            leave_services(self._engine, self._state, self._note)
            if self._running.dock:
                from workbench.docks.sync import copy

                # What was saved last is to be here.
                copy.settle(self._state)
        except NoEngineError as error:
            name = self._running.name
            raise self._away(error, f"It goes on there; when it can be reached: workbench stop {name}") from error
        finally:
            self._held.close()
        return self._running.name

    def _lines(self, running: Running) -> Iterator[str]:
        """The log, for as long as the engine tells it."""
        try:
            yield from self._engine.logs(running.id, follow=True, tail=self._tail)
        except NoEngineError:
            if not running.dock:
                raise

    def _now_or_later(self) -> Running | None:
        """What runs now; once it can be reached again, where it is on another machine."""
        away = False
        while True:
            try:
                now = self._now()
            except NoEngineError as error:
                if not self._running.dock:
                    raise
                if not away:
                    self._note(f"{self._away(error).message} JupyterLab goes on there; waiting for it …")
                away = True
                time.sleep(LOOK)
            else:
                if away:
                    self._note(f"{self._running.dock} is there again.")
                return now

    def _away(self, error: NoEngineError, hint: str = "") -> WorkbenchError:
        dock = self._running.dock
        return DockError(f"{dock} cannot be reached at the moment.", hint) if dock else error

    def _now(self) -> Running | None:
        """What runs once all who are at work on it have finished."""
        mine = {labels.NAME: self._running.name, labels.OWNER: self._running.owner}
        with self._state.lock(lambda: None):
            look = partial(recreate.existing, self._engine, self._state, mine, self._note)
            found = comeback.settled(self._engine, self._state, look)
        return found if found and found.state == "running" else None
