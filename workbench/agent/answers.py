"""The verbs that only ask: what the agent answers at once."""

import json
from dataclasses import asdict
from typing import Any

from workbench import __version__
from workbench.engines.base import Engine
from workbench.inside import wire
from workbench.model import Running

ROOM = wire.LINE - 1024
"""Bytes of a line that the log may have; the rest of the reply fits beside it."""


def answer(verb: str, arguments: wire.Message, engine: Engine, running: Running) -> dict[str, Any]:
    """The result of `hello`, `stats` or `logs`."""
    match verb:
        case "hello":
            return {"protocol": wire.VERSION, "version": __version__}
        case "stats":
            return asdict(engine.stats(running.id))
        case "logs":
            return {"lines": fitting(list(engine.logs(running.id, tail=arguments["tail"])))}
    raise AssertionError(verb)


def fitting(lines: list[str], room: int = ROOM) -> list[str]:
    """The last of these lines that a message has room for; a longer one is cut at its end."""
    found: list[str] = []
    for line in reversed(lines):
        room -= len(json.dumps(line)) + 1
        if room < 0:
            break
        found.append(line)
    if lines and not found:
        # In the worst case each character takes twelve bytes.
        return [lines[-1][: ROOM // 12]]
    return found[::-1]
