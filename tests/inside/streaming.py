"""A page's stream of events."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import requests
from serving import TOKEN, Serving

PATIENCE = 60.0


class Stream:
    """What a page has heard: `events` in order, `state` as it knows it by them."""

    def __init__(self, answer: requests.Response) -> None:
        self.events: list[tuple[str, Any]] = []
        self.state: dict[str, Any] = {}
        self.ended = False
        self._answer, self._news = answer, threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def wait_for(self, true: Callable[["Stream"], Any]) -> Any:
        """Wait until something is true of what was heard; what it returned."""
        with self._news:
            found = self._news.wait_for(lambda: true(self), PATIENCE)
            assert found, f"not heard: {self.events}"
        return found

    def last(self, name: str) -> Any:
        """The data of the last event of that name."""
        return next((data for each, data in reversed(self.events) if each == name), None)

    def names(self) -> list[str]:
        """Names of the events."""
        return [name for name, _ in self.events]

    def _read(self) -> None:
        name = ""
        try:
            for line in self._answer.iter_lines(chunk_size=None, decode_unicode=True):
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    self._hear(name, json.loads(line.removeprefix("data: ")))
        except (requests.RequestException, AttributeError):  # the test has closed it
            pass
        with self._news:
            self.ended = True
            self._news.notify_all()

    def _hear(self, name: str, data: Any) -> None:
        with self._news:
            self.events.append((name, data))
            if name in ("state", "change"):
                self.state |= data
            self._news.notify_all()


@contextmanager
def listening(server: Serving, query: str = "") -> Iterator[Stream]:
    """A page that listens; it has heard the state."""
    address = f"http://127.0.0.1:{server.port}/workbench/api/events{query}"
    headers = {"Authorization": f"token {TOKEN}"}
    with requests.Session() as session, session.get(address, headers=headers, stream=True, timeout=PATIENCE) as answer:
        assert answer.status_code == 200 and answer.headers["Content-Type"] == "text/event-stream"
        stream = Stream(answer)
        stream.wait_for(lambda found: found.state)
        yield stream
