"""Keeps the state up to date for those who listen. While nobody does it looks at nothing."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from workbench.inside import relay, wire
from workbench.inside.control import board
from workbench.inside.control.board import Board
from workbench.inside.control.link import GONE, Link
from workbench.inside.control.listeners import Listener, Listeners, encode
from workbench.inside.control.sources import EVERY, Sources
from workbench.inside.report import say

PAUSE = 0.2
"""Seconds for which a change of a kernel waits for others."""
LOG = 1.0
"""Seconds between two looks at the log, while it is followed."""
TAIL = 200
"""Lines of the log that are looked at."""
PATIENCE = 1.0
"""Seconds that listeners have for the last word."""


class Monitor:
    """The state, who hears of its changes, and the way to the agent. `local`: without a container."""

    def __init__(self, server: Any, *, local: bool) -> None:
        self._place, self._local = server.terms.place, local
        self._started: float = server.web_app.settings["started"].timestamp()
        self._board = Board(board.first(self._place, local=local, started=self._started))
        self._listeners = Listeners()
        self._sources = Sources(server, self._place, local=local, stirred=self.stir)
        self._looking = asyncio.Lock()
        self._stirred: asyncio.TimerHandle | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._said = ""
        self.closed = False
        """Whether the server stops."""
        self.link = Link(relay.address(self._place.run), self._heard, self._turned)
        self._turned(False)
        self._run("link", self.link.run)

    def document(self) -> dict[str, Any]:
        """The whole state."""
        there = {**self._board["workbench"], "now": round(time.time(), 3)}
        return self._board.document(workbench=there, history=self._sources.history.document())

    @contextmanager
    def listening(self, follows: bool, drop: Callable[[], object]) -> Iterator[Listener]:
        """A listener that is told of everything, beginning with the whole state."""
        listener = Listener(follows, drop)
        listener.put(encode("state", self.document()))
        with self._listeners.added(listener):
            self._run("look", self._look_again)
            self._run("log", self._follow)
            self._run("status", self._ask_status)
            yield listener

    async def look(self) -> None:
        """Bring the state up to date, unless it is."""
        async with self._looking:
            if self._sources.age > EVERY / 2:
                self._put(**await self._sources.look())

    def stir(self) -> None:
        """A kernel or session is different: tell of it soon."""
        if self._listeners and self._stirred is None:
            self._stirred = asyncio.get_running_loop().call_later(PAUSE, self._run, "stir", self._put_kernels)

    async def close(self) -> None:
        """The server stops: say so, with the action that it stops for, and end all that runs."""
        self.closed = True
        action = self._board["action"]
        # After a stop nobody comes back; the restart of a service is not what it stops for.
        back = action and action.get("verb") not in ("stop", "restart_service")
        self._listeners.tell("leaving", {"action": action if back else None})
        await self._listeners.end(PATIENCE)
        for task in self._tasks.values():
            task.cancel()

    async def _look_again(self) -> None:
        while self._listeners:
            try:
                await self.look()
            except Exception as error:  # one source fails: what the others have said stays
                self._say_once(error)
            await asyncio.sleep(EVERY)

    async def _ask_status(self) -> None:
        """Have the agent tell everybody what is new: a changed package list, a GPU; it looks when it is asked."""
        while self._listeners:
            await self.link.ask("status", {})
            await asyncio.sleep(wire.STATUS)

    async def _put_kernels(self) -> None:
        self._stirred = None
        self._put(**await self._sources.kernels())

    async def _follow(self) -> None:
        """Tell followers of new lines of the server's log."""
        while self._listeners.follow:
            reply = await self.link.ask("logs", {"tail": TAIL})
            if reply.get("ok"):
                self._listeners.tell_log(list(reply["result"].get("lines", ())))
            await asyncio.sleep(LOG)

    def _heard(self, message: wire.Message) -> None:
        """News of the agent."""
        if message["event"] == "status" and isinstance(status := message.get("status"), dict):
            self._put(
                workbench=board.workbench(self._place, status, local=self._local, started=self._started),
                device=board.device(self._place, status),
                changes=status.get("changes") or [],
                services=board.services(status),
            )
        elif message["event"] == "action":
            self._put(action=message.get("action"), last=message.get("last"))

    def _turned(self, connected: bool) -> None:
        if connected:
            self._put(agent=board.agent(True))
        else:
            # An action of an agent that is gone has come to some end.
            self._put(agent=board.agent(False, *GONE), action=None, services=board.unseen(self._board["services"]))

    def _put(self, **parts: Any) -> None:
        if news := self._board.put(**parts):
            self._listeners.tell("change", news)

    def _run(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Have one task of that name run."""
        running = self._tasks.get(name)
        if running is None or running.done():
            self._tasks[name] = asyncio.ensure_future(work())

    def _say_once(self, error: Exception) -> None:
        if repr(error) != self._said:
            self._said = repr(error)
            say(f"the panel shows less than usual: {error!r}")
