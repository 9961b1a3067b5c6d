"""Speak to a workbench's server: one request, or its stream of events. Standard library only."""

from __future__ import annotations

import http.client
import json
import socket
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.notebook.find import Server

API = "workbench/api/"
PATIENCE = 15.0
"""Seconds for an answer; the server gives its agent ten."""
SILENCE = 45.0
"""Seconds without a word after which a stream has ended: the server says something every 15."""
REPAIR = "Its log says more: `workbench logs` in the project folder, on the machine that started it."


class _Plain(RuntimeError):
    """An error whose message says all that there is to know: a notebook shows that, without where in our code."""

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


class NotHere(_Plain):
    """There is no workbench to speak to: the message says what to do."""


class Refused(_Plain):
    """The workbench does not do what it was asked. `code` is for programs; `hint` says what to do next."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(f"{message} {hint}".strip())
        self.code, self.message, self.hint = code, message, hint


def call(server: Server, method: str, path: str, body: object = None, *, patience: float = PATIENCE) -> Any:
    """One request; the answer's JSON. `path` is below the server's own address. Raises NotHere and Refused."""
    connection = _connection(server, patience)
    try:
        answer = _ask(connection, server, method, path, body)
        content = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise NotHere(f"The workbench's server does not answer ({_why(error)}). {REPAIR}") from error
    finally:
        connection.close()
    if answer.status >= 400:
        raise _refusal(answer.status, content)
    return _json(content)


class Stream:
    """The events of a server, for one reader. `close` ends it, from whichever thread."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._connection = _connection(server, SILENCE)
        self._socket: socket.socket | None = None
        self._closed = False

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """Name and data of each event, until either side ends it."""
        with suppress(OSError, http.client.HTTPException, ValueError), closing(self._connection):
            self._connection.connect()
            # Kept, because the answer takes it over: a reader that waits can be woken through it alone.
            self._socket = self._connection.sock
            answer = None if self._closed else _ask(self._connection, self._server, "GET", f"{API}events")
            if answer and answer.status == 200:
                yield from _events(answer)

    def close(self) -> None:
        """End it; the reader's loop ends then."""
        self._closed = True
        if self._socket:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)


def _connection(server: Server, patience: float) -> http.client.HTTPConnection:
    # No proxy: http.client knows none, and the server is on this machine.
    return http.client.HTTPConnection(server.host, server.port, timeout=patience)


def _ask(
    connection: http.client.HTTPConnection, server: Server, method: str, path: str, body: object = None
) -> http.client.HTTPResponse:
    headers = {"Authorization": f"token {server.token}", "Content-Type": "application/json"}
    content = None if body is None else json.dumps(body)
    connection.request(method, server.base + path, content, headers)
    return connection.getresponse()


def _events(answer: http.client.HTTPResponse) -> Iterator[tuple[str, Any]]:
    name, data = "", ""
    for raw in answer:
        field, _, value = raw.decode("utf-8").rstrip("\r\n").partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            data += value
        elif not field and data:
            yield name, json.loads(data)
            name, data = "", ""


def _refusal(status: int, content: bytes) -> Exception:
    told = _json(content)
    error = told.get("error") if isinstance(told, dict) else None
    if isinstance(error, dict):
        return Refused(*(str(error.get(key, "")) for key in ("code", "message", "hint")))
    if status == 404:
        return NotHere("This notebook's server has no panel: it was not started by `run-notebook`, or without it.")
    message = told.get("message") if isinstance(told, dict) else None
    return Refused("failed", f"The server answered with status {status}: {message or 'no reason was given'}.", REPAIR)


def _json(content: bytes) -> Any:
    try:
        return json.loads(content) if content else None
    except ValueError:
        return None


def _why(error: Exception) -> str:
    return str(error) or type(error).__name__
