"""Runs in a container, as what a project may bring along: attacks its own control channel. Prints one JSON document.

`python attack.py NAME [ARGUMENT]` calls the function NAME.
"""

import base64
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import count
from pathlib import Path
from uuid import uuid4

from workbench.inside import relay, wire

PATIENCE = 60.0
RUN = Path(os.environ["WORKBENCH_RUN"])


def connect() -> socket.socket:
    """A connection to the relay, as soon as there is one."""
    until = time.monotonic() + PATIENCE
    while True:
        link = socket.socket(socket.AF_UNIX)
        try:
            link.connect(str(relay.address(RUN)))
            link.settimeout(PATIENCE)
            return link
        except OSError:
            link.close()
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def answers(link: socket.socket) -> Iterator[wire.Message]:
    """What is answered on a connection, until it ends or nobody says anything."""
    with suppress(OSError):
        for line in link.makefile("rb"):
            if "ok" in (message := wire.decode(line)):
                yield message


def ask(verb: str = "hello") -> wire.Message:
    """A request as anybody may make it, made again until it is answered."""
    until = time.monotonic() + 2 * PATIENCE
    while time.monotonic() < until:
        with closing(connect()) as link, suppress(OSError):
            link.sendall(wire.encode(wire.request(uuid4().hex, verb)))
            for answer in answers(link):
                if answer["ok"]:
                    return answer
        time.sleep(0.1)
    raise SystemExit("nobody answers")


def said(raw: bytes) -> str:
    """The code with which a line is refused, once the rate lets it through."""
    while True:
        with closing(connect()) as link:
            with suppress(OSError):
                link.sendall(raw)
            answer = next(answers(link), None)
        if answer is None or answer["ok"]:
            return str(answer)
        if answer["error"]["code"] != "too_many":
            return str(answer["error"]["code"])
        time.sleep(0.1)


def each(path: str) -> dict[str, str]:
    """The codes for all lines of a file, by name."""
    lines = {name: base64.b64decode(raw) for name, raw in json.loads(Path(path).read_text()).items()}
    return {name: said(raw) for name, raw in lines.items()}


def stream() -> int:
    """The standard output of the relay, which is the stream that the agent reads."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        for process in relays():
            with suppress(OSError):
                return os.open(f"/proc/{process}/fd/1", os.O_WRONLY)
        time.sleep(0.05)
    raise SystemExit("no relay runs")


def relays() -> list[int]:
    """The processes that are relays, the newest first."""
    found = []
    for path in Path("/proc").iterdir():
        with suppress(OSError):
            if path.name.isdigit() and b"workbench.inside.relay" in (path / "cmdline").read_bytes().split(b"\0"):
                found.append(int(path.name))
    return sorted(found, reverse=True)


def each_to_the_agent(path: str) -> int:
    """The same lines, past the relay; how many were written."""
    lines = [base64.b64decode(raw) for raw in json.loads(Path(path).read_text()).values()]
    for raw in lines:
        time.sleep(0.05)
        poured(raw if raw.endswith(b"\n") else raw + b"\n")
    return len(lines)


def poured(data: bytes, seconds: float = 0.0) -> int:
    """Bytes that went into the agent's stream: once, or over and over for so many seconds, whatever relay has it."""
    until, written = time.monotonic() + seconds, 0
    while True:
        out = stream()
        os.set_blocking(out, False)
        # OSError: the agent has given up this relay; there will be another.
        with suppress(OSError):
            while not written or time.monotonic() < until:
                if select.select([], [out], [], 1.0)[1]:
                    written += os.write(out, data)
        os.close(out)
        if time.monotonic() >= until:
            return written


def garbage(seconds: str) -> int:
    """Bytes of noise that went into the agent's stream."""
    return poured(os.urandom(4096), float(seconds))


def requests(seconds: str) -> int:
    """Bytes of requests that went into the agent's stream, all of one id."""
    return poured(wire.encode(wire.request(uuid4().hex, "logs", {"tail": wire.LINES})) * 20, float(seconds))


def endless(seconds: str) -> int:
    """Bytes of a line without an end that went into the agent's stream."""
    return poured(b"x" * 4096, float(seconds))


def flood(seconds: str) -> int:
    """Requests that were sent, as many as go, on one connection after the other."""
    until, sent = time.monotonic() + float(seconds), 0
    while time.monotonic() < until:
        with closing(connect()) as link, suppress(OSError):
            while time.monotonic() < until:
                link.sendall(b"".join(wire.encode(wire.request(uuid4().hex, "status")) for _ in range(100)))
                sent += 100
                while select.select([link], [], [], 0)[0] and link.recv(1 << 20):
                    pass
    return sent


def deaf() -> str:
    """Ask for much and read nothing, until the connection ends."""
    with closing(connect()) as link:
        link.settimeout(1.0)
        until = time.monotonic() + PATIENCE
        for number in count():
            with suppress(TimeoutError):
                try:
                    link.sendall(b"{}\n" * 1000)
                except OSError:
                    return "dropped"
            if time.monotonic() > until:
                return f"still there after {number}"
    return ""


def crowd(size: str) -> wire.Message:
    """Many connections at once, each with half a request, and one more that asks."""
    with_half = []
    for _ in range(int(size)):
        link = connect()
        with_half.append(link)
        with suppress(OSError):
            link.sendall(b'{"v":1,"id":"half')
    for link in with_half:
        link.close()
    return ask("status")


def again() -> list[object]:
    """The same request three times: once done, then refused."""
    line = wire.encode(wire.request(uuid4().hex, "hello"))
    found = []
    with closing(connect()) as link:
        for _ in range(3):
            link.sendall(line)
            answer = next(answers(link))
            found.append(answer["ok"] or answer["error"]["code"])
            time.sleep(0.2)
    return found


def strike(name: str) -> wire.Message:
    """Send all relays a signal; what the next one's agent says."""
    struck = relays()
    for process in struck:
        os.kill(process, signal.Signals[name])
    before = relay.address(RUN).stat().st_ino
    until = time.monotonic() + 3 * PATIENCE
    while not set(relays()) - set(struck) or relay.address(RUN).stat().st_ino == before:
        if time.monotonic() > until:
            raise SystemExit("no other relay came")
        time.sleep(0.1)
    answer = ask("status")
    for process in set(struck) & set(relays()):
        os.kill(process, signal.SIGKILL)
    return answer


if __name__ == "__main__":
    name, *arguments = sys.argv[1:]
    print(json.dumps(globals()[name](*arguments)))
