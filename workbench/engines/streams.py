"""What comes out of containers: the engine's frames of both output streams, lines, and commands with an input."""

import json
import struct
import threading
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO

from workbench.errors import EngineError, last_lines
from workbench.model import ExecResult

if TYPE_CHECKING:
    from workbench.engines.dialect import Dialect
    from workbench.engines.sdk import Client

HEADER = struct.Struct(">BxxxL")
STDERR = 2


def lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Lines without their ends; chunks may begin and end anywhere, inside a character too."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (_text(line) for line in whole)
    if rest:
        yield _text(rest)


def log(client: "Client", dialect: "Dialect", id: str, *, follow: bool, tail: int | None) -> Iterator[str]:
    """What a container writes, both streams in the order of their coming."""
    if tail is None or not dialect.counts_pieces:
        return _log(client, id, follow=follow, tail=tail)
    there = sum(1 for _ in _log(client, id, follow=False, tail=None))
    return islice(_log(client, id, follow=follow, tail=None), max(0, there - tail), None)


def _log(client: "Client", id: str, *, follow: bool, tail: int | None) -> Iterator[str]:
    stream = client.logs(id, stream=True, follow=follow, tail="all" if tail is None else tail)
    try:
        yield from lines(client.guarded(stream))
    finally:
        stream.close()


def frames(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """`(1 or 2, bytes)` for each piece of standard output or error."""
    while len(header := stream.read(HEADER.size)) == HEADER.size:
        kind, size = HEADER.unpack(header)
        yield kind, stream.read(size)


def execute(client: "Client", id: str, argv: Iterable[str], stdin: bytes | None, *, end: bool = True) -> ExecResult:
    """Run a command in a container. `end`: close its standard input after `stdin`, which not every link can do."""
    made = client.exec_create(id, list(argv), stdin=stdin is not None)["Id"]
    out: dict[int, bytearray] = {}
    with client.streaming():
        handle: Any = client.exec_start(made, socket=True)
        response = handle._response
        connection = getattr(handle, "_sock", handle)
        try:
            connection.settimeout(None)
            writer = threading.Thread(target=_feed, args=(connection, stdin, end), daemon=True)
            writer.start()
            # Not the handle: what came together with the reply's head is in this buffer.
            for kind, content in frames(response.raw._fp.fp):
                out.setdefault(kind, bytearray()).extend(content)
            writer.join()
        finally:
            response.close()
    return ExecResult(_code(client, made), _text(out.get(1, b"")), _text(out.get(STDERR, b"")))


def deliver(client: "Client", id: str, argv: Iterable[str], content: dict[str, object]) -> None:
    """Hand over the delivery to the command that takes it; its last argument is the number of bytes."""
    payload = json.dumps(content).encode()
    done = execute(client, id, (*argv, str(len(payload))), payload, end=False)
    if done.code != 0:
        last = last_lines(done.err or done.out)
        raise EngineError(
            "The container did not take its token and settings.", "Make its image anew: --rebuild.", detail=last
        )


def _feed(connection: Any, stdin: bytes | None, end: bool) -> None:
    import socket

    try:
        connection.sendall(stdin or b"")
        if end and stdin is not None:
            connection.shutdown(socket.SHUT_WR)
    except OSError:
        # The command ended without reading all: its exit code tells.
        return


def _code(client: "Client", made: str) -> int:
    """Exit code of a command whose output has ended; the engine may need a moment to know it."""
    for pause in (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0):
        time.sleep(pause)
        state = client.exec_inspect(made)
        if not state["Running"] and state["ExitCode"] is not None:
            return int(state["ExitCode"])
    raise EngineError("The engine does not say how a command in the container ended.", "Run the same command again.")


def _text(raw: bytes | bytearray) -> str:
    return raw.decode("utf-8", "replace").removesuffix("\r")
