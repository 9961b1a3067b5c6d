"""One connection to a relay: its lines, our messages, and the beats by which both know that the other lives."""

import time
from collections.abc import Iterator

from workbench.engines.base import Channel
from workbench.inside import wire


class Ended(Exception):
    """The connection is over; the text says why."""


class Link:
    """Between the agent and one relay. `begun` is when it was made (monotonic)."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._lines = wire.Lines()
        self.begun = self._heard = time.monotonic()
        self._beat = 0.0

    def lines(self, patience: float) -> Iterator[bytes]:
        """What has come, after waiting `patience` seconds at most; Ended when nothing will come any more."""
        now = time.monotonic()
        if now - self._beat >= wire.BEAT:
            self._beat = now
            self.send(wire.beat())
        data = self._channel.receive(patience)
        if data == b"":
            raise Ended("the relay has ended")
        if data:
            self._heard = time.monotonic()
        elif time.monotonic() - self._heard > wire.SILENCE:
            raise Ended("the relay is silent")
        try:
            yield from self._lines.feed(data or b"")
        except wire.Malformed as error:
            raise Ended(str(error)) from error

    def send(self, message: wire.Message) -> None:
        """Send one message."""
        self._channel.send(wire.encode(message))

    def close(self) -> None:
        """Let go; the relay ends by itself."""
        self._channel.close()
