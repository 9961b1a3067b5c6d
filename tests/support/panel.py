"""A server with the panel's addresses and nothing else, for what a real one seldom does."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from typing import Any

from workbench.notebook.find import Server

TOKEN = "0123456789abcdef" * 4
NOW = 1_700_000_000.0
ACTION = {"verb": "rebuild", "device": None, "phase": "building", "text": "building the image: 3/7"}


def document(**more: Any) -> dict[str, Any]:
    """A whole state document; `more` replaces parts of it."""
    known = {
        "name": "tides-1a2b3c",
        "project": "tides",
        "engine": "docker",
        "engine_version": "20.10",
        "dock": None,
        "image": "tides-notebook:me",
        "image_created": NOW - 7200,
        "container": "workbench-tides-1a2b3c",
        "started": NOW - 125,
        "url": "http://tides-1a2b3c.localhost:23456/lab",
        "ports": [{"container": 8888, "host": "127.0.0.1:23456"}],
        "server_started": NOW - 120,
        "now": NOW,
    }
    usage = {"cpu": 0.31, "cores": 2.0, "memory": 123_000_000, "memory_limit": 4_000_000_000, "pids": 12, "at": NOW}
    usage |= dict.fromkeys(("disk_read", "disk_written", "net_in", "net_out"), 0)
    return {
        "version": 1,
        "workbench": known,
        "agent": {"connected": True, "why": "", "hint": ""},
        "device": {"selected": "cpu", "gpus": "", "kernels": {"cpu": "python3", "gpu": None}, "possible": True,
                   "why": ""},
        "gpus": [],
        "usage": usage,
        "history": {"seconds": 2.0, "cpu": [], "memory": [], "gpu": []},
        "kernels": [{"id": "k", "name": "python3", "display_name": "Python (CPU)", "state": "busy", "path": "a.ipynb",
                     "device": "cpu"}],
        "diffs": {"on": True, "last_written": NOW - 60, "pending": 0, "warnings": {}},
        "services": [],
        "packages": [],
        "changes": [],
        "action": None,
        "last": None,
        **more,
    }  # fmt: skip


def service(name: str, **more: Any) -> dict[str, Any]:
    """A service as the state tells it."""
    usual: dict[str, Any] = {
        "title": name,
        "state": "running",
        "health": "",
        "exit_code": None,
        "ports": [],
        "web": False,
    }
    return {"name": name, **usual, "path": "", "restart": False, **more}


@dataclass
class Standing:
    """The server. `asked` holds each verb with its arguments; `refusals`: verb -> status and error."""

    server: Server
    state: dict[str, Any] = field(default_factory=document)
    asked: list[tuple[str, Any]] = field(default_factory=list)
    refusals: dict[str, tuple[int, dict[str, str]]] = field(default_factory=dict)
    listeners: "list[SimpleQueue[tuple[str, Any] | None]]" = field(default_factory=list)

    def change(self, **parts: Any) -> None:
        """Change parts of the state, and tell it."""
        self.state = {**self.state, **parts}
        for each in list(self.listeners):
            each.put(("change", parts))

    def hang_up(self) -> None:
        """End every stream."""
        for each in list(self.listeners):
            each.put(None)


@contextmanager
def standing() -> Iterator[Standing]:
    """The server, for as long as the block runs."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    http.daemon_threads = True
    http.standing = standing = Standing(Server("127.0.0.1", http.server_port, "/", TOKEN))  # type: ignore[attr-defined]
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield standing
    finally:
        standing.hang_up()
        http.shutdown()
        http.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def standing(self) -> Standing:
        return self.server.standing  # type: ignore[attr-defined,no-any-return]

    def do_GET(self) -> None:
        if self.headers["Authorization"] != f"token {TOKEN}":
            self._answer(403, {"message": "Forbidden"})
        elif self.path == "/workbench/api/state":
            self._answer(200, self.standing.state)
        elif self.path.startswith("/workbench/api/logs?tail="):
            self._answer(200, {"lines": [f"line {number}" for number in range(int(self.path.partition("=")[2]))]})
        elif self.path.startswith("/workbench/api/services/"):
            place, _, tail = self.path.removeprefix("/workbench/api/services/").partition("/logs?tail=")
            self._answer(200, {"lines": [f"service {place}, line {number}" for number in range(int(tail))]})
        elif self.path == "/workbench/api/events":
            self._stream()
        else:
            self._answer(404, {"message": "Not Found"})

    def do_POST(self) -> None:
        verb = self.path.removeprefix("/workbench/api/verbs/")
        arguments = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.standing.asked.append((verb, arguments))
        if verb in self.standing.refusals:
            status, error = self.standing.refusals[verb]
            self._answer(status, {"ok": False, "error": error})
        else:
            self._answer(200, {"ok": True, "result": {"accepted": True}})

    def _answer(self, status: int, document: object) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        queue: SimpleQueue[tuple[str, Any] | None] = SimpleQueue()
        self._chunk(": a comment\n\n")
        self._event("state", self.standing.state)
        self.standing.listeners.append(queue)
        try:
            while event := queue.get():
                self._event(*event)
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            pass
        finally:
            self.standing.listeners.remove(queue)
            self.close_connection = True

    def _event(self, name: str, data: Any) -> None:
        self._chunk(f"event: {name}\ndata: {json.dumps(data)}\n\n")

    def _chunk(self, text: str) -> None:
        content = text.encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        pass
