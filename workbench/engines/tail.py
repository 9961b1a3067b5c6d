"""Reading a log that is still being written."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

PAUSE = 0.25
"""Seconds between two looks."""


def read(log: Path, *, tail: int | None, growing: Callable[[], bool]) -> Iterator[str]:
    """The last `tail` lines (all for None) without line ends, then what is added for as long as `growing()` is true."""
    with log.open(encoding="utf-8", errors="replace", newline="\n") as stream:
        begun = ""
        for piece in _pieces(last=deque(stream, maxlen=tail), stream=stream, growing=growing):
            begun += piece
            if begun.endswith("\n"):
                yield begun.rstrip("\r\n")
                begun = ""
        if begun:
            yield begun


def _pieces(last: deque[str], stream: Iterator[str], growing: Callable[[], bool]) -> Iterator[str]:
    yield from last
    more = True
    while more:
        # Asked before reading: what was written until the end is then still read.
        more = growing()
        yield from stream
        if more:
            time.sleep(PAUSE)
