"""The host's end of the control channel, in a test's hands: the real relay, and an agent that says what it is told."""

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from workbench.inside import wire

STATUS = {
    "name": "demo",
    "engine": "docker",
    "engine_version": "20.10.24",
    "dock": None,
    "image": "p-notebook:ada",
    "image_created": 1700000000.0,
    "container": "workbench-demo",
    "started": 1700000100.0,
    "port": 23456,
    "url": "http://demo.localhost:23456/lab",
    "device": "cpu",
    "gpus": "",
    "gpu": {"possible": False, "why": "This machine has no GPU."},
    "changes": ["requirements.txt changed"],
    "attached": False,
    "services": [],
}

Answers = Callable[[wire.Message], wire.Message | None]


class Host:
    """An agent. `asked` are the requests it got; each is answered by `answers`, or not at all."""

    def __init__(self, relay: "subprocess.Popen[bytes]", answers: Answers) -> None:
        self._relay, self._answers = relay, answers
        self._writing = threading.Lock()
        self.asked: queue.Queue[wire.Message] = queue.Queue()
        threading.Thread(target=self._serve, daemon=True).start()
        threading.Thread(target=self._beat, daemon=True).start()

    def tell(self, message: wire.Message) -> None:
        """Say something to the inside."""
        assert self._relay.stdin is not None
        with self._writing:
            self._relay.stdin.write(wire.encode(message))
            self._relay.stdin.flush()

    def _serve(self) -> None:
        assert self._relay.stdout is not None
        for line in self._relay.stdout:
            message = json.loads(line)
            if "verb" in message:
                self.asked.put(message)
                if (answer := self._answers(message)) is not None:
                    self.tell(answer)

    def _beat(self) -> None:
        try:
            while self._relay.poll() is None:
                self.tell(wire.beat())
                threading.Event().wait(wire.BEAT)
        except OSError:
            return


def accepting(message: wire.Message) -> wire.Message:
    """The answer of an agent that agrees to everything."""
    return wire.reply(message["id"], {"accepted": True})


@contextmanager
def hosting(run: Path, answers: Answers = accepting, **status: Any) -> Iterator[Host]:
    """An agent for the server with this run folder; it has told its status."""
    relay = subprocess.Popen(
        [sys.executable, "-P", "-m", "workbench.inside.relay"],
        env={**os.environ, "WORKBENCH_RUN": str(run)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        host = Host(relay, answers)
        host.tell(wire.event("status", status={**STATUS, **status}))
        yield host
    finally:
        relay.kill()
        relay.wait()
