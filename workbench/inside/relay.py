"""Hands lines between the agent, on the standard streams, and those who connect to a unix socket of the run folder.

The agent judges each request itself; here floods are shed and what is no request is dropped, so that one client cannot
take the channel from the others. One thread, the standard library only, and quick to start.
"""

import os
import select
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from workbench.inside import wire
from workbench.inside.wire import Message

PATH = 100
"""Bytes that the path of a unix socket may have on every system."""
SHORT = Path("/tmp")  # noqa: S108 - the folder in it is ours alone, which is looked at before it is used
"""Where sockets lie whose own place has too long a path; the same whatever TMPDIR is at either end."""
CLIENTS = 32
"""Connections at once at most; the server needs one."""
WAITING = 1 << 20
"""Bytes at most that wait for one who does not read."""
ASKED = 1024
"""Requests at most of which it is remembered who asked."""
SIZE = 64 * 1024
"""Bytes that are read at once at most."""
TICK = 1.0
"""Seconds between two looks at the clock."""
REMEMBERED = ("status", "action")
"""News of which a new client is told the last."""


def address(run: Path) -> Path:
    """Where the relay of a run folder listens, for both ends."""
    path = run / wire.SOCKET
    if len(os.fsencode(path)) <= PATH:
        return path
    # Late: it loads a library of cryptography.
    import hashlib

    return SHORT / f"workbench-{os.getuid()}" / f"{hashlib.sha256(os.fsencode(run)).hexdigest()[:32]}.sock"


@contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    """A socket at this path (0600), in the place of one that is there; taken away at the end unless another has it."""
    _own(path.parent)
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        before = os.umask(0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(before)
        listener.setblocking(False)
        listener.listen(CLIENTS)
        mark = _mark(path)
        try:
            yield listener
        finally:
            # While this one is open, no other socket can have its inode.
            if _mark(path) == mark:
                path.unlink(missing_ok=True)


class End:
    """One side: two descriptors that never block, half of a line that came, and what waits to go."""

    def __init__(self, reads: int, writes: int) -> None:
        self.reads, self.writes = reads, writes
        self.waiting = bytearray()
        self.over = False
        self._heard = time.monotonic()
        self._lines = wire.Lines()
        os.set_blocking(reads, False)
        os.set_blocking(writes, False)

    def read(self) -> Iterator[bytes]:
        """The lines that are whole by now; it is over when there will be no more."""
        try:
            data = os.read(self.reads, SIZE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self.over = self.over or not data
        self._heard = time.monotonic()
        try:
            yield from self._lines.feed(data)
        except wire.Malformed as error:
            self.put(wire.refusal(None, "malformed", f"The message cannot be read: {error}."))
            self.over = True

    def put(self, message: Message | bytes) -> None:
        """Send it as soon as the other side reads; it is over when that does not."""
        self.waiting += message if isinstance(message, bytes) else wire.encode(message)
        self.write()
        self.over = self.over or len(self.waiting) > WAITING

    def write(self) -> None:
        """Send as much as goes now."""
        try:
            del self.waiting[: os.write(self.writes, self.waiting)]
        except BlockingIOError:
            return
        except OSError:
            self.over = True

    def silent(self) -> bool:
        """Whether no word has come for too long."""
        return time.monotonic() - self._heard > wire.SILENCE


class Relay:
    """One agent and its clients."""

    def __init__(self, agent: End, listener: socket.socket) -> None:
        self._agent, self._listener = agent, listener
        self._clients: dict[End, socket.socket] = {}
        self._asked: dict[str, End] = {}
        self._news: dict[str, bytes] = {}
        self._bucket = wire.Bucket(wire.RATE, wire.RATE, time.monotonic)
        self._beaten = 0.0

    def run(self) -> None:
        """Relay until the agent is gone."""
        while not (self._agent.over or self._agent.silent()):
            self._turn()
            self._beat()
            for client in [each for each in self._clients if each.over or each.silent()]:
                self._clients.pop(client).close()
        for connection in self._clients.values():
            connection.close()

    def _turn(self) -> None:
        """Wait until something can be done, and do all that can be."""
        ends = [self._agent, *self._clients]
        wanted = [self._listener.fileno(), *(end.reads for end in ends)]
        readable, writable, _ = select.select(wanted, [end.writes for end in ends if end.waiting], [], TICK)
        for end in ends:
            if end.writes in writable:
                end.write()
            if end.reads in readable:
                for line in end.read():
                    self._hear(line) if end is self._agent else self._take(end, line)
        if self._listener.fileno() in readable:
            self._welcome()

    def _hear(self, line: bytes) -> None:
        """The agent's word: news for all, or the answer for the one who asked."""
        with suppress(wire.Malformed):
            message = wire.decode(line)
            if (name := message.get("event")) in REMEMBERED:
                self._news[name] = line
            client = self._asked.pop(wire.id_of(message) or "", None)
            for each in self._clients:
                if "event" in message or each is client:
                    each.put(line)

    def _take(self, client: End, line: bytes) -> None:
        """A client's word: on to the agent, or refused."""
        try:
            message = wire.decode(line)
        except wire.Malformed as error:
            client.put(wire.refusal(None, "malformed", f"The message cannot be read: {error}."))
            return
        if message == wire.beat():
            return
        if refused := self._refusal(message):
            client.put(refused)
            return
        if len(self._asked) >= ASKED:
            del self._asked[next(iter(self._asked))]
        self._asked[message["id"]] = client
        self._agent.put(line)

    def _refusal(self, message: Message) -> Message | None:
        id = wire.id_of(message)
        if id is None:
            return wire.refusal(None, "malformed", "The message is no request: it has no id.")
        if id in self._asked:
            return wire.refusal(id, "replayed", "A request with this id is under way.")
        if not self._bucket.take():
            return wire.refusal(
                id, "too_many", f"There may be {wire.RATE} requests a second.", "Try again in a second."
            )
        if len(self._agent.waiting) + wire.LINE > WAITING:
            return wire.refusal(
                id, "no_agent", "The agent does not read.", "`workbench panel --repair` brings it back."
            )
        return None

    def _welcome(self) -> None:
        """Take in who has come, and tell them the news; one too many is turned away."""
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                if len(self._clients) >= CLIENTS:
                    connection.close()
                    continue
                client = End(connection.fileno(), connection.fileno())
                self._clients[client] = connection
                for line in self._news.values():
                    client.put(line)

    def _beat(self) -> None:
        if time.monotonic() - self._beaten > wire.BEAT:
            self._beaten = time.monotonic()
            for end in (self._agent, *self._clients):
                end.put(wire.beat())


def main() -> None:
    """Relay for the run folder of the environment."""
    agent = End(sys.stdin.fileno(), sys.stdout.fileno())
    with listening(address(Path(os.environ["WORKBENCH_RUN"]))) as listener:
        Relay(agent, listener).run()


def _own(folder: Path) -> None:
    """Have a folder that nobody else can change; one that is not so is an error."""
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if found.st_uid != os.getuid() or found.st_mode & 0o170022 != 0o040000:
        raise PermissionError(f"{folder} can be changed by others")


def _mark(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


if __name__ == "__main__":
    main()
