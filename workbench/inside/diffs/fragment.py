"""Pieces of a page, and a memory for them: a notebook that is saved again is mostly the notebook it was."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import wraps
from html import escape
from threading import Lock
from typing import Any, NamedTuple, ParamSpec

ROOM = 96_000_000
"""How much is remembered, in characters and bytes of what was asked and what was answered."""
P = ParamSpec("P")


class Fragment(NamedTuple):
    """HTML that is safe as it is, and what it shows."""

    html: str
    images: Mapping[str, bytes] = {}
    """By file name."""
    active: bool = False
    """Something was left out that would run: a script, say, or a frame."""
    visible: bool = True
    """There is something to see."""


def note(text: str) -> Fragment:
    """What stands in the place of something that is not shown."""
    return Fragment(f'<p class="left-out">{escape(text)}</p>')


def remembered(make: Callable[P, Fragment]) -> Callable[P, Fragment]:
    """A pure function of hashable values that remembers its latest answers."""

    @wraps(make)
    def ask(*args: P.args, **kwargs: P.kwargs) -> Fragment:
        key = (make, *args, *kwargs.items())
        found = _MEMORY.get(key)
        if found is None:
            found = make(*args, **kwargs)
            _MEMORY.put(key, found)
        return found

    return ask


class _Memory:
    def __init__(self) -> None:
        self._known: OrderedDict[Any, Fragment] = OrderedDict()
        self._size = 0
        self._lock = Lock()

    def get(self, key: Any) -> Fragment | None:
        with self._lock:
            found = self._known.get(key)
            if found is not None:
                self._known.move_to_end(key)
            return found

    def put(self, key: Any, made: Fragment) -> None:
        with self._lock:
            if key not in self._known:
                self._known[key] = made
                self._size += _size(key, made)
            while self._size > ROOM:
                self._size -= _size(*self._known.popitem(last=False))


_MEMORY = _Memory()


def _size(key: Any, made: Fragment) -> int:
    return _length(key) + len(made.html) + sum(map(len, made.images.values()))


def _length(key: Any) -> int:
    return sum(map(_length, key)) if isinstance(key, tuple) else len(key) if isinstance(key, str) else 8
