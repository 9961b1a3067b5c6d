"""A workbench that stops with its command: its log and its agent, through restarts and changes of its container."""

from collections.abc import Callable, Iterator
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING

from workbench import labels, recreate
from workbench.model import Running

if TYPE_CHECKING:
    from workbench.flow import Launched


class Foreground:
    """Serves from its making on."""

    def __init__(self, launched: "Launched", note: Callable[[str], None]) -> None:
        from workbench.agent.process import opened
        from workbench.agent.service import Agent

        found, running = launched.survey, launched.running
        if running is None:
            raise AssertionError("nothing runs")
        self._engine, self._state, self._note, self._running = found.engine, found.state, note, running
        # A workbench that was stopped has an old log, which is not news.
        self._tail = 0 if launched.outcome == "resumed" else None
        self._agent = Agent(found.state, partial(opened, running.name, running.engine), attached=True)
        if not found.settings.as_is:
            Thread(target=self._agent.run, name="agent", daemon=True).start()

    def log(self) -> Iterator[str]:
        """The server's log, until the workbench is stopped and not started again."""
        running: Running | None = self._running
        while running:
            yield from self._engine.logs(running.id, follow=True, tail=self._tail)
            before, running = running, self._now()
            # One that was restarted goes on with its log; another one has its own, under the same id on some engines.
            self._tail = 0 if running and (running.id, running.plan) == (before.id, before.plan) else None

    def stop(self) -> str:
        """Stop what runs now, once nothing else is being done with it; the workbench's name."""
        self._agent.end()
        if running := self._now():
            self._engine.stop(running.id)
        return self._running.name

    def _now(self) -> Running | None:
        """What runs once all who are at work on it have finished."""
        mine = {labels.NAME: self._running.name, labels.OWNER: self._running.owner}
        with self._state.lock(lambda: None):
            found = recreate.existing(self._engine, self._state, mine, self._note)
        return found if found and found.state == "running" else None
