"""Calling off what another thread does: it ends where nothing is half-made, with what was begun undone."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Event

from workbench.errors import WorkbenchError


class Cancelled(WorkbenchError):
    """Somebody called the work off."""

    exit_code = 130


_asked: ContextVar[Event | None] = ContextVar("asked", default=None)


@contextmanager
def on(asked: Event) -> Iterator[None]:
    """Work of this thread that ends when `asked` is set."""
    before = _asked.set(asked)
    try:
        yield
    finally:
        _asked.reset(before)


def asked() -> Event | None:
    """What is set when this thread's work is to end; None where nobody can ask for that."""
    return _asked.get()


def check() -> None:
    """Raise Cancelled if that was asked for. Once only: undoing what was begun is not called off."""
    found = asked()
    if found is not None and found.is_set():
        found.clear()
        raise Cancelled("It was cancelled.")
