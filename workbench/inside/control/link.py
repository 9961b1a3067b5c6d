"""The server's connection to the relay, and through it to the agent: asks, hears news, connects again by itself."""

import asyncio
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from workbench.inside import wire

PATIENCE = 10.0
"""Seconds after which a request counts as not answered."""
AGAIN = (0.5, 1.0, 2.0, 5.0)
"""Seconds before another try to connect; the last from then on."""
SOON = 1.0
"""Seconds that a request waits for a connection."""
GONE = ("No agent answers on the host.", "`workbench panel --repair` on the host brings it back.")
"""Why the controls do nothing, and what helps."""


class Link:
    """A client of the relay at `address`. `heard` is called with each event, `turned` when it is there or gone."""

    def __init__(
        self, address: Path, heard: Callable[[wire.Message], object], turned: Callable[[bool], object]
    ) -> None:
        self._address, self._heard, self._turned = address, heard, turned
        self._waiting: dict[str, asyncio.Future[wire.Message]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._wanted = asyncio.Event()
        self._there = asyncio.Event()
        self._last = 0.0

    async def run(self) -> None:
        """Be connected whenever that is possible; ends by being cancelled."""
        tries = 0
        while True:
            with suppress(OSError, ValueError):
                reader, writer = await asyncio.open_unix_connection(str(self._address), limit=wire.LINE)
                tries = 0
                await self._serve(reader, writer)
            self._wanted.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), AGAIN[min(tries, len(AGAIN) - 1)])
            tries += 1

    async def ask(self, verb: str, arguments: Mapping[str, Any]) -> wire.Message:
        """The reply to a request: the agent's, the relay's, or a refusal of our own where neither says a word."""
        id = uuid.uuid4().hex
        line = wire.encode(wire.request(id, verb, arguments))
        if len(line) > wire.LINE:
            return wire.refusal(id, "malformed", "The request is too long.")
        if not await self._connected():
            return wire.refusal(id, "no_agent", *GONE)
        answer = self._waiting[id] = asyncio.get_running_loop().create_future()
        self._write(line)
        try:
            return await asyncio.wait_for(answer, PATIENCE)
        except TimeoutError:
            return wire.refusal(id, "no_agent", f"The agent has not answered for {PATIENCE:.0f} s.", GONE[1])
        finally:
            self._waiting.pop(id, None)

    async def _connected(self) -> bool:
        self._wanted.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._there.wait(), SOON)
        return self._there.is_set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hear what comes until the connection ends, or is silent for too long."""
        self._writer, self._last = writer, _now()
        self._there.set()
        self._turned(True)
        beats = asyncio.ensure_future(self._beat(writer))
        try:
            # ValueError: a line that is too long.
            while line := await reader.readline():
                self._take(line)
        finally:
            beats.cancel()
            self._writer = None
            self._there.clear()
            writer.close()
            self._turned(False)
            for id, answer in self._waiting.items():
                if not answer.done():
                    answer.set_result(wire.refusal(id, "no_agent", *GONE))

    async def _beat(self, writer: asyncio.StreamWriter) -> None:
        while _now() - self._last < wire.SILENCE:
            self._write(wire.encode(wire.beat()))
            await asyncio.sleep(wire.BEAT)
        writer.close()

    def _take(self, line: bytes) -> None:
        self._last = _now()
        try:
            message = wire.decode(line)
        except wire.Malformed:
            return
        answer = self._waiting.get(str(message.get("id")))
        if answer and not answer.done():
            answer.set_result(message)
        elif "event" in message:
            self._heard(message)

    def _write(self, line: bytes) -> None:
        if self._writer:
            self._writer.write(line)


def _now() -> float:
    return asyncio.get_running_loop().time()
