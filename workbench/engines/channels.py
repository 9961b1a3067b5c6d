"""Both streams of a command inside, over one socket: as it is, in the engine's frames, or bound to a server's life."""

import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench import process
from workbench.engines.streams import HEADER
from workbench.errors import EngineError

if TYPE_CHECKING:
    from workbench.engines.sdk import Client

SIZE = 64 * 1024
"""Bytes that are received at once at most."""
PATIENCE = 10.0
"""Seconds in which a command must read what it was sent."""
LEAST = 0.001
"""Seconds of the shortest wait: a socket takes none at all for another way of working."""
LOOK = 0.5
"""Seconds between two looks at whether the server lives."""
STDOUT = 1


class SocketChannel:
    """A `Channel` whose socket carries the bytes as they are. One thread receives, one at a time sends.

    Nothing is read ahead: what nobody receives stays with the command.
    """

    def __init__(self, link: socket.socket) -> None:
        self._link = link

    def send(self, data: bytes) -> None:
        """Write all of it."""
        try:
            self._link.settimeout(PATIENCE)
            self._link.sendall(data)
        except OSError as error:
            raise EngineError("A command in the workbench no longer reads.", "See `workbench ps`.") from error

    def receive(self, timeout: float) -> bytes | None:
        """What has come. A link that broke has ended."""
        try:
            self._link.settimeout(max(timeout, LEAST))
            return self._link.recv(SIZE)
        except TimeoutError:
            return None
        except OSError:
            return b""

    def close(self) -> None:
        """End both directions, so that whoever waits in `receive` returns too."""
        with suppress(OSError):
            self._link.shutdown(socket.SHUT_RDWR)
        self._link.close()


class FramedChannel(SocketChannel):
    """A channel to a container: `handle` is what the SDK gives for the stream of an `exec`."""

    def __init__(self, handle: Any) -> None:
        super().__init__(getattr(handle, "_sock", handle))
        self._response = handle._response
        self._frames = Frames()
        self._early = self._frames.output(_read_ahead(self._link, self._response.raw._fp.fp))

    def receive(self, timeout: float) -> bytes | None:
        """Standard output only; what else comes is waited through."""
        if early := self._early:
            self._early = b""
            return early
        until = time.monotonic() + timeout
        while data := super().receive(until - time.monotonic()):
            if output := self._frames.output(data):
                return output
            if time.monotonic() > until:
                return None
        return data

    def close(self) -> None:
        """The connection as well: it serves nothing else any more."""
        super().close()
        self._response.close()


class ChildChannel(SocketChannel):
    """A channel to a process of this machine, which ends when `alive` says that its workbench did."""

    def __init__(self, link: socket.socket, alive: Callable[[], bool]) -> None:
        super().__init__(link)
        self._alive = alive

    def receive(self, timeout: float) -> bytes | None:
        """As any other, in pieces of time."""
        until = time.monotonic() + timeout
        while (data := super().receive(min(LOOK, until - time.monotonic()))) is None:
            if not self._alive():
                return b""
            if time.monotonic() > until:
                return None
        return data


def to_container(client: "Client", id: str, argv: tuple[str, ...]) -> FramedChannel:
    """Start a command in a container to talk to."""
    made = client.exec_create(id, list(argv), stdin=True)["Id"]
    with client.streaming():
        return FramedChannel(client.exec_start(made, socket=True))


def to_child(
    argv: tuple[str, ...], env: Mapping[str, str], cwd: Path | None, alive: Callable[[], bool]
) -> ChildChannel:
    """Start a process of this machine to talk to."""
    try:
        return ChildChannel(process.talk(argv, env=env, cwd=cwd), alive)
    except process.ProgramMissing as error:
        raise EngineError(error.message, "Make the environment anew: --rebuild.") from error


class Frames:
    """Takes standard output out of an engine's frames, which may be cut anywhere."""

    def __init__(self) -> None:
        self._head = b""
        self._kind = self._left = 0

    def output(self, data: bytes) -> bytes:
        """The bytes of standard output in the next bytes of the stream."""
        found = b""
        while data:
            if self._left:
                content, data = data[: self._left], data[self._left :]
                self._left -= len(content)
                found += content if self._kind == STDOUT else b""
                continue
            missing = HEADER.size - len(self._head)
            self._head, data = self._head + data[:missing], data[missing:]
            if len(self._head) == HEADER.size:
                (self._kind, self._left), self._head = HEADER.unpack(self._head), b""
        return found


def _read_ahead(link: socket.socket, reader: Any) -> bytes:
    """What came together with the head of the engine's answer lies in the reader, which is not used after this."""
    link.settimeout(0)
    with suppress(OSError):
        return bytes(reader.peek())
    return b""
