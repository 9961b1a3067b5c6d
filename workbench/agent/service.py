"""The agent of one workbench: connects to the relay inside, answers what it asks, and ends with the workbench."""

import math
import time
from contextlib import ExitStack
from functools import partial
from threading import Event
from typing import Any

from workbench import comeback, labels, ready, recreate
from workbench.agent import process, services
from workbench.agent.actions import Actions, Opened, public
from workbench.agent.answers import answer
from workbench.agent.link import Ended, Link
from workbench.agent.protocol import Flooded, Guard, Request
from workbench.agent.status import Outlook, look, status
from workbench.engines.base import Engine
from workbench.errors import EngineError, WorkbenchError
from workbench.flow import current_environ, leave_services
from workbench.inside import wire
from workbench.inside.wire import Message, refusal, reply
from workbench.model import Running
from workbench.plan import naming
from workbench.plan.relay import relay_command
from workbench.relaunch import check_device, kept
from workbench.state import State

IDLE, BUSY = 1.0, 0.2
"""Seconds between two looks at what this process itself does, while nothing comes from inside."""
SOON, LATE = 0.2, 5.0
"""Seconds before a connection is made again: at first, and after many that failed."""
STEADY = 5.0
"""Seconds that a connection lasts which did not fail."""
PATIENCE = 60.0
"""Seconds for which an engine may be away."""
LONG_PATIENCE = 7 * 86400.0
"""The same for one of another machine: a laptop sleeps over a weekend."""
FRESH = 10.0
"""Seconds for which a look at machine and project counts as the present."""
SERVICES = 3.0
"""The same for one at the services."""


class Agent:
    """`run` serves until the workbench has stopped; `end` ends that from another thread.

    `opened` connects to the engine, anew for each connection to a relay and for each action.
    """

    def __init__(self, state: State, opened: Opened, *, attached: bool = False, patience: float = PATIENCE) -> None:
        self._state, self._opened, self._attached = state, opened, attached
        self._patience = LONG_PATIENCE if state.dock() else PATIENCE
        self._over = Event()
        self._being = ExitStack()
        self._actions = Actions(state, opened, self._note)
        self._guard = Guard(time.monotonic)
        self._acting = False
        self._told: Message = {}
        self._outlook: Outlook | None = None
        self._looked = 0.0
        self._services: list[dict[str, Any]] = []
        self._services_looked = self._watched = -math.inf
        self._reached = time.monotonic()
        self._seen: tuple[str, float | None] | None = None

    def run(self) -> None:
        """Be the agent, unless another process is."""
        with self._being:
            if self._being.enter_context(process.being(self._state, attached=self._attached)):
                self._note("begun")
                self._serve()
                self._actions.wait()
                self._note("ended")

    def end(self) -> None:
        """End; what is being done is cancelled, or carried out first where it cannot be."""
        self._over.set()
        self._actions.cancel()

    def cancel(self) -> None:
        """Cancel what is being done, if anything is."""
        self._actions.cancel()

    def _serve(self) -> None:
        """One connection after the other."""
        pause = SOON
        while not self._over.is_set():
            begun = time.monotonic()
            try:
                if not self._visit():
                    return
                self._reached = time.monotonic()
            except (WorkbenchError, OSError) as error:
                # Of the second kind: a full disk, which may have room again.
                self._note(f"{error.message} {error.hint}" if isinstance(error, WorkbenchError) else str(error))
                if time.monotonic() - self._reached > self._patience:
                    return
            self._settle()
            steady = time.monotonic() - begun > STEADY
            pause = SOON if steady or self._acting else min(2 * pause, LATE)
            self._over.wait(pause)

    def _visit(self) -> bool:
        """Serve for as long as one connection lasts; False when the workbench has stopped."""
        with self._opened() as engine:
            running = self._running(engine)
            if running is None:
                return self._acting or self._is_back(engine)
            self._see(engine, running)
            link = Link(engine.talk(running.id, relay_command(engine.name)))
            try:
                self._converse(engine, running, link)
            except (Ended, Flooded) as end:
                self._note(f"{running.container}: {end or 'flooded'}")
            finally:
                link.close()
                # However it ended: an engine that fails once after a long connection has not been away for long.
                self._reached = time.monotonic()
            return True

    def _see(self, engine: Engine, running: Running) -> None:
        """Look at one that was not seen yet: should its engine have started it by itself, it needs its delivery."""
        if self._acting or self._seen == (running.id, running.started):
            return
        seed = self._state.seed()
        if seed and not ready.answers(running.port, seed.token):
            with self._state.lock(lambda: None):
                now = recreate.existing(engine, self._state, self._mine(engine), self._note)
                delivery = self._state.kept_delivery(seed.token)
                if now and now.state == "running" and comeback.hand_over(engine, now, delivery):
                    self._note(f"{now.container} began by itself: it was handed over what it needs")
        self._seen = (running.id, running.started)

    def _running(self, engine: Engine) -> Running | None:
        found = (each for each in engine.find(self._mine(engine)) if not naming.is_aside(each))
        return next((each for each in found if each.state == "running"), None)

    def _is_back(self, engine: Engine) -> bool:
        """Whether it runs once all who are at work on it have finished; what was cut off is put right."""
        with self._state.lock(lambda: None):
            mine = self._mine(engine)
            look = partial(recreate.existing, engine, self._state, mine, self._note)
            found = comeback.settled(engine, self._state, look)
            if found and found.state == "running":
                return True
            leave_services(engine, self._state, self._note)
            # Under the lock: a launch that comes now finds nobody who serves.
            self._being.close()
            return False

    def _mine(self, engine: Engine) -> dict[str, str]:
        return {labels.NAME: self._state.folder.name, labels.OWNER: str(engine.facts().uid)}

    def _converse(self, engine: Engine, running: Running, link: Link) -> None:
        self._told = {}
        self._outlook = None
        self._services_looked = -math.inf
        self._tell(link, wire.event("status", status=self._status(engine, running)))
        while not self._over.is_set():
            news = wire.event("action", **self._actions.document())
            if self._settle() and not self._is_still(running, engine):
                # Not every link ends with what it led to; the next one tells what came of it.
                return
            self._tell(link, news)
            self._tell_of_services(engine, link)
            for line in link.lines(BUSY if self._acting else IDLE):
                asked = self._guard.take(line)
                if isinstance(asked, Request):
                    link.send(self._answer(asked, engine, running, link))
                elif asked:
                    link.send(asked)

    def _tell(self, link: Link, news: Message) -> None:
        """Send news that this relay does not know."""
        if self._told.get(news["event"]) != news:
            self._told[news["event"]] = news
            link.send(news)

    def _tell_of_services(self, engine: Engine, link: Link) -> None:
        """Tell what is new of them while somebody looks: a server whose pages are open asks for the status again."""
        if time.monotonic() - self._watched < 2 * wire.STATUS:
            told = {**self._told["status"]["status"], "services": self._look_at_services(engine)}
            self._tell(link, wire.event("status", status=told))

    def _is_still(self, running: Running, engine: Engine) -> bool:
        """Whether what runs is what ran, and not the same one started again."""
        now = self._running(engine)
        return now is not None and (now.id, now.started) == (running.id, running.started)

    def _settle(self) -> bool:
        """Take note that an action has ended; whether one has."""
        if not self._acting or self._actions.now is not None:
            return False
        self._acting = False
        self._services_looked = -math.inf
        self._guard.ended()
        return True

    def _answer(self, asked: Request, engine: Engine, running: Running, link: Link) -> Message:
        """Carry out a request; nothing that goes wrong in it ends the agent."""
        try:
            if asked.verb == "cancel":
                return self._cancel(asked)
            if asked.verb in wire.LIFE:
                return self._begin(asked, engine, running)
            if asked.verb == "status":
                self._watched = time.monotonic()
                news = wire.event("status", status=self._status(engine, running))
                self._tell(link, news)
                return reply(asked.id, news["status"])
            if asked.verb == "service_logs":
                place, tail = asked.arguments["service"], asked.arguments["tail"]
                return reply(asked.id, {"lines": services.logs(engine, self._state, place, tail)})
            return reply(asked.id, answer(asked.verb, dict(asked.arguments), engine, running))
        except WorkbenchError as error:
            self._note(f"{asked.verb}: {error.message}")
            code = "refused" if isinstance(error, services.NotApproved) else "failed"
            return refusal(asked.id, code, *public(error))

    def _cancel(self, asked: Request) -> Message:
        if self._actions.cancel():
            return reply(asked.id, {"accepted": True})
        return refusal(asked.id, "nothing_to_cancel", "It is too far to be cancelled; it ends in a moment.")

    def _begin(self, asked: Request, engine: Engine, running: Running) -> Message:
        device: Any = asked.arguments.get("device")
        service = ""
        try:
            if device:
                self._check(device, engine, running)
            elif asked.verb == "rebuild":
                kept(self._state)
            elif asked.verb == "restart_service":
                service = services.may_restart(self._state, asked.arguments["service"])
        except WorkbenchError as error:
            self._note(f"{asked.verb} refused: {error.message}")
            return refusal(asked.id, "refused", *public(error))
        self._guard.begun(asked.verb)
        self._acting = True
        if service:
            self._actions.begin_service(asked.verb, running, service)
        else:
            self._actions.begin(asked.verb, running, device)
        return reply(asked.id, {"accepted": True})

    def _check(self, device: Any, engine: Engine, running: Running) -> None:
        if running.device.partition(":")[0] == device and bool(running.gpus) == (device == "gpu"):
            raise EngineError(f"The workbench computes on the {device.upper()} already.", "There is nothing to change.")
        check_device(engine, self._state, device, current_environ())

    def _status(self, engine: Engine, running: Running) -> dict[str, Any]:
        if self._outlook is None or time.monotonic() - self._looked > FRESH:
            self._outlook = look(engine, running, self._state, current_environ())
            self._looked = time.monotonic()
        told = status(running, self._outlook, self._state, made=engine.made(running.id), attached=self._attached)
        return {**told, "services": self._look_at_services(engine)}

    def _look_at_services(self, engine: Engine) -> list[dict[str, Any]]:
        if time.monotonic() - self._services_looked > SERVICES:
            self._services = services.told(engine, self._state)
            self._services_looked = time.monotonic()
        return self._services

    def _note(self, text: str) -> None:
        process.note(self._state, text)
