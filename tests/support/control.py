"""Somebody inside a workbench who talks to its agent: over the relay's socket, as the server does."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from support.require import require

if TYPE_CHECKING:
    from support.person import Person, Workbench

PATIENCE = 120.0
BRIDGE = """
import os, pathlib, socket, sys, threading, time
from workbench.inside.relay import address
path = address(pathlib.Path(os.environ["WORKBENCH_RUN"]))
while True:
    try:
        link = socket.socket(socket.AF_UNIX)
        link.connect(str(path))
        break
    except OSError:
        time.sleep(0.1)
def out():
    try:
        while data := link.recv(65536):
            os.write(1, data)
    finally:
        os._exit(0)
threading.Thread(target=out, daemon=True).start()
while data := os.read(0, 65536):
    link.sendall(data)
"""
"""Python text: connects to the relay as soon as there is one, and hands both directions on."""


class Control:
    """A client that connects again when its connection ended. `command` runs BRIDGE where the relay is."""

    def __init__(self, command: Callable[[], "subprocess.Popen[bytes]"]) -> None:
        self._command = command
        self._bridge: subprocess.Popen[bytes] | None = None
        self._replies: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
        self.status: dict[str, Any] = {}
        self.lines: list[bytes] = []
        """Every line that has come."""
        self.actions: list[dict[str, Any]] = []
        """Every `action` event that has come."""

    def ask(self, verb: str, **arguments: Any) -> dict[str, Any]:
        """Ask for a verb and wait for the reply, on a new connection where the old one is gone."""
        id = uuid4().hex
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if reply := self._try(id, {"v": 1, "id": id, "verb": verb, "args": arguments}):
                return reply
            # The agent, or the container, went meanwhile; it may have heard the request.
            id = uuid4().hex
        raise AssertionError(f"no reply to {verb} within {PATIENCE:.0f} s")

    def done(self, verb: str, **arguments: Any) -> dict[str, Any]:
        """Have a life-cycle verb carried out to its end; its outcome."""
        # Whoever connects is told the last outcome first.
        self.ask("hello")
        before = self._last()
        self.accepted(verb, **arguments)
        return self.outcome(before)

    def accepted(self, verb: str, **arguments: Any) -> None:
        """Have a life-cycle verb begun, after the pause that may have to be kept."""
        deadline = time.monotonic() + PATIENCE
        while not (reply := self.ask(verb, **arguments))["ok"]:
            assert reply["error"]["code"] in ("too_soon", "busy"), reply
            assert time.monotonic() < deadline, reply
            time.sleep(0.5)

    def outcome(self, before: dict[str, Any] | None = None) -> dict[str, Any]:
        """What came of the action that is under way, or of the first one that is another than `before`."""
        deadline = time.monotonic() + PATIENCE
        while not (last := self._last()) or last == before:
            assert time.monotonic() < deadline, self.actions[-3:]
            self.ask("hello")
            time.sleep(0.2)
        return last

    def phases(self) -> list[str]:
        """The phases of all actions so far, without repetition."""
        found = [each["action"]["phase"] for each in self.actions if each["action"]]
        return [phase for number, phase in enumerate(found) if number == 0 or found[number - 1] != phase]

    def close(self) -> None:
        """End the connection."""
        if self._bridge:
            self._bridge.kill()
            self._bridge.wait()
            self._bridge = None

    def _last(self) -> dict[str, Any] | None:
        news = self.actions[-1] if self.actions else {"action": None, "last": None}
        return None if news["action"] else news["last"]

    def _try(self, id: str, request: dict[str, Any]) -> dict[str, Any] | None:
        bridge = self._connected()
        assert bridge.stdin is not None
        try:
            bridge.stdin.write(json.dumps(request).encode() + b"\n")
            bridge.stdin.flush()
        except OSError:
            self.close()
            return None
        with suppress(Empty):
            while (reply := self._replies.get(timeout=10)) is not None:
                if reply["id"] == id:
                    return reply
        self.close()
        return None

    def _connected(self) -> "subprocess.Popen[bytes]":
        if self._bridge is None or self._bridge.poll() is not None:
            self.close()
            self._bridge = self._command()
            self._replies = SimpleQueue()
            Thread(target=self._listen, args=(self._bridge, self._replies), daemon=True).start()
        return self._bridge

    def _listen(self, bridge: "subprocess.Popen[bytes]", replies: "SimpleQueue[dict[str, Any] | None]") -> None:
        assert bridge.stdout is not None
        for line in bridge.stdout:
            self.lines.append(line)
            message = json.loads(line)
            if message.get("event") == "status":
                self.status = message["status"]
            elif message.get("event") == "action":
                self.actions.append(message)
            elif "ok" in message:
                replies.put(message)
        replies.put(None)


def inside(me: "Person", bench: "Workbench") -> Control:
    """A client in a workbench of somebody."""
    if me.engine.host:
        docker = str(Path(require("docker-cli")) / "docker")
        words = [docker, "-H", me.engine.host, "exec", "-i", bench.container]
        argv = [*words, "/opt/workbench/bin/python", "-I", "-c", BRIDGE]
        return Control(lambda: _piped(argv, me.environment({})))
    return beside(me.home / ".local/state/workbench/workbenches" / bench.name / "run", me.environment({}))


def beside(run: Path, env: Mapping[str, str]) -> Control:
    """A client of the relay of a run folder on this machine."""
    told = {**env, "WORKBENCH_RUN": str(run)}
    return Control(lambda: _piped([sys.executable, "-P", "-c", BRIDGE], told))


def _piped(argv: list[str], env: dict[str, str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        argv, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    )
