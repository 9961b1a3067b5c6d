"""The control protocol, for both of its ends: one JSON object a line, over any stream of bytes. Standard library only.

The inside asks (`request`), the agent on the host answers (`reply`) and tells news (`event`); both send a `beat`.
No verb takes a container, an image, a path, a mount, an environment variable, a port or a command.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

VERSION = 1
LINE = 64 * 1024
"""Bytes of one line at most, its end included."""
DEPTH = 8
"""Levels of lists and objects within each other at most."""
RATE = 20
"""Requests a second at most."""
PAUSE = 10.0
"""Seconds between two verbs that change the life of the workbench, counted from the end of the first."""
BEAT, SILENCE = 5.0, 30.0
"""Seconds between two beats; seconds without a word after which an end closes the stream."""
STATUS = 15.0
"""Seconds between two questions for the `status` while anybody looks; meanwhile what is new of services is told."""
LINES = 500
"""Lines of a log that can be asked for at most."""
SERVICES = 64
"""Services that are told of at most."""
LIFE = frozenset({"restart", "stop", "set_device", "rebuild", "restart_service"})
"""Verbs that change the life of the workbench, or of a service beside it: one at a time."""
VERBS: Mapping[str, Mapping[str, Any]] = {
    "hello": {},
    "status": {},
    "stats": {},
    "logs": {"tail": range(1, LINES + 1)},
    "service_logs": {"service": range(SERVICES), "tail": range(1, LINES + 1)},
    "restart": {},
    "stop": {},
    "set_device": {"device": ("cpu", "gpu")},
    "rebuild": {},
    "restart_service": {"service": range(SERVICES)},
    "cancel": {},
}
"""The closed list: verb -> its arguments -> the values that each may have. All are needed, no other is taken.

A service is said by its place in the list of those that were approved, which is that of the `status`.
"""
ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What the id of a request may be; no id is taken twice."""
SOCKET = "agent.sock"
"""Name of the relay's socket in the run folder."""

Message = dict[str, Any]


class Malformed(ValueError):
    """A line that is not a message."""


class Lines:
    """Cuts a stream of bytes into lines, and holds no more of it than one line may have."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The lines that `data` completes, with their ends; Malformed when one is too long: nothing follows it."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        for line in whole:
            yield _short(line + b"\n")
        _short(self._rest + b"\n")


class Bucket:
    """Holds `burst` of something at first and at most, and fills up by `rate` a second."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float]) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._level, self._at = burst, clock()

    def take(self) -> bool:
        """Take one; False when there is none."""
        now = self._clock()
        self._level = min(self._burst, self._level + self._rate * (now - self._at))
        self._at = now
        if self._level < 1:
            return False
        self._level -= 1
        return True


def encode(message: Mapping[str, Any]) -> bytes:
    """A message as a line."""
    return json.dumps(message, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> Message:
    """The JSON object of a line; Malformed for all else: too long, too deep, not UTF-8, a key given twice, NaN."""
    _short(line)
    # Counted before the parser recurses; brackets in texts count too, which costs nobody anything.
    if _deepest(line) > DEPTH:
        raise Malformed(f"more than {DEPTH} levels")
    try:
        found = json.loads(line.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Malformed("not one line of JSON in UTF-8") from error
    if not isinstance(found, dict):
        raise Malformed("not an object")
    return found


def id_of(message: Message) -> str | None:
    """The id of a request; None where it has none that an id may be."""
    found = message.get("id")
    return found if isinstance(found, str) and ID.fullmatch(found) else None


def request(id: str, verb: str, arguments: Mapping[str, Any] | None = None) -> Message:
    """A request."""
    return {"v": VERSION, "id": id, "verb": verb, "args": dict(arguments or {})}


def reply(id: str, result: Mapping[str, Any]) -> Message:
    """The answer to a request that was carried out, or that was begun."""
    return {"id": id, "ok": True, "result": dict(result)}


def refusal(id: str | None, code: str, message: str, hint: str = "") -> Message:
    """The answer to a request that was not. `id` is None where the request had none that can be told."""
    return {"id": id, "ok": False, "error": {"code": code, "message": message, "hint": hint}}


def event(name: str, **data: Any) -> Message:
    """News: `status`, `action`."""
    return {"event": name, **data}


def beat() -> Message:
    """A sign of life."""
    return {"beat": 1}


def _short(line: bytes) -> bytes:
    if len(line) > LINE:
        raise Malformed(f"a line has more than {LINE} bytes")
    return line


def _deepest(line: bytes) -> int:
    deepest = level = 0
    for byte in line:
        if byte in b"[{":
            level += 1
            deepest = max(deepest, level)
        elif byte in b"]}":
            level -= 1
    return deepest


def _unique(pairs: list[tuple[str, Any]]) -> Message:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key was given twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(name)
