"""Services of the fake engine: containers that are only remembered, with a real one's rules."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace

from workbench.errors import EngineError, WorkbenchError
from workbench.model import ServiceState


class FakeServices:
    """`ServiceContainers` of `FakeEngine`. `put` does what Compose does to a real engine.

    `fail` maps the name of a method to the error that it raises; `calls` lists each call: the method and its first
    argument. A restart takes `seconds`.
    """

    environment: Mapping[str, str] = {}

    def __init__(self) -> None:
        self.fail: dict[str, WorkbenchError] = {}
        self.calls: list[tuple[str, str]] = []
        self.seconds = 0.0
        self._all: dict[str, ServiceState] = {}
        self._lines: dict[str, list[str]] = {}

    def put(self, container: ServiceState, *lines: str) -> None:
        """Have a container, in the place of the one with its id; `lines` are what it has written."""
        self._all[container.id] = container
        self._lines[container.id] = list(lines) or self._lines.get(container.id, [])

    def find(self, stack: str, *, commands: bool = False) -> list[ServiceState]:
        """By service and container."""
        self._called("find", stack)
        found = [each for each in self._all.values() if each.stack == stack and (commands or not each.command)]
        return sorted(found, key=lambda each: (each.service, each.container))

    def has_names(self, network: str) -> bool:
        """Always."""
        return True

    def look(self, id: str) -> None:
        """What it says of its health stays."""
        self._called("look", id)

    def stop(self, id: str) -> None:
        """At once, by SIGTERM."""
        self._called("stop", id)
        found = self._all.get(id)
        if found and found.state == "running":
            self._all[id] = replace(found, state="stopped", health="", exit_code=143)

    def restart(self, id: str) -> None:
        """The same container again."""
        self._called("restart", id)
        time.sleep(self.seconds)
        if id not in self._all:
            raise EngineError(f"There is no container {id}.", "`workbench services` lists them.")
        self._all[id] = replace(self._all[id], state="running", exit_code=None, started=time.time())

    def logs(self, id: str, *, follow: bool = False, tail: int | None = None) -> Iterator[str]:
        """What was put with it; nothing comes later."""
        self._called("logs", id)
        lines = self._lines.get(id, [])
        yield from lines if tail is None else lines[max(0, len(lines) - tail) :]

    def _called(self, method: str, argument: str) -> None:
        self.calls.append((method, argument))
        if method in self.fail:
            raise self.fail[method]
