"""Who listens to the changes of the state: a bounded queue for each, in the form of `text/event-stream`."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

ROOM = 64
"""Events that wait for one listener at most. Who does not read for minutes is not there."""
QUIET = 15.0
"""Seconds without an event after which a comment shows that the stream lives."""
COMMENT = b":\n\n"


class Listener:
    """One stream. `drop` ends its connection."""

    def __init__(self, follows: bool, drop: Callable[[], object]) -> None:
        self.follows = follows
        """Whether it wants the log, too."""
        self._log: list[str] = []
        self._drop = drop
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(ROOM)
        self.done = asyncio.Event()
        """Whether all that it was told has been taken."""

    def leave(self) -> None:
        """Its other end has gone."""
        while not self._queue.empty():
            self._queue.get_nowait()
        self._queue.put_nowait(None)

    def put(self, event: bytes | None) -> None:
        """Add an event, None for the end. Who has no room left is dropped."""
        try:
            self._queue.put_nowait(event)
        except asyncio.QueueFull:
            self._drop()

    def put_log(self, lines: list[str]) -> None:
        """Add what is new of the last lines of the log: at first all of them."""
        if new := fresh(self._log, lines):
            self.put(encode("log", {"lines": new}))
        self._log = lines

    async def next(self) -> bytes | None:
        """The next event, or a comment; None at the end."""
        try:
            return await asyncio.wait_for(self._queue.get(), QUIET)
        except TimeoutError:
            return COMMENT


class Listeners:
    """All streams."""

    def __init__(self) -> None:
        self._all: set[Listener] = set()

    def __bool__(self) -> bool:
        return bool(self._all)

    @property
    def follow(self) -> bool:
        """Whether anybody wants the log."""
        return any(listener.follows for listener in self._all)

    @contextmanager
    def added(self, listener: Listener) -> Iterator[None]:
        """Have a listener be among those that are told."""
        self._all.add(listener)
        try:
            yield
        finally:
            self._all.discard(listener)
            listener.done.set()

    def tell(self, name: str, data: Any) -> None:
        """Tell all of an event."""
        event = encode(name, data)
        for listener in list(self._all):
            listener.put(event)

    def tell_log(self, lines: list[str]) -> None:
        """Tell those that follow it of the last lines of the log."""
        for listener in [each for each in self._all if each.follows]:
            listener.put_log(lines)

    async def end(self, patience: float) -> None:
        """End all streams, and wait until they have taken what they were told, at most `patience` seconds."""
        listeners = list(self._all)
        for listener in listeners:
            listener.put(None)
        if listeners:
            await asyncio.wait([asyncio.ensure_future(each.done.wait()) for each in listeners], timeout=patience)


def encode(name: str, data: Any) -> bytes:
    """An event as it goes over the wire."""
    return f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


def fresh(before: list[str], now: list[str]) -> list[str]:
    """The lines at the end of a log that were not there before: all but the longest overlap."""
    for size in range(min(len(before), len(now)), 0, -1):
        if before[-size:] == now[:size]:
            return now[size:]
    return now
